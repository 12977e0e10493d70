# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Last words that tell no more than that it ended, and by what."""

from __future__ import annotations

from ._entry import ANY_TIME, SERVING, entry

# SGLang's texts: 0.5.4.post2; 0.5.23 while it starts, and while it serves.
KILLED = entry(
    "killed",
    r"scheduler is dead[^\n]*\n(?:[^\n]*\n)?[^\n]*Exit code: -9\b",
    r"scheduler died during initialization \(exit code: -9\)",
    r"(?s)\A(?!.*(?:Traceback|hit an exception)).*Subprocess \S+ \(pid=\d+\) crashed with exit code -9\b",
    when=(ANY_TIME,),
    says=(
        "Rank 0 scheduler died during initialization (exit code: -9).",
        "Subprocess scheduler_0 (pid=322) crashed with exit code -9.",
    ),
    meaning="It was killed from outside (SIGKILL), without a word of its own.",
    cause="The kernel's out-of-memory killer, earlyoom, or a person with docker kill.",
    next_step="look for the out-of-memory killer in `journalctl -k`, for earlyoom, and for people with docker kill.",
    link="https://github.com/vllm-project/vllm/issues/56824",
)

ENTRIES = (
    KILLED,
    # SGLang's text, both versions; a server that lives says it, too, when one batch took longer than 20 s.
    entry(
        "no-answer",
        r"Health check failed\. Server couldn't get a response from detokenizer",
        when=(SERVING,),
        says=("Health check failed. Server couldn't get a response from detokenizer for last 20 seconds.",),
        meaning="The server runs, but /health answers 503: no token came within 20 s.",
        cause="A rank or a kernel hangs; or one batch, a long prompt mostly, took longer than that, which passes.",
        next_step="wait two minutes; if it stays, look at the other ranks' last lines, then run site.yml again.",
        link="https://github.com/sgl-project/sglang/issues/10856",
        echo=True,
    ),
)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Last words of an engine -> what they mean -> what to do next.

One table, which the gate, the keeper, the measurements and docs/troubleshooting.md read: the first entry that matches
wins.
"""

from __future__ import annotations

import re
import typing as t

from . import _command, _echoes, _end, _files, _kernels, _memory, _node, _ranks
from ._entry import Diagnosis, Entry

# What has a cause of its own on the node or in the plan comes before what the GPU says of it, and that before the
# ranks; then what may be the echo of another rank's failure, and at last what tells no more than that it ended.
SECTIONS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("The node", _node.ENTRIES),
    ("Command line", _command.ENTRIES),
    ("Model", _files.ENTRIES),
    ("Kernels", _kernels.ENTRIES),
    ("Memory and CUDA graphs", _memory.ENTRIES),
    ("Ranks and their network", _ranks.ENTRIES),
    ("Echoes of another rank", _echoes.ENTRIES),
    ("How it ended", _end.ENTRIES),
)
TABLE = tuple(entry for _title, entries in SECTIONS for entry in entries)

# Known by the way the container ended, too, without a word.
OOM, KILLED = _node.OOM.diagnosis, _end.KILLED.diagnosis

# Lines that say how things go, never why they ended: uvicorn's and vLLM's levels, NCCL's, SGLang's settings, and the
# requests that it logs when asked to, with what people wrote.
_IN_PASSING = re.compile(
    r"^(?:\([^)]*\) )*(?:\[[^\]]*\] )?(?:(?:INFO|DEBUG|Receive|Finish)\b|server_args=)|\bNCCL INFO\b"
)
# SGLang ends itself with SIGKILL when one of its processes failed, both versions: that is nobody's from outside.
_BY_ITSELF = re.compile(r"[Rr]eceived sigquit|SIGQUIT received|kill_process_tree called: [^\n]*include_parent=True")


def diagnose(lines: t.Iterable[str], exit_code: int = 0, oom_killed: bool = False) -> Diagnosis | None:
    """Return what the end of a log and the way a container ended mean, or None when the table does not know.

    `lines`: the last ones, a few dozen; older ones tell of what was survived. `exit_code`: Docker's, 137 or -9 for
    SIGKILL. `oom_killed`: Docker's State.OOMKilled.
    """
    if oom_killed:
        return OOM
    text = _text(lines)
    found = next((entry.diagnosis for entry in TABLE if entry.matches(text)), None)
    if found is None and exit_code in (137, -9) and not _BY_ITSELF.search(text):
        return KILLED
    return found


def candidates(lines: t.Iterable[str]) -> list[Diagnosis]:
    """Return every diagnosis that the words of a log allow, the one to believe first."""
    text = _text(lines)
    return [entry.diagnosis for entry in TABLE if entry.matches(text)]


def _text(lines: t.Iterable[str]) -> str:
    return "\n".join(line for line in lines if not _IN_PASSING.search(line))

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small helpers for texts that people read."""

from __future__ import annotations

import difflib
import re
import typing as t

# SGLang prints its whole configuration at start-up, keys in clear (0.5.4.post2 and 0.5.23), as `api_key='…'`,
# `"api_key": "…"` or `--api-key …`, and so does an argv as a list; vLLM prints a list of keys. Whoever asks sends
# `Bearer …`; Hugging Face tokens start with hf_.
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_SECRET = re.compile(
    r"""(--(?:admin-)?api-key\s+|api[_-]key["']?(?:\s*[=:]\s*|,\s*(?=["'])))"""
    rf"""(?:{_QUOTED}|\[[^\]]*\]|(?!(?:None|null)\b)[^\s,)}}]+)"""
    r"""|(\bBearer )[^\s'",]+|\bhf_[A-Za-z0-9]{20,}""",
    re.IGNORECASE,
)


def did_you_mean(name: str, known: t.Iterable[str], count: int = 3) -> str:
    """Return a sentence with the nearest known names, or with all of them when there are few and none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=count, cutoff=0.5)
    if near:
        return "Did you mean " + " or ".join(near) + "?"
    return f"Known: {', '.join(names)}." if 0 < len(names) <= 40 else ""


def redact(text: str, secrets: t.Iterable[str] = ()) -> str:
    """Return `text` without API keys and tokens: those given, and those that look like one."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "********")
    return _SECRET.sub(lambda match: (match.group(1) or match.group(2) or "") + "********", text)


def gib(count: float) -> str:
    """Return bytes as GiB (or MiB when small) with one decimal."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def duration(seconds: float) -> str:
    """Return seconds as people say them: 42 s, 3 min 05 s, 2 h 10 min, 3 d 4 h."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"

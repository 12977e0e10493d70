# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of a fault leaves behind: one JSON file, out of which the page is made."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path

# An engine's log line tells its time and its process; two runs of a fault must read alike.
_STAMP = re.compile(r"^\s*(?:\[[^\]]*\]|\S+ \S+ \S+\[\d+\]:)\s*")
_LONGEST = 240


@dataclass
class Record:
    """One run of one fault. Seconds are from the damage on; None where it did not come to that.

    `found`: the end that it came to, or how it was instead. `words`: what a person was told, quoted. `green`: nothing
    that must never be, the expected end, the expected words.
    """

    name: str
    group: str
    breaks: str
    ends: str
    engine: str
    quick: bool
    nodes: int
    found: str = ""
    noticed: float | None = None
    over: float | None = None
    words: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    date: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def green(self) -> bool:
        return not self.wrong


def quote(text: str, says: t.Sequence[str]) -> list[str]:
    """Return the lines of a play or a journal that have the words which a person must be told, each line once.

    A line is one sentence of the output after the breaks that Ansible puts into it were taken out.
    """
    found: list[str] = []
    lines = [_STAMP.sub("", line).strip() for line in _joined(text)]
    for word in says:
        pattern = re.sub(r"\s+", " ", word)
        line = next((line for line in lines if pattern in line), "")
        if line and (shown := _short(line, pattern)) not in found:
            found.append(shown)
    return found


def missing(text: str, says: t.Sequence[str]) -> list[str]:
    """Return the words that are not in a text, however its lines were broken."""
    flat = re.sub(r"\s+", " ", text)
    return [word for word in says if re.sub(r"\s+", " ", word) not in flat]


def _joined(text: str) -> list[str]:
    """Return the lines of an output; one that goes on with a deeper indentation, as YAML breaks it, is one line."""
    lines: list[str] = []
    indent = 0
    for raw in text.splitlines():
        here = len(raw) - len(raw.lstrip())
        if lines and raw.strip() and here > indent:
            lines[-1] = f"{lines[-1]} {raw.strip()}"
        else:
            lines.append(raw.rstrip())
            indent = here
    return lines


def _short(line: str, word: str) -> str:
    """Return the part of a long line around a word."""
    line = re.sub(r"\s+", " ", line)
    if len(line) <= _LONGEST:
        return line
    begin = max(0, line.index(word) - 60) if word in line else 0
    end = begin + _LONGEST
    return f"{'…' if begin else ''}{line[begin:end]}{'…' if end < len(line) else ''}"


def save(folder: Path, record: Record) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(record), indent=1, sort_keys=True, ensure_ascii=False)
    (folder / f"{record.name}.json").write_text(text + "\n", encoding="utf-8")


def load(folder: Path) -> dict[str, Record]:
    """Return the records of a folder by name; those of another form are none."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            record = Record(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            continue
        found[record.name] = record
    return found

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd tells of its units, and how it wants a command to be written.

Engines of a node exclude each other by `Conflicts=`: the unit of one that has the GPU names the keepers of our servers.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..keeper._unit import TEMPLATE

KEEPER = TEMPLATE.partition(".")[0]
# The documents' unit of vLLM, and Ollama's own: an engine beside ours goes by one of these names.
ENGINES = ("vllm.service", "ollama.service")
# Units that a person wrote may have none of our Conflicts. vLLM never does without the GPU.
ALWAYS = ("vllm.service",)
PROPERTIES = (
    *("Id", "ActiveState", "SubState", "UnitFileState", "FragmentPath", "Conflicts"),
    *("Result", "ExecMainStatus", "ExecMainStartTimestampMonotonic"),
)
SHOW = ["systemctl", "show", f"--property={','.join(PROPERTIES)}"]
_RUNNING = ("active", "activating", "reloading")
_UNQUOTED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@+")


@dataclass(frozen=True)
class Unit:
    """One unit. `started`: when its process began, in seconds of the node's monotonic clock, 0 for never."""

    name: str
    active: str = "inactive"
    sub: str = "dead"
    enabled: bool = False
    path: str = ""
    conflicts: tuple[str, ...] = ()
    result: str = ""
    status: int = 0
    started: float = 0.0

    @property
    def running(self) -> bool:
        """Whether it runs, or systemd is about to start it again."""
        return self.active in _RUNNING

    @property
    def wanted(self) -> bool:
        """Whether it runs now or at the next boot."""
        return self.running or self.enabled

    @property
    def has_gpu(self) -> bool:
        return self.name in ALWAYS or any(name.startswith(KEEPER) for name in self.conflicts)


def parse_units(shown: str) -> tuple[Unit, ...]:
    """Return the units of `systemctl show`, which separates them by an empty line. One that does not exist is dead."""
    blocks = (dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in shown.split("\n\n"))
    return tuple(_unit(block) for block in blocks if block.get("Id"))


def _unit(shown: t.Mapping[str, str]) -> Unit:
    return Unit(
        name=shown["Id"],
        active=shown.get("ActiveState", ""),
        sub=shown.get("SubState", ""),
        enabled=shown.get("UnitFileState", "").startswith("enabled"),
        path=shown.get("FragmentPath", ""),
        conflicts=tuple(shown.get("Conflicts", "").split()),
        result=shown.get("Result", ""),
        status=int(shown.get("ExecMainStatus") or 0),
        started=int(shown.get("ExecMainStartTimestampMonotonic") or 0) / 1e6,
    )


def quoted(words: t.Iterable[str]) -> str:
    """Return a command line of a unit that systemd splits into exactly these words: no specifier, no variable."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    text = word.replace("%", "%%").replace("$", "$$")
    if text and set(text) <= _UNQUOTED | {"%", "$"}:
        return text
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(plain, escaped)
    return f'"{text}"'

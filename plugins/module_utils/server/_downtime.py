# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long an endpoint did not answer because of a run: the ranks were stopped, started, and loaded the model.

All times in seconds, as each was measured where it was spent.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._text import duration

# What is done of a rank while its server is down. A replacement is created while the old one still serves.
_PARTS = {
    **dict.fromkeys(("hold", "disable", "stop"), "stop"),  # a keeper that is held stops the container
    **dict.fromkeys(("remove", "rename", "start"), "start"),
}


@dataclass(frozen=True)
class Downtime:
    """The times of the slowest ranks: they stop and start together. `served`: something ran that was stopped."""

    stop: float = 0.0
    start: float = 0.0
    load: float = 0.0
    served: bool = False

    @property
    def total(self) -> float:
        return self.stop + self.start + self.load

    def __add__(self, later: Downtime) -> Downtime:
        """Return both together: a start that failed, and the way back."""
        stop, start, load = self.stop + later.stop, self.start + later.start, self.load + later.load
        return Downtime(stop, start, load, self.served or later.served)

    def __str__(self) -> str:
        """Return a clause for people; empty when nothing was touched. Who had nothing that served lost nothing."""
        if not self.total:
            return ""
        shown = ("stop", "start", "load") if self.served else ("start", "load")
        parts = {name: round(getattr(self, name)) for name in shown}
        whole = duration(sum(parts.values()))
        told = ", ".join(f"{name} {duration(seconds)}" for name, seconds in parts.items())
        return f"the endpoint was down {whole}: {told}" if self.served else f"it took {whole} to start: {told}"


def seconds_of(spent: t.Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of `stop` and `start` of one rank, from those of each action; 0 for what was not done."""
    found = {"stop": 0.0, "start": 0.0}
    for action, seconds in spent.items():
        if action in _PARTS:
            found[_PARTS[action]] += seconds
    return {part: round(seconds, 3) for part, seconds in found.items()}


def downtime(
    started: t.Mapping[str, t.Mapping[str, t.Any] | None], gates: t.Mapping[str, t.Mapping[str, t.Any] | None]
) -> Downtime:
    """Return what a start cost, from the results of sglang_server (node -> result) and of sglang_gate (rank's node ->
    result), whichever way those ended.

    Nothing where no rank was touched: how long the gate looks at what serves is no downtime. Where a rank could not be
    started there was no gate.
    """
    times = {node: (result or {}).get("seconds") or {} for node, result in started.items()}
    if not any(times.get(node, {}).get(part) for node in gates for part in ("stop", "start")):
        return Downtime()
    stop, start = (max(part.get(name, 0.0) for part in times.values()) for name in ("stop", "start"))
    whole = all(result and "actions" in result for result in started.values())
    load = max((result.get("elapsed", 0.0) for result in gates.values() if result), default=0.0) if whole else 0.0
    return Downtime(stop, start, load, served=stop > 0)

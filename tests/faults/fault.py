# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fault is, and the ends that one may have."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass

# Nobody was restarted, and a run that asked for nothing wrong was green.
SERVING_AS_BEFORE = "serving-as-before"
# All ranks were started together once more: the same plan, or the last good one.
SERVING_AGAIN = "serving-again"
# No rank runs on any node, and nobody says otherwise.
CLEANLY_STOPPED = "cleanly-stopped"
# A run was red before it changed anything; what served goes on serving, and what was stopped stays so.
REFUSED = "refused-untouched"
ENDS = (SERVING_AS_BEFORE, SERVING_AGAIN, CLEANLY_STOPPED, REFUSED)

REAL, STAND_IN = "real", "stand-in"

# A start of two ranks takes 40 s on two quiet cores and up to three times that under load; a second one after a failed
# first doubles it.
_LONGEST = {SERVING_AS_BEFORE: 60.0, SERVING_AGAIN: 300.0, CLEANLY_STOPPED: 120.0, REFUSED: 30.0}


@dataclass(frozen=True)
class Fault:
    """One way to break a cluster.

    `breaks` says in one sentence what is broken, `run` does it. `says`: words that a person must have been told, by a
    play, a status line of a keeper, or its journal. `engine`: of the plan that has the fault. `serving`: whether the
    cluster serves before. In seconds, `told`: from the damage until a play or a keeper must have shown it, 0 for no
    such promise; `within`: from the end of `run` until the end must be there; `holds`: for how long it must stay.
    """

    name: str
    group: str
    breaks: str
    ends: str
    run: Callable[[t.Any], None]
    says: tuple[str, ...] = ()
    quick: bool = False
    nodes: int = 2
    engine: str = REAL
    told: float = 0.0
    within: float = 0.0
    holds: float = 3.0
    serving: bool = True


class Catalogue:
    """Faults of one kind, in the order in which they run."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(
        self, group: str, ends: str, *says: str, name: str = "", breaks: str = "", **more: t.Any
    ) -> Callable[[Callable[[t.Any], None]], Callable[[t.Any], None]]:
        """Add the function below as a fault. Name and sentence are its own, unless given."""

        def add(run: Callable[[t.Any], None]) -> Callable[[t.Any], None]:
            called = name or run.__name__.replace("_", "-")
            sentence = breaks or " ".join((run.__doc__ or "").split())
            within = more.pop("within", _LONGEST[ends])
            self.faults.append(Fault(called, group, sentence, ends, run, says, within=within, **more))
            return run

        return add

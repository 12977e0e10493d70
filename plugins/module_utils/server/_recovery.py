# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can serve after a failed start: the last good plan, if every rank of it is still known."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

from ._gate import UNREACHABLE

# Steps of the gate that what serves can't fail.
_DEAD = ("container", "health")


@dataclass(frozen=True)
class Outcome:
    """What a failed run did: `started` every rank's container is up, `touched` some container was or may have been, and
    the gate's `step` that failed."""

    started: bool
    touched: bool
    step: str = ""


@dataclass(frozen=True)
class Fallback:
    """`usable`: the ranks of `generation` (profile `model`, on `nodes`) can start again; else `reason` says why not.

    `halt`: what is left must be stopped. False where nothing was touched, or where what runs is better than nothing.
    """

    usable: bool
    reason: str
    generation: str = ""
    model: str = ""
    nodes: tuple[str, ...] = ()
    halt: bool = True


def fallback(last_good: t.Mapping[str, t.Mapping[str, t.Any]], failed: str, outcome: Outcome) -> Fallback:
    """Return what to go back to.

    `last_good`: node -> what last passed the gate there; `failed`: the generation that did not pass. A plan that was
    just started and failed is not tried again; one that was found dead is.
    """
    if not outcome.touched and not outcome.started:
        return Fallback(False, "nothing was touched: what ran before runs on", halt=False)
    known = {node: kept for node, kept in last_good.items() if kept}
    ranks = Counter(str(kept["generation"]) for kept in known.values())
    whole = [kept for kept in known.values() if ranks[str(kept["generation"])] == kept["nnodes"]]
    # What an interrupted run has left running is no better than what this one would have started.
    proven = not whole or whole[0]["generation"] == failed
    if not outcome.touched and (outcome.step == UNREACHABLE or (proven and outcome.step not in _DEAD)):
        return Fallback(False, "it runs as planned and was left alone", halt=False)
    if not known:
        return Fallback(False, "nothing has passed the gate here before")
    if not whole:
        some = next(iter(known.values()))
        count = ranks[str(some["generation"])]
        return Fallback(False, f"only {count} of {some['nnodes']} ranks of the last good plan are known")
    if whole[0]["generation"] == failed and outcome.touched:
        return Fallback(False, "the plan that failed is the one that was good before")
    nodes = tuple(node for node, kept in known.items() if kept["generation"] == whole[0]["generation"])
    return Fallback(True, "", str(whole[0]["generation"]), str(whole[0]["model"]), nodes)

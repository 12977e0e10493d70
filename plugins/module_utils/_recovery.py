# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can serve after a failed start: the last good plan, if every rank of it is still known."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Fallback:
    """`usable`: the ranks of `generation` (profile `model`, on `nodes`) can start again; else `reason` says why not."""

    usable: bool
    reason: str
    generation: str = ""
    model: str = ""
    nodes: tuple[str, ...] = ()


def fallback(last_good: t.Mapping[str, t.Mapping[str, t.Any]], failed: str, changed: bool) -> Fallback:
    """Return what to go back to.

    `last_good`: node -> what last passed the gate there; `failed`: the generation that did not pass; `changed`: whether
    this run started it. A plan that was just started and failed is not tried again; one that had been running unhealthy
    is.
    """
    known = {node: kept for node, kept in last_good.items() if kept}
    if not known:
        return Fallback(False, "nothing has passed the gate here before")
    ranks = Counter(str(kept["generation"]) for kept in known.values())
    whole = [kept for kept in known.values() if ranks[str(kept["generation"])] == kept["nnodes"]]
    if not whole:
        some = next(iter(known.values()))
        count = ranks[str(some["generation"])]
        return Fallback(False, f"only {count} of {some['nnodes']} ranks of the last good plan are known")
    if whole[0]["generation"] == failed and changed:
        return Fallback(False, "the plan that failed is the one that was good before")
    nodes = tuple(node for node, kept in known.items() if kept["generation"] == whole[0]["generation"])
    return Fallback(True, "", str(whole[0]["generation"]), str(whole[0]["model"]), nodes)

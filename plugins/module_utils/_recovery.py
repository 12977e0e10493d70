# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can serve after a failed start: the last good plan, if every rank of it is still known."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Fallback:
    """`usable`: the ranks of `generation` (profile `model`) can be started again; else `reason` says why not."""

    usable: bool
    reason: str
    generation: str = ""
    model: str = ""


def fallback(last_good: t.Mapping[str, t.Mapping[str, t.Any]], failed: str, changed: bool) -> Fallback:
    """Return what to go back to.

    `last_good`: node -> what last passed the gate there; `failed`: the generation that did not pass; `changed`: whether
    this run started it. A plan that was just started and failed is not tried again; one that had been running unhealthy
    is.
    """
    known = {node: kept for node, kept in last_good.items() if kept}
    if not known:
        return Fallback(False, "nothing has passed the gate here before")
    newest = max(known.values(), key=lambda kept: str(kept.get("accepted_at", "")))
    ranks = [kept for kept in known.values() if kept["generation"] == newest["generation"]]
    if len(ranks) < newest["nnodes"]:
        return Fallback(False, f"only {len(ranks)} of {newest['nnodes']} ranks of the last good plan are known")
    if newest["generation"] == failed and changed:
        return Fallback(False, "the plan that failed is the one that was good before")
    return Fallback(True, "", str(newest["generation"]), str(newest["model"]))

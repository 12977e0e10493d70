# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to become of every cluster, and what has: tables for people."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._text import duration
from ..server._status import table
from ._waves import Cluster, Rollout, halted

CHANGED, UNCHANGED, FAILED, REFUSED, NOT_REACHED = (
    "changed",
    "unchanged",
    "failed",
    "refused",
    "not reached",
)
# What serves after a failure.
BACK, DOWN, LEFT, UNKNOWN = "back", "down", "left", "unknown"


@dataclass(frozen=True)
class Report:
    """What one node reported of the bring-up of its cluster. Times in seconds since 1970, 0 when it never came so far.

    `failure`: why it failed, empty when it did not. `state`: what serves after a failure: the last good plan (of
    `model`) is `back`, everything is `down`, what was there was `left` alone, or that is `unknown`.
    """

    node: str
    began: float = 0.0
    ended: float = 0.0
    failure: str = ""
    state: str = LEFT
    model: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a cluster, in one word, with what serves after a failure, and in how many seconds."""

    cluster: str
    wave: str
    outcome: str
    seconds: int = 0
    reason: str = ""
    serves: str = ""

    @property
    def failed(self) -> bool:
        return self.outcome in (FAILED, REFUSED)


def outcome(rollout: Rollout, cluster: Cluster, reports: t.Sequence[Report]) -> Outcome:
    """Return what became of a cluster, from the reports of all its nodes; the first of them is believed first.

    A node that began and never ended was lost on the way (it can't be reached, or failed where nobody could catch it),
    and its cluster with it.
    """
    wave, begun = rollout.wave_of(cluster.name), [report for report in reports if report.began]
    if cluster.change.refused:
        return Outcome(cluster.name, wave, REFUSED, reason=cluster.change.refused)
    if not wave:
        return Outcome(cluster.name, wave, UNCHANGED)
    if not begun:
        return Outcome(cluster.name, wave, NOT_REACHED)
    lost = [report.node for report in reports if not report.ended]
    seconds = int(max(report.ended for report in reports) - min(report.began for report in begun))
    told = [report for report in reports if report.failure]
    if not told and not lost:
        return Outcome(cluster.name, wave, CHANGED, seconds)
    gone = (
        f"{', '.join(lost)} was lost on the way: it can't be reached, or failed outside of the bring-up."
        if lost
        else ""
    )
    reason = "\n".join(filter(None, (gone, _cause(told))))
    return Outcome(cluster.name, wave, FAILED, max(seconds, 0), reason, _serves(told, lost))


def _cause(told: t.Sequence[Report]) -> str:
    """Return the failure that says most: a node that only points to another one is believed last."""
    nodes = {report.node for report in told}
    ordered = sorted(told, key=lambda report: report.failure.removeprefix("See ").removesuffix(".") in nodes)
    return ordered[0].failure if ordered else ""


def _serves(told: t.Sequence[Report], lost: t.Sequence[str]) -> str:
    states = {report.state: report.model for report in told}
    if DOWN in states:
        return "nothing serves now"
    if BACK in states:
        return f"back to {states[BACK]} as it was"
    return "see status.yml for what serves" if lost or UNKNOWN in states else "what served was left alone"


def intention(rollout: Rollout) -> str:
    """Return what is going to happen, a line for each cluster, in the order of the waves."""
    rows = [
        (
            cluster.name,
            rollout.wave_of(cluster.name) or "-",
            str(len(cluster.nodes)),
            cluster.change.now or "-",
            cluster.change.wanted or "-",
            "refused" if cluster.change.refused else cluster.change.why or "nothing to do",
        )
        for cluster in rollout.in_order
    ]
    lines = [table(rows, ("CLUSTER", "WAVE", "NODES", "RUNS", "WANTED", "WHY"))]
    lines += [_story(name, why) for name, why in rollout.refused.items()]
    stop = halted(rollout, rollout.refused)
    return "\n".join([*lines, f"No wave is begun: {stop}."] if stop and rollout.waves else lines)


def summary(rollout: Rollout, outcomes: t.Sequence[Outcome], check: bool = False) -> str:
    """Return what became of every cluster. `check`: nothing was done, so it is what would have been changed."""
    words = {CHANGED: "would change"} if check else {}
    rows = [
        (
            item.cluster,
            item.wave or "-",
            ", ".join(filter(None, (words.get(item.outcome, item.outcome), item.serves))),
            duration(item.seconds) if item.seconds else "-",
        )
        for item in outcomes
    ]
    lines = [table(rows, ("CLUSTER", "WAVE", "OUTCOME", "TOOK"))]
    lines += [_story(item.cluster, item.reason) for item in outcomes if item.failed]
    stop = halted(rollout, [item.cluster for item in outcomes if item.failed])
    waiting = [item.cluster for item in outcomes if item.outcome == NOT_REACHED]
    if stop and waiting:
        lines.append(f"Not reached, since {stop}: {', '.join(waiting)}. The next run goes on there.")
    return "\n".join(lines)


def _story(cluster: str, reason: str) -> str:
    return f"{cluster}: " + reason.strip().replace("\n", "\n  ")

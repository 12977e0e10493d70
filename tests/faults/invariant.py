# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be true of a cluster after any fault: all ranks or none, and nobody who says otherwise. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.dgxspark.sglang.tests.faults.fault import (
    CLEANLY_STOPPED,
    REFUSED,
    SERVING_AGAIN,
    SERVING_AS_BEFORE,
)

# How a keeper's status begins when its rank serves, that of the head and that of a worker.
CLAIMS = ("Serves", "Runs")


@dataclass(frozen=True)
class Unit:
    """The keeper of a node as systemd shows it; empty where there is none."""

    active: str = ""
    sub: str = ""
    result: str = ""
    status: str = ""
    enabled: str = ""
    restarts: str = ""

    def says(self) -> str:
        """Return what a person is told by `systemctl status`."""
        return f"{self.active}/{self.sub}: {self.status}" if self.active else "no keeper"


@dataclass(frozen=True)
class Rank:
    """One node of the cluster: its container, its keeper, what it keeps as last good, and the locks on it."""

    node: str
    reachable: bool = True
    running: bool = False
    paused: bool = False
    generation: str = ""
    started_at: str = ""
    kept: str = ""
    unit: Unit = field(default_factory=Unit)
    locks: tuple[str, ...] = ()

    @property
    def kept_alive(self) -> bool:
        """Whether the keeper says that its rank serves."""
        return self.unit.active == "active" and self.unit.status.startswith(CLAIMS)


@dataclass(frozen=True)
class Look:
    """All nodes of a cluster `at` one moment, and what its API gave: tokens of a completion, or why there were none."""

    ranks: tuple[Rank, ...]
    tokens: int = 0
    error: str = ""
    at: float = 0.0

    @property
    def serving(self) -> bool:
        """Whether every rank runs the same generation and the API gives a real completion."""
        return self.tokens > 0 and _whole(self.ranks)

    @property
    def stopped(self) -> bool:
        """Whether no rank runs anywhere."""
        return not self.tokens and all(rank.reachable and not rank.running for rank in self.ranks)

    @property
    def starts(self) -> dict[str, str]:
        return {rank.node: rank.started_at for rank in self.ranks if rank.running}

    @property
    def words(self) -> str:
        """Return what the keepers say, for people."""
        return "; ".join(f"{rank.node} {rank.unit.says()}" for rank in self.ranks)


def _whole(ranks: t.Sequence[Rank]) -> bool:
    alive = all(rank.reachable and rank.running and not rank.paused for rank in ranks)
    return bool(ranks) and alive and len({rank.generation for rank in ranks}) == 1


def reached(ends: str, before: Look, now: Look) -> bool:
    """Whether the cluster has come to the end that a fault must have. `before`: as it was before the damage.

    A cluster serves when its keepers say so, too: they take over a moment after a run.
    """
    kept = all(rank.kept_alive for rank in now.ranks)
    if ends == SERVING_AS_BEFORE:
        return now.serving and now.starts == before.starts and kept
    if ends == SERVING_AGAIN:
        renewed = all(now.starts.get(node) != started for node, started in before.starts.items())
        return now.serving and renewed and kept
    if ends == CLEANLY_STOPPED:
        return now.stopped
    return ends == REFUSED and now.starts == before.starts and now.serving == before.serving


def violations(look: Look) -> list[str]:
    """Return what must never be, whatever was broken; empty when all is as it must be."""
    return [*_half(look), *_kept(look), *_units(look), *_locks(look)]


def _half(look: Look) -> t.Iterator[str]:
    lost = [rank.node for rank in look.ranks if not rank.reachable]
    if lost:
        yield f"can't be looked at: {', '.join(lost)}"
    running = [rank for rank in look.ranks if rank.running]
    if running and len(running) < len(look.ranks):
        idle = [rank.node for rank in look.ranks if not rank.running]
        yield f"half a cluster: {', '.join(rank.node for rank in running)} runs, {', '.join(idle)} does not"
    told = {rank.node: rank.generation for rank in running}
    if len(set(told.values())) > 1:
        yield f"different generations run: {told}"
    if any(rank.paused for rank in running):
        yield f"paused: {', '.join(rank.node for rank in running if rank.paused)}"
    if len(running) == len(look.ranks) and not look.tokens:
        yield f"every rank runs, and there is no completion: {look.error}"
    if not running and look.tokens:
        yield "no rank runs, and the API gives a completion"


def _kept(look: Look) -> t.Iterator[str]:
    kept = {rank.node: rank.kept for rank in look.ranks}
    if len(set(kept.values())) > 1:
        yield f"the nodes keep different last good plans: {kept}"
    elif look.serving and look.ranks[0].kept != look.ranks[0].generation:
        yield f"generation {look.ranks[0].generation} serves, and {look.ranks[0].kept or 'none'} is kept as last good"


def _units(look: Look) -> t.Iterator[str]:
    """The keepers of a serving cluster are active and say so; those of a stopped one claim nothing."""
    for rank in look.ranks:
        if look.serving and not rank.kept_alive:
            yield f"the cluster serves, and the keeper of {rank.node} says {rank.unit.says()}"
        if look.stopped and rank.kept_alive:
            yield f"the cluster is stopped, and the keeper of {rank.node} says {rank.unit.says()}"


def _locks(look: Look) -> t.Iterator[str]:
    for rank in look.ranks:
        if rank.locks:
            yield f"a lock is left on {rank.node}: {', '.join(rank.locks)}"

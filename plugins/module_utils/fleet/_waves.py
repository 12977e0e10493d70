# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which clusters of a fleet change, in which waves, and when no further wave is begun."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from .._errors import Problem, SparkError
from .._text import did_you_mean

CANARY = "canary"


@dataclass(frozen=True)
class Change:
    """What a run would change of a cluster, as its nodes came to know it.

    `now`, `wanted`: the model that runs and the one that is asked for. `why`: what is not as it should be, empty when
    nothing is to be done. `refused`: why nothing can be done; nobody touches the cluster then.
    """

    now: str = ""
    wanted: str = ""
    why: str = ""
    refused: str = ""


@dataclass(frozen=True)
class Cluster:
    """One cluster of the run: its nodes (those of the run), and what would change of it."""

    name: str
    nodes: tuple[str, ...]
    change: Change


@dataclass(frozen=True)
class Wave:
    """Clusters that are brought up side by side. `name`: canary, or 1, 2, ... in order."""

    name: str
    clusters: tuple[str, ...]


@dataclass(frozen=True)
class Rollout:
    """The whole intention. `failures`: with more failed clusters than that no further wave is begun; a `canary` that
    failed, or was refused, ends it in any case."""

    clusters: tuple[Cluster, ...]
    waves: tuple[Wave, ...]
    canary: str = ""
    failures: int = 0

    def public(self) -> dict[str, t.Any]:
        """Return it as data that JSON can hold; `restore` reads it."""
        return asdict(self)

    @property
    def refused(self) -> dict[str, str]:
        """Cluster -> why nothing is begun on it."""
        return {cluster.name: cluster.change.refused for cluster in self.clusters if cluster.change.refused}

    @property
    def in_order(self) -> tuple[Cluster, ...]:
        """The clusters as they have their turn; those that are in no wave at the end."""
        place = {name: number for number, wave in enumerate(self.waves) for name in wave.clusters}
        return tuple(
            sorted(self.clusters, key=lambda cluster: (place.get(cluster.name, len(self.waves)), cluster.name))
        )

    def wave_of(self, name: str) -> str:
        """Return the name of the wave that a cluster is in; empty for one that is in none."""
        return next((wave.name for wave in self.waves if name in wave.clusters), "")


@dataclass(frozen=True)
class Settings:
    """How to go about it: the cluster that goes first (empty: none; None: the first by name), how many clusters go
    side by side after it, and how many may fail."""

    canary: str | None = None
    size: int = 1
    failures: int = 0


def settings(canary: t.Any = None, size: t.Any = 1, failures: t.Any = 0) -> Settings:
    """Return the settings from what people wrote, where a number may be text (-e). Raises SparkError."""
    problems: list[Problem] = []
    numbers = []
    for name, value, least in (("rollout_size", size, 1), ("rollout_failures", failures, 0)):
        number = int(value) if not isinstance(value, bool) and str(value).strip().isdecimal() else -1
        if number < least:
            problems.append(Problem(f"{name} is {value!r}, needed is a whole number from {least} on.", "correct it."))
        numbers.append(number)
    if problems:
        raise SparkError(problems)
    return Settings(None if canary is None else str(canary), *numbers)


def gather(stated: t.Mapping[str, tuple[str, Change]]) -> tuple[Cluster, ...]:
    """Return the clusters by name, from node -> (its cluster, what it came to know). Raises SparkError.

    A cluster is refused when one of its nodes was; the others of its nodes may only say that somebody else failed.
    """
    homeless = sorted(node for node, (name, _change) in stated.items() if not name)
    if homeless:
        raise SparkError(
            f"{', '.join(homeless)} belong(s) to no cluster: spark_cluster is not set.",
            "set spark_cluster in the group variables of its cluster, to the name of that group.",
        )
    found: dict[str, dict[str, Change]] = {}
    for node, (name, change) in stated.items():
        found.setdefault(name, {})[node] = change
    return tuple(Cluster(name, tuple(found[name]), _worst(list(found[name].values()))) for name in sorted(found))


def _worst(changes: t.Sequence[Change]) -> Change:
    """Return what the nodes of a cluster say together: the first refusal, else the first reason to do something."""
    telling = (change for key in ("refused", "why") for change in changes if getattr(change, key))
    return next(telling, changes[0])


def plan(clusters: t.Sequence[Cluster], wishes: Settings) -> Rollout:
    """Return the waves: the canary alone, then batches by name. Raises SparkError for a canary that is no cluster.

    Clusters that run what is wanted, or are refused, are in no wave. A canary that is one of these is not replaced:
    what it was to prove is known, or it failed.
    """
    names = [cluster.name for cluster in clusters]
    canary = (names[:1] or [""])[0] if wishes.canary is None else wishes.canary
    if canary and canary not in names:
        raise SparkError(
            f"rollout_canary is {canary!r}, which is no cluster of this run. {did_you_mean(canary, names)}".strip(),
            "name a cluster of the run, or none: -e rollout_canary=",
        )
    needing = [cluster.name for cluster in clusters if cluster.change.why and not cluster.change.refused]
    first = [Wave(CANARY, (canary,))] if canary in needing else []
    rest = [name for name in needing if name != canary]
    batches = [tuple(rest[start : start + wishes.size]) for start in range(0, len(rest), wishes.size)]
    waves = [*first, *(Wave(str(number), batch) for number, batch in enumerate(batches, 1))]
    return Rollout(tuple(clusters), tuple(waves), canary, wishes.failures)


def restore(raw: t.Mapping[str, t.Any]) -> Rollout:
    """Return the rollout that `public` made data of."""
    clusters = (Cluster(item["name"], tuple(item["nodes"]), Change(**item["change"])) for item in raw["clusters"])
    waves = (Wave(item["name"], tuple(item["clusters"])) for item in raw["waves"])
    return Rollout(tuple(clusters), tuple(waves), raw["canary"], int(raw["failures"]))


def halted(rollout: Rollout, failed: t.Collection[str]) -> str:
    """Return why no further wave is begun, when these clusters have failed or were refused; empty to go on."""
    if rollout.canary in failed:
        return f"the canary {rollout.canary} failed"
    if len(failed) > rollout.failures:
        return f"{len(failed)} cluster(s) failed or were refused, and rollout_failures is {rollout.failures}"
    return ""

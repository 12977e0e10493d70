# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a cluster could serve a profile: judged as a plan would judge it, before anybody has chosen it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._errors import SparkError
from .._results import Result
from ..model._split import indivisible
from ..model._verdict import WEIGHTS
from ._access import Access
from ._catalogue import CLUSTER_SIZES, Profile
from ._memory import memory_of
from ._observe import parse_probe
from ._plan import serves
from ._request import Draft, Request, draft

YES, NO, UNKNOWN = "yes", "no", "unknown"
NOT_SEEN = "not all of its nodes could be looked at"
NO_SIZE = "its size is not known before it is here"
Folder = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Judgement:
    """Whether it fits on `ranks` nodes, the reasons against it, and the settings with which it would fit.

    `weights`: of a rank, in bytes; 0 for unknown.
    """

    fits: str
    reasons: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()
    ranks: int = 0
    weights: int = 0


def bare(request: Request) -> Request:
    """Return a request without what is no matter of a model: who gets at the API, and who is left out of this run."""
    return replace(request, secrets={}, access=Access(keyless=True), absent={})


def against_all(request: Request) -> tuple[str, ...]:
    """Return the reasons against every model: those against one that runs everywhere and asks for nothing."""
    name = "any"
    anything = {"identity": {"repo": name, "path": name}, "needs": {"nodes": list(CLUSTER_SIZES)}}
    try:
        draft(replace(request, model=name, models={**request.models, name: anything}))
    except SparkError as error:
        return tuple(problem.what for problem in error.problems)
    return ()


def judge_profile(
    request: Request, profile: Profile, looked: t.Mapping[str, Result | None], here: t.Mapping[str, Folder]
) -> Judgement:
    """Return whether the profile fits.

    `looked`: node -> what node_probe returned, whichever way that ended; `here`: node -> the model's folder as
    model_inventory tells it in detail, of the nodes that could be asked.
    """
    if profile.refused:
        return Judgement(NO, (f"refused: {profile.refused}",))
    try:
        drafted = draft(replace(request, model=profile.name))
    except SparkError as error:
        return Judgement(NO, tuple(problem.what for problem in error.problems))
    ranks = [node.name for node in drafted.placement.nodes]
    if not all(node in here for node in ranks):
        return Judgement(UNKNOWN, (NOT_SEEN,), ranks=len(ranks))
    # Where one node has it whole, a bring-up brings it from there to the others.
    best = next((here[node] for node in ranks if here[node]["complete"]), here[ranks[0]])
    return _fit(drafted, best, {node: looked.get(node) for node in ranks})


def _fit(drafted: Draft, folder: Folder, looked: t.Mapping[str, Result | None]) -> Judgement:
    probes = {node: parse_probe(node, result, {"models": [folder]}, None) for node, result in looked.items()}
    found = memory_of(drafted, probes)
    weights = next((-row["bytes"] for row in found.memory.get("terms", ()) if row["what"] == WEIGHTS), 0)
    plain = Judgement(YES, ranks=len(probes), weights=weights)
    if serves(drafted.profile.name, {node: probe.container for node, probe in probes.items()}):
        return plain
    split = indivisible(folder.get("config") or {}, drafted.tp_size, drafted.args)
    if split:
        return replace(plain, fits=NO, reasons=tuple(f"{why}, for {drafted.tp_size} ranks" for why in split))
    if found.problems:
        reasons = (found.why, *(problem.what for problem in found.problems))
        return replace(plain, fits=NO, reasons=tuple(filter(None, reasons)), ways=found.ways)
    if found.memory:
        return plain
    unseen = any(probe.error for probe in probes.values())
    return replace(plain, fits=UNKNOWN, reasons=(NOT_SEEN if unseen else NO_SIZE,))

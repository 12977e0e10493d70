# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The memory of a plan's nodes: whether the model fits beside what else they run, before anything is stopped for it.

SGLang takes its fraction of what is available when it starts, so instances that start one after the other take it of
what is left by those before them.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..model._fit import Fit, Model, Node, worst
from ..model._folder import ModelFolder
from ..model._verdict import Choices, Verdict, judge
from ._catalogue import alternatives, merge
from ._observe import Probe
from ._request import Draft

# Flags that quantise what is not quantised on disk.
_QUANTISING = ("quantization", "modelopt_quant", "torchao_config")
ONLY_SIZE = "memory: the model is not here yet, so only the size of its download is checked."
# With one of these SGLang starts ranks of unequal memory (0.5.23; 0.5.4.post2).
_UNBALANCED = {
    "SGLANG_ENABLE_TP_MEMORY_INBALANCE_CHECK": ("0", "false"),
    "SGL_DISABLE_TP_MEMORY_INBALANCE_CHECK": ("1", "true"),
}


def memory_of(drafted: Draft, probes: t.Mapping[str, Probe], before: t.Sequence[Draft] = ()) -> Verdict:
    """Return the verdict over the nodes of the plan; an empty one where they could not be looked at.

    `before`: the instances that this run brings up before this one. What of them runs already is in the nodes' memory;
    for the others it is reserved what they will take.
    """
    looked = [probes[node.name] for node in drafted.placement.nodes]
    folder = looked[0].model
    if folder is None or any(probe.error or not probe.memory.get("total") for probe in looked):
        return Verdict()
    try:
        model = _model(drafted, folder)
        waiting = [item for item in before if _waits(item, probes)]
        nodes, choices = _nodes(drafted, probes, waiting), _choices(drafted)
        verdict = judge(drafted.profile.name, nodes, model, choices, _unbalanced(drafted))
        if verdict.problems and waiting:
            choices = replace(choices, elsewhere=tuple(_lower(drafted, probes, waiting, model)))
            verdict = judge(drafted.profile.name, nodes, model, choices, _unbalanced(drafted))
    except (TypeError, ValueError):  # a flag that is no number, and no flag table of that version to say so
        return Verdict()
    here = folder.complete
    return verdict if here or not model.bytes else replace(verdict, warnings=(ONLY_SIZE,), lines=verdict.lines[:1])


def _model(drafted: Draft, folder: ModelFolder | None) -> Model:
    here = folder if folder and folder.complete else None
    quantising = any(drafted.args.get(flag) for flag in _QUANTISING)
    return Model(
        config=here.config if here else {},
        weights=here.weights if here else {},
        bytes=here.bytes if here else drafted.profile.disk * 10**9,
        args=drafted.args,
        sglang=drafted.image.sglang,
        nodes=drafted.placement.nnodes,
        tp=drafted.tp_size,
        gpu=drafted.request.gpus == "all",
        shrinks=bool(here and not here.quantization and quantising),
    )


def _nodes(drafted: Draft, probes: t.Mapping[str, Probe], waiting: t.Iterable[Draft]) -> list[Node]:
    """Return the memory of the plan's nodes when those of `waiting` have started."""
    taken = _started(waiting, probes)[1]
    return [_node(probes[node.name], taken[node.name]) for node in drafted.placement.nodes]


def _started(waiting: t.Iterable[Draft], probes: t.Mapping[str, Probe]) -> tuple[list[Fit], dict[str, dict[str, int]]]:
    """Return the terms of instances that start one after the other, and node -> instance -> what it has taken then.

    They don't run, so nothing comes back from them; what is to be replaced after them still runs then.
    """
    taken: dict[str, dict[str, int]] = {name: {} for name in probes}
    fits = []
    for item in waiting:
        names = [node.name for node in item.placement.nodes]
        nodes = [replace(_node(probes[name], taken[name]), held=0) for name in names]
        fit = worst(nodes, _model(item, probes[names[0]].beside.get(item.request.instance)))
        for name in names:
            taken[name][item.request.instance] = int(min(fit.node.free, fit.node.free - fit.left))
        fits.append(fit)
    return fits, taken


def _node(probe: Probe, reserved: t.Mapping[str, int]) -> Node:
    held = probe.memory.get("held", 0) if probe.container.get("running") else 0
    others = dict(probe.memory.get("others", {}))
    return Node(probe.node, probe.memory["total"], probe.memory["available"], held, others, dict(reserved))


def _waits(drafted: Draft, probes: t.Mapping[str, Probe]) -> bool:
    """Whether an instance has still to start, on nodes whose memory is known."""
    own = [probes[node.name] for node in drafted.placement.nodes]
    known = not any(probe.error or not probe.memory.get("total") for probe in own)
    return known and not any(drafted.request.instance in probe.running for probe in own)


def _lower(drafted: Draft, probes: t.Mapping[str, Probe], waiting: t.Sequence[Draft], model: Model) -> t.Iterator[str]:
    """Return the highest fraction of each instance before this one with which all of them fit; where none alone is
    enough, those of all of them, lowered by the same share."""

    def fitting(changed: t.Sequence[int]) -> str:
        for share in range(99, 0, -1):
            team = [_less(item, share) if number in changed else item for number, item in enumerate(waiting)]
            if worst(_nodes(drafted, probes, team), model).fits:
                settled = all(fit.fits for fit in _started(team, probes)[0])
                return " with ".join(_said(team[number]) for number in changed) if settled else ""
        return ""

    alone = [way for way in (fitting([number]) for number in range(len(waiting))) if way]
    together = fitting(range(len(waiting))) if not alone and len(waiting) > 1 else ""
    yield from alone or filter(None, [together])


def _less(item: Draft, share: int) -> Draft:
    fraction = float(item.args["mem_fraction_static"]) * share / 100
    return replace(item, args={**item.args, "mem_fraction_static": int(fraction * 100) / 100})


def _said(item: Draft) -> str:
    return f"{item.request.prefix}args: {{mem_fraction_static: {item.args['mem_fraction_static']}}}"


def _choices(drafted: Draft) -> Choices:
    request, profile = drafted.request, drafted.profile
    available = len(request.nodes)
    limit = profile.versions.get(drafted.image.sglang)
    sizes = tuple(size for size in (limit.nodes if limit else profile.nodes) if size <= available)
    others = alternatives(profile, request.models, available)
    return Choices(sizes, tuple(other.name for other in others), prefix=request.prefix)


def _unbalanced(drafted: Draft) -> bool:
    env = merge(drafted.profile.env, drafted.request.env)
    return any(str(env.get(name, "")).lower() in values for name, values in _UNBALANCED.items())

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the memory of the nodes says to a model: the refusal with its terms and what would fit, or the terms alone."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._errors import Problem
from .._text import gib
from ._fit import BEFORE, RESERVE, TIER, Fit, Model, Node, evaluate, worst
from ._weights import unrecognised

# The highest fraction that is proposed: people run Sparks at 0.85 to 0.92, and 0.95 has reset one (beastllama/
# GLM-5.3-Flash-DFlash2-SGLang-2x-DGX-Spark).
BOUND = 0.88
# SGLang refuses to start when one rank has less than this part of another's memory (init_torch_distributed).
BALANCE = 0.9
NOT_HERE = "whether it fits into memory is not checked: its weights are not here yet."
WEIGHTS = "weights of a rank"  # its term
_STEP = 1024
_SHOWN = 0.05  # GiB; smaller terms are not worth a line
_UNSURE = 0.05  # of the weights in tensors that no rule knows


@dataclass(frozen=True)
class Verdict:
    """`memory`: the terms as data, in bytes, empty where nothing could be computed.

    `why`: what it lacks, in one clause, and `ways`: the nearest settings that fit, each by itself; empty when it fits.
    """

    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    memory: t.Mapping[str, t.Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    why: str = ""
    ways: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choices:
    """What else a person could ask for: larger clusters, other profiles of the same model, and settings of other
    instances that leave enough. `prefix`: what the settings of this one begin with."""

    nodes: tuple[int, ...] = ()
    alternatives: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    prefix: str = "server_"


def judge(name: str, nodes: t.Sequence[Node], model: Model, choices: Choices, unbalanced: bool = False) -> Verdict:
    """Return whether `name` fits on these nodes. `unbalanced`: whether the engine was told not to mind it."""
    if not model.bytes and not model.weights:
        return Verdict(warnings=(NOT_HERE,))
    fit = worst(nodes, model)
    refused = not (fit.fits or model.shrinks)
    why, more = _why(fit, model) if refused else ("", "")
    ways = tuple(_ways(fit, model, choices)) if refused else ()
    problems = [Problem(_refusal(name, fit, model, why + more), _advice(ways, choices))] if refused else []
    if model.gpu and model.tp > 1 and not unbalanced:
        problems += _balance(nodes)
    memory = {
        "node": fit.node.name,
        "fraction": model.fraction,
        "terms": terms(fit, model),
        "left": int(fit.left),
        "tokens": fit.tokens,
        "context": fit.context,
        "requests": round(fit.requests, 2),
        "bytes_per_token": round(fit.cache.token, 1),
    }
    told = tuple(_warnings(fit, model)), memory, tuple(_lines(fit, model))
    return Verdict(tuple(problems), *told, why, ways)


def terms(fit: Fit, model: Model) -> list[dict[str, t.Any]]:
    """Return the terms of a rank, in the order in which the engine takes them: free memory, and what leaves it."""
    node = fit.node
    used = f"{gib(node.total - node.available)} of {gib(node.total)} are in use"
    others = ", ".join(f"{name} {gib(size)}" for name, size in node.others.items() if size)
    used += f", by other instances: {others}" if others else ""
    used += f"; {gib(node.held)} come back from the server that is replaced" if node.held > 0 else ""
    cache = f"KV cache: {fit.tokens:,} tokens" if fit.known else f"KV cache: not computed ({fit.cache.unknown})"
    rows = [(f"free on {node.name} ({used})", node.found)]
    rows += [(f"instance {name}, which starts before it", -float(size)) for name, size in node.reserved.items()]
    rows += [("processes, CUDA context, NCCL", -BEFORE)] if model.gpu else []
    rows += [(WEIGHTS, -fit.weights), (cache, fit.state - fit.pool if fit.known else -fit.pool)]
    rows += [("states of linear layers", -fit.state)] if fit.state else []
    rows += [(what, -size) for what, size in fit.outside.items() if size]
    return [{"what": what, "bytes": int(size)} for what, size in rows]


def _why(fit: Fit, model: Model) -> tuple[str, str]:
    """Return in one clause what it lacks, and what more a person may want to know of it."""
    gives = f"mem_fraction_static {model.fraction} of {gib(fit.start)} gives {gib(fit.static)} on {fit.node.name}"
    if fit.rest <= 0:
        return f"a rank's weights need {gib(fit.weights)}, and {gives}", ""
    if not fit.tier_fits:
        return f"beside weights and cache there is no room for {gib(fit.outside[TIER])} of hierarchical cache", ""
    if not fit.state_fits:
        return "its linear layers have no room for the state of one request beside the weights", f": {gives}"
    need, left = fit.needed * fit.cache.token, max(0.0, fit.rest - fit.state)
    return (
        f"one request of {fit.needed:,} tokens needs {gib(need)} of KV cache, and {gib(left)} are left for it",
        f": {gives}, of which the weights take {gib(fit.weights)}",
    )


def _refusal(name: str, fit: Fit, model: Model, why: str) -> str:
    rows = [(row["bytes"] / 2**30, row["what"]) for row in terms(fit, model)]
    table = "\n".join(f"  {size:8.1f} GiB  {what}" for size, what in rows if abs(size) >= _SHOWN)
    return f"{name} does not fit on {model.nodes} node(s): {why}.\n{table}"


def _advice(ways: t.Sequence[str], choices: Choices) -> str:
    """Return the nearest settings that fit, each by itself, then profiles of close relatives that need less."""
    told = []
    if ways:
        told.append(f"any one of these fits: {'; '.join(ways)}." if len(ways) > 1 else f"this fits: {ways[0]}.")
    if choices.alternatives:
        told.append(f"A relative needs less: {choices.prefix}model: {' or '.join(choices.alternatives)}.")
    return " ".join(told) or "use more nodes, or a smaller or stronger quantised model."


def _ways(fit: Fit, model: Model, choices: Choices) -> t.Iterator[str]:
    shorter = _context(fit, model)
    if shorter:
        yield f"context_length: {shorter}"
    higher, narrow = _fraction(fit, model), _with(model, kv_cache_dtype="fp8_e4m3")
    narrower = fit.cache.element >= 2 and evaluate(fit.node, narrow).fits
    if higher:
        yield f"mem_fraction_static: {higher}"
    if narrower:
        yield "kv_cache_dtype: fp8_e4m3"
    if not higher and not narrower and _fraction(fit, narrow):
        yield f"kv_cache_dtype: fp8_e4m3 with mem_fraction_static: {_fraction(fit, narrow)}"
    for count in sorted(choices.nodes):
        pp = model.split.pp
        if count > model.nodes and count % pp == 0:
            more = replace(model, nodes=count, tp=count // pp)
            if evaluate(fit.node, more).fits:
                yield f"{choices.prefix}nodes: {count}"
                break
    yield from choices.elsewhere
    yield from _stopped(fit, model)


def _stopped(fit: Fit, model: Model) -> t.Iterator[str]:
    """Return the running instance that it takes to stop; all of them where none alone is enough."""
    others = {name: size for name, size in fit.node.others.items() if size}
    alone = [name for name, size in others.items() if _beside(fit, size, model)]
    if alone:
        yield f"instance {' or '.join(alone)} stopped"
    elif len(others) > 1 and _beside(fit, sum(others.values()), model):
        yield f"instances {' and '.join(others)} stopped"


def _beside(fit: Fit, size: int, model: Model) -> bool:
    return evaluate(replace(fit.node, available=fit.node.available + size), model).fits


def _fraction(fit: Fit, model: Model) -> float:
    """Return the lowest fraction in hundredths that fits and that people run; 0 for none."""
    for percent in range(int(model.fraction * 100) + 1, int(BOUND * 100) + 1):
        if evaluate(fit.node, _with(model, mem_fraction_static=percent / 100)).fits:
            return percent / 100
    return 0


def _context(fit: Fit, model: Model) -> int:
    """Return the longest context that fits, in whole 1024s; 0 for none."""
    longest = fit.tokens // _STEP * _STEP
    return longest if fit.known and fit.rest > 0 and fit.state_fits and longest < fit.needed else 0


def _with(model: Model, **flags: t.Any) -> Model:
    return replace(model, args={**model.args, **flags})


def _balance(nodes: t.Sequence[Node]) -> list[Problem]:
    """Return the refusal of SGLang's own: ranks whose memory differs by more than a tenth."""
    if any(node.held < 0 for node in nodes):
        return []
    least, most = min(nodes, key=lambda node: node.free), max(nodes, key=lambda node: node.free)
    if least.free >= most.free * BALANCE:
        return []
    return [
        Problem(
            f"{least.name} has {gib(least.free)} of free memory, {most.name} {gib(most.free)}: SGLang starts no rank"
            f" that has less than {BALANCE} of another's.",
            f"end what else holds memory on {least.name}; a crashed engine's comes back with a reboot at the latest.",
        )
    ]


def _warnings(fit: Fit, model: Model) -> t.Iterator[str]:
    if model.shrinks:
        does = "fits" if fit.fits else "does not fit"
        yield f"memory: its weights become smaller while they load; as they are on disk it {does}."
    if not fit.known:
        yield f"memory: the KV cache could not be computed ({fit.cache.unknown}); only the weights are checked."
    if unrecognised(model.weights) > _UNSURE:
        share = round(unrecognised(model.weights) * 100)
        yield f"memory: {share} % of the weights are in tensors of unknown purpose, counted as split over the ranks."
    if model.args.get("speculative_draft_model_path"):
        yield "memory: the weights and cache of the draft model are not counted."
    if fit.known and fit.fits and fit.needed < fit.context and fit.tokens < fit.context:
        yield f"the cache holds {fit.tokens:,} tokens: no request can use the model's whole context of {fit.context:,}."
    if model.gpu and fit.fits and fit.left < RESERVE:
        yield (
            f"memory: about {gib(max(0.0, fit.left))} are left for the system on {fit.node.name}, wanted are"
            f" {gib(RESERVE)}: a Spark that runs out hangs. Lower mem_fraction_static, or set max_total_tokens."
        )


def _lines(fit: Fit, model: Model) -> t.Iterator[str]:
    """Return the terms in lines for people."""
    least = f", {fit.node.name} has the least" if model.nodes > 1 else ""
    yield (
        f"  memory of a rank: {model.fraction} of {gib(fit.start)}{least}: weights {gib(fit.weights)}, cache"
        f" {gib(fit.pool)}; about {gib(max(0.0, fit.left))} are left for the system"
    )
    if fit.known:
        yield (
            f"  KV cache: {fit.tokens:,} tokens of {fit.cache.token / 1024:.1f} KiB a rank,"
            f" {fit.requests:.1f} requests of {fit.context:,} tokens at once"
        )

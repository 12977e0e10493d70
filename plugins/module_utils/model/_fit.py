# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a model fits into the memory of its nodes: weights, cache for what was asked, and what the engine needs.

SGLang on GB10 counts from MemAvailable as it is once the ranks have met (get_available_gpu_memory, 0.5.4.post2 and
0.5.23), the least of all ranks. Weights and cache get mem_fraction_static of that, not of the machine's memory: what
other servers hold lowers it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ._config import Config, context
from ._kv_cache import MAMBA_RATIO, MAMBA_SLOTS, Cache, cache, has_own_draft, kv_heads
from ._weights import Split, rank_bytes

GIB = 2**30
# Processes, CUDA context and NCCL before the weights: an idle Spark has 113.07 GiB available (XuehaiPan/nvitop#208),
# SGLang found 111.47 on one in a cluster (log of DeepSeek-V4.1-Flash on three Sparks, 2026-09-11).
BEFORE = int(1.6 * GIB)
# CUDA graphs: 0.58 (the same log, 4 sizes), 1.05 and 1.26 GiB (Ornith 9B on a Spark, 0.5.14): the largest.
GRAPHS = int(1.3 * GIB)
# Of prefill: 5.30 GiB for chunks of 8224 tokens, 1.39 for 2048 (MiaAI-Lab/DeepSeek-v4-Flash-One-DGX-Spark#4).
ACTIVATION = 5.3 * GIB / 8224
CHUNK = 8192  # SGLang's chunked_prefill_size for 90 to 160 GiB of GPU memory, in both versions
# Below 4 to 6 GiB available a Spark stops answering rather than killing a process (open-gpu-kernel-modules#1358).
RESERVE = 4 * GIB
# The machine's own, where what the replaced server holds can't be told: 121.69 GiB less those 113.07.
SYSTEM = int(8.6 * GIB)
# SGLang's default for the most running requests, which sizes its table of 4 bytes for each of their tokens.
REQUESTS = (2048, 4096)
HIERARCHY = 2.0  # hicache_ratio, of the pool on the GPU
TIER = "hierarchical cache"  # its term
_SUFFIXES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9}


@dataclass(frozen=True)
class Node:
    """One node's memory in bytes. `held`: what the server to be replaced gives back, -1 for unknown.

    `others`: what other servers of this collection hold; `reserved`: what others will have taken that start first.
    """

    name: str
    total: int
    available: int
    held: int = 0
    others: t.Mapping[str, int] = field(default_factory=dict)
    reserved: t.Mapping[str, int] = field(default_factory=dict)

    @property
    def found(self) -> float:
        """What is there now and when the replaced server has ended; at most that when it can't be told."""
        return self.available + self.held if self.held >= 0 else self.total - SYSTEM - sum(self.others.values())

    @property
    def free(self) -> float:
        """What is there when the new server starts."""
        return self.found - sum(self.reserved.values())


@dataclass(frozen=True)
class Model:
    """What is served and how. `weights`: group -> bytes, empty for unknown; `bytes`: of all weights.

    `shrinks`: whether the engine quantises the weights while it loads them: they take less than on disk then.
    """

    config: Config
    weights: t.Mapping[str, int]
    bytes: int
    args: t.Mapping[str, t.Any]
    sglang: str
    nodes: int = 1
    tp: int = 1
    gpu: bool = True
    shrinks: bool = False

    @property
    def split(self) -> Split:
        pp = max(1, self.nodes // self.tp)
        groups = int(self.args.get("dp_size") or 1) if self.args.get("enable_dp_attention") else 1
        return Split(self.tp, pp, int(self.args.get("attn_dp_size") or groups), kv_heads(self.config))

    @property
    def fraction(self) -> float:
        return float(self.args["mem_fraction_static"])

    def number(self, name: str) -> int:
        """Return a flag that is a number; 0 when it is not set. 0.5.23 takes 32k and 32Ki, too."""
        text = str(self.args.get(name) or 0)
        suffix = next((end for end in _SUFFIXES if text.endswith(end)), "")
        return int(float(text.removesuffix(suffix)) * _SUFFIXES.get(suffix, 1))


@dataclass(frozen=True)
class Fit:
    """The terms of one rank, in bytes. `tokens`: how many the cache holds; `needed` of them must be held.

    `requests_with_state`: for how many there is room in the pool of linear layers; -1 for a model without any.
    """

    node: Node
    start: float
    static: float
    weights: float
    rest: float
    cache: Cache
    state: float = 0
    requests_with_state: int = -1
    context: int = 0
    needed: int = 0
    tokens: int = 0
    outside: t.Mapping[str, float] = field(default_factory=dict)

    @property
    def pool(self) -> float:
        """What the cache takes. Where it can't be computed it is whatever the fraction leaves."""
        return self.tokens * self.cache.token + self.state if self.known else max(0.0, self.rest)

    @property
    def known(self) -> bool:
        return not self.cache.unknown

    @property
    def left(self) -> float:
        return self.start - self.weights - self.pool - sum(self.outside.values())

    @property
    def fits(self) -> bool:
        return self.rest > 0 and self.tier_fits and (not self.known or (self.tokens >= self.needed and self.state_fits))

    @property
    def tier_fits(self) -> bool:
        """SGLang allocates the second tier of the cache at the start, and ends where there is no room for it."""
        return not self.outside.get(TIER) or self.left >= 0

    @property
    def state_fits(self) -> bool:
        return self.requests_with_state != 0

    @property
    def requests(self) -> float:
        """How many requests of the whole context the cache holds at once."""
        held = self.tokens / self.context if self.context else 0.0
        return min(held, self.requests_with_state) if self.requests_with_state >= 0 else held


def evaluate(node: Node, model: Model) -> Fit:
    """Return the terms of a rank on this node."""
    start = max(0.0, node.free - (BEFORE if model.gpu else 0))
    static, split = start * model.fraction, model.split
    by_group = rank_bytes(model.weights, split, has_own_draft(model.args))
    weights = by_group if model.weights else model.bytes / (split.tp * split.pp)
    per = cache(model.config, model.args, split, model.sglang)
    asked, limit = model.number("context_length"), model.number("max_total_tokens")
    length = asked or context(model.config)
    fit = Fit(node, start, static, weights, static - weights, per, context=length)
    state, running = _state(fit.rest, per, model)
    tokens = int(max(0.0, fit.rest - state) / per.token) if per.token else 0
    tokens = min(tokens, limit) if limit else tokens
    # A context that nobody asked for is the model's own, up to millions of tokens: SGLang serves what it has room for.
    needed = min(asked, limit) if asked and limit else asked or min(limit, length)
    return replace(
        fit,
        state=state,
        requests_with_state=running,
        needed=needed or 1,
        tokens=tokens,
        outside=_outside(model, tokens, length, tokens * per.token + state) if model.gpu else {},
    )


def _state(rest: float, per: Cache, model: Model) -> tuple[float, int]:
    """Return the bytes of the pool of linear layers, which SGLang cuts off the rest first, and its requests."""
    if not per.slot:
        return 0.0, -1
    each = 1 if model.args.get("disable_radix_cache") else MAMBA_SLOTS
    drafted = model.number("speculative_num_draft_tokens") if model.args.get("speculative_algorithm") else 0
    cost = per.slot * (1 + drafted / each)
    slots = model.number("max_mamba_cache_size") or (model.number("max_running_requests") if each == 1 else 0)
    if not slots:
        ratio = float(model.args.get("mamba_full_memory_ratio") or MAMBA_RATIO)
        slots = int(max(0.0, rest) * ratio / (1 + ratio) / cost)
    return slots * cost, slots // each


def _outside(model: Model, tokens: int, length: int, pool: float) -> dict[str, float]:
    """Return what the engine needs beside weights and cache."""
    flags = model.args
    eager = flags.get("disable_cuda_graph") or flags.get("disable_decode_cuda_graph")
    eager = eager or flags.get("cuda_graph_backend_decode") == "disabled"
    least, most = REQUESTS
    running = model.number("max_running_requests")
    running = running or min(most, max(least, int(tokens / length * 512) if length else 0))
    chunk = model.number("chunked_prefill_size")
    # Its second tier is the host's memory, which is the same memory here.
    tier = model.number("hicache_size") * 1e9 or float(flags.get("hicache_ratio") or HIERARCHY) * pool
    return {
        "CUDA graphs": 0.0 if eager else GRAPHS,
        "activations": ACTIVATION * (chunk if chunk > 0 else CHUNK),
        "request table": 4.0 * running * length,
        TIER: tier if flags.get("enable_hierarchical_cache") else 0.0,
    }


def worst(nodes: t.Sequence[Node], model: Model) -> Fit:
    """Return the terms of the node with the least memory: SGLang makes its pools of the same size everywhere."""
    return evaluate(min(nodes, key=lambda node: node.free), model)

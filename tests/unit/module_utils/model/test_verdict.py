# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.model._fit import BEFORE, GIB, Model, Node
from ansible_collections.dgxspark.sglang.plugins.module_utils.model._verdict import (
    NOT_HERE,
    Choices,
    Verdict,
    judge,
)
from ansible_collections.dgxspark.sglang.tests.unit.builders import CONFIG, NEW, shown

NOTHING_ELSE = Choices()


def node(number: int = 1, free: float = 100, **changes: t.Any) -> Node:
    """Return a node on which the engine finds `free` GiB."""
    return Node(**{"name": f"spark-0{number}", "total": 120 * GIB, "available": int(free * GIB + BEFORE), **changes})


def verdict(
    size: float = 30,
    *nodes: Node,
    choices: Choices = NOTHING_ELSE,
    config: dict[str, t.Any] | None = None,
    gpu: bool = True,
    unbalanced: bool = False,
    weights: t.Mapping[str, int] | None = None,
    **args: t.Any,
) -> Verdict:
    """Return the verdict over a model of `size` GiB at half of the free memory, of which a token costs 32 KiB."""
    looked = nodes or (node(),)
    count = len(looked)
    held = {"mlp": int(size * GIB)} if weights is None else weights
    flags = {"mem_fraction_static": 0.5, **args}
    model = Model(CONFIG if config is None else config, held, int(size * GIB), flags, NEW, count, count, gpu)
    return judge("tiny", looked, model, choices, unbalanced)


def refusal(*args: t.Any, **more: t.Any) -> tuple[str, str]:
    (problem,) = shown(verdict(*args, **more).problems)
    return problem


def test_what_fits_is_told_in_two_lines() -> None:
    found = verdict(context_length=65536, max_running_requests=10)
    assert (found.problems, found.warnings) == ((), ())
    assert found.lines == (
        "  memory of a rank: 0.5 of 100.0 GiB: weights 30.0 GiB, cache 20.0 GiB; about 43.4 GiB are left for the"
        " system",
        "  KV cache: 655,360 tokens of 32.0 KiB a rank, 10.0 requests of 65,536 tokens at once",
    )


def test_the_terms_are_data_too() -> None:
    memory = verdict(context_length=65536, max_running_requests=10).memory
    assert {key: value for key, value in memory.items() if key not in ("terms", "left")} == {
        "node": "spark-01",
        "fraction": 0.5,
        "tokens": 655360,
        "context": 65536,
        "requests": 10.0,
        "bytes_per_token": 32768.0,
    }
    assert [row["what"] for row in memory["terms"]] == [
        "free on spark-01 (18.4 GiB of 120.0 GiB are in use)",
        "processes, CUDA context, NCCL",
        "weights of a rank",
        "KV cache: 655,360 tokens",
        "CUDA graphs",
        "activations",
        "request table",
    ]
    assert sum(row["bytes"] for row in memory["terms"]) == pytest.approx(memory["left"], abs=8)


def test_too_heavy_weights_are_refused_with_the_terms() -> None:
    what, hint = refusal(60, max_running_requests=1)
    assert what == "\n".join(
        [
            "tiny does not fit on 1 node(s): a rank's weights need 60.0 GiB, and mem_fraction_static 0.5 of 100.0 GiB"
            " gives 50.0 GiB on spark-01.",
            "     101.6 GiB  free on spark-01 (18.4 GiB of 120.0 GiB are in use)",
            "      -1.6 GiB  processes, CUDA context, NCCL",
            "     -60.0 GiB  weights of a rank",
            "      -1.3 GiB  CUDA graphs",
            "      -5.3 GiB  activations",
        ]
    )
    assert hint == "this fits: mem_fraction_static: 0.61."


def test_a_context_without_room_is_refused_with_what_would_fit() -> None:
    what, hint = refusal(
        30, choices=Choices((1, 2, 4), ("smaller", "smallest")), context_length=700000, max_running_requests=1
    )
    assert what.startswith(
        "tiny does not fit on 1 node(s): one request of 700,000 tokens needs 21.4 GiB of KV cache, and 20.0 GiB are"
        " left for it: mem_fraction_static 0.5 of 100.0 GiB gives 50.0 GiB on spark-01, of which the weights take 30.0"
        " GiB.\n"
    )
    assert hint == (
        "any one of these fits: context_length: 655360; mem_fraction_static: 0.52; kv_cache_dtype: fp8_e4m3;"
        " server_nodes: 2. A relative needs less: server_model: smaller or smallest."
    )


@pytest.mark.parametrize(
    ("size", "more", "hint"),
    [
        pytest.param(
            60,
            {"context_length": 1200000},
            "this fits: kv_cache_dtype: fp8_e4m3 with mem_fraction_static: 0.79.",
            id="two together where none alone",
        ),
        pytest.param(95, {}, "use more nodes, or a smaller or stronger quantised model.", id="nothing fits"),
        pytest.param(95, {"choices": Choices((1, 2, 4))}, "this fits: server_nodes: 2.", id="more nodes"),
        pytest.param(
            95, {"choices": Choices((), ("small",))}, "A relative needs less: server_model: small.", id="a relative"
        ),
    ],
)
def test_the_nearest_settings(size: float, more: dict[str, t.Any], hint: str) -> None:
    assert refusal(size, **more)[1] == hint


def test_a_context_is_proposed_in_whole_1024s() -> None:
    assert "context_length: 653312;" in refusal(30.05, context_length=700000)[1]


@pytest.mark.parametrize(
    ("others", "told", "hint"),
    [
        pytest.param({"chat": 60}, "chat 60.0 GiB", "this fits: instance chat stopped.", id="one"),
        pytest.param(
            {"chat": 60, "embed": 3},
            "chat 60.0 GiB, embed 3.0 GiB",
            "this fits: instance chat stopped.",
            id="the one that is enough",
        ),
        pytest.param(
            {"chat": 50, "code": 45},
            "chat 50.0 GiB, code 45.0 GiB",
            "this fits: instance chat or code stopped.",
            id="either",
        ),
        pytest.param(
            {"chat": 25, "code": 20},
            "chat 25.0 GiB, code 20.0 GiB",
            "this fits: instances chat and code stopped.",
            id="only all of them",
        ),
    ],
)
def test_the_other_instances_may_be_what_is_too_much(others: dict[str, int], told: str, hint: str) -> None:
    what, way = refusal(45, node(free=50, others={name: size * GIB for name, size in others.items()}))
    assert f"68.4 GiB of 120.0 GiB are in use, by other instances: {told}" in what
    assert way == hint


def test_what_starts_before_is_taken_from_what_is_free_and_named() -> None:
    found = verdict(30, node(reserved={"chat": 80 * GIB}), choices=Choices(elsewhere=("server_args: {x: 1}",)))
    assert [row["what"] for row in found.memory["terms"]][1] == "instance chat, which starts before it"
    assert sum(row["bytes"] for row in found.memory["terms"]) == pytest.approx(found.memory["left"], abs=8)
    (problem,) = found.problems
    assert "mem_fraction_static 0.5 of 20.0 GiB gives 10.0 GiB" in problem.what
    assert problem.hint == "this fits: server_args: {x: 1}."


def test_what_comes_back_from_the_replaced_server_is_told() -> None:
    what = refusal(60, node(free=20, held=80 * GIB))[0]
    assert "free on spark-01 (98.4 GiB of 120.0 GiB are in use; 80.0 GiB come back from the server that is" in what


def test_linear_layers_without_room_for_a_request_are_refused() -> None:
    linear = {
        **CONFIG,
        "layer_types": ["linear_attention", "full_attention"] * 8,
        "linear_num_value_heads": 32,
        "linear_value_head_dim": 128,
        "linear_num_key_heads": 16,
        "linear_key_head_dim": 128,
    }
    what = refusal(30, config=linear, max_mamba_cache_size=2)[0]
    assert "its linear layers have no room for the state of one request beside the weights" in what
    assert [row["what"] for row in verdict(30, config=linear).memory["terms"]].count("states of linear layers") == 1


def test_more_nodes_keep_the_stages() -> None:
    model = Model(CONFIG, {"mlp": 70 * GIB}, 70 * GIB, {"mem_fraction_static": 0.3}, NEW, nodes=2, tp=1)
    found = judge("tiny", [node(), node(2)], model, Choices((1, 2, 4)))
    assert "server_nodes: 4" in found.problems[0].hint


def test_ranks_of_unequal_memory_are_refused_as_sglang_would() -> None:
    unequal = (node(), node(2, free=80))
    assert shown(verdict(30, *unequal).problems) == [
        (
            "spark-02 has 81.6 GiB of free memory, spark-01 101.6 GiB: SGLang starts no rank that has less than 0.9 of"
            " another's.",
            "end what else holds memory on spark-02; a crashed engine's comes back with a reboot at the latest.",
        )
    ]
    assert verdict(30, *unequal, unbalanced=True).problems == ()
    assert verdict(30, *unequal, gpu=False).problems == ()
    assert verdict(30, node(), node(2, free=95)).problems == ()
    assert verdict(30, node(), node(2, free=0, held=-1)).problems == ()


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        pytest.param(
            {"config": {**CONFIG, "compress_ratios": [1, 4]}},
            "memory: the KV cache could not be computed (compressed attention (DeepSeek-V4)); only the weights are"
            " checked.",
            id="an unknown cache",
        ),
        pytest.param(
            {"weights": {"mlp": 27 * GIB, "other": 3 * GIB}},
            "memory: 10 % of the weights are in tensors of unknown purpose, counted as split over the ranks.",
            id="unknown tensors",
        ),
        pytest.param(
            {"speculative_draft_model_path": "/x"},
            "memory: the weights and cache of the draft model are not counted.",
            id="a draft model",
        ),
        pytest.param(
            {"config": {**CONFIG, "max_position_embeddings": 2**20}},
            "the cache holds 655,360 tokens: no request can use the model's whole context of 1,048,576.",
            id="less than the model's own context",
        ),
        pytest.param(
            {"mem_fraction_static": 0.92},
            "memory: about 1.4 GiB are left for the system on spark-01, wanted are 4.0 GiB: a Spark that runs out"
            " hangs. Lower mem_fraction_static, or set max_total_tokens.",
            id="too little for the system",
        ),
    ],
)
def test_what_a_person_should_know(more: dict[str, t.Any], warning: str) -> None:
    found = verdict(30, **{"max_running_requests": 1, **more})
    assert (found.problems, list(found.warnings)) == ((), [warning])


def test_a_limit_on_the_tokens_keeps_memory_free() -> None:
    assert verdict(30, mem_fraction_static=0.92, max_total_tokens=131072, max_running_requests=1).warnings == ()


def test_without_weights_nothing_is_judged() -> None:
    found = verdict(0, weights={})
    assert (found.problems, found.warnings, found.memory) == ((), (NOT_HERE,), {})


def test_an_unknown_cache_has_no_line_of_its_own() -> None:
    assert len(verdict(30, config={}).lines) == 1


def test_what_it_lacks_is_told_in_a_clause_and_the_ways_by_themselves() -> None:
    found = verdict(60, context_length=4096)
    assert found.why.startswith("a rank's weights need 60.0 GiB, and mem_fraction_static ")
    assert found.why in found.problems[0].what
    assert found.ways
    assert [way for way in found.ways if way not in found.problems[0].hint] == []


def test_what_fits_lacks_nothing() -> None:
    assert (verdict(30).why, verdict(30).ways) == ("", ())

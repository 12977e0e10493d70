# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The memory in the plan: which of its values count, and that nothing is refused that runs."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.model._verdict import NOT_HERE, Verdict
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._memory import ONLY_SIZE, memory_of
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._observe import Probe
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._plan import finish
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._request import Draft, draft
from ansible_collections.dgxspark.sglang.tests.unit.builders import MODELS, folder, probes, request

GIB = 2**30
RUNNING = {"running": True, "ours": True, "name": "sglang", "model": "tiny"}


def verdict(count: int = 1, size: int = 40 * GIB, asked: t.Any = None, **changes: t.Any) -> Verdict:
    """Return the verdict over weights of `size` bytes on nodes of 120 GiB, of which 110 are available."""
    looked = {"model": folder(bytes=size), **changes}
    return memory_of(draft(request(count, **(asked or {}))), probes(count, **looked))


def memory(**changes: t.Any) -> dict[str, t.Any]:
    return {"total": 120 * GIB, "available": 110 * GIB, "held": 0, "others": {}, **changes}


def test_the_terms_of_a_model_that_fits() -> None:
    found = verdict()
    assert (found.problems, found.warnings) == ((), ())
    assert found.memory["context"] == 4096
    assert [row["bytes"] / GIB for row in found.memory["terms"]][:3] == pytest.approx([110, -1.6, -40])


def test_the_ranks_share_the_weights() -> None:
    assert len(verdict(1, 100 * GIB).problems) == 1
    assert verdict(2, 100 * GIB).problems == ()


@pytest.mark.parametrize(
    ("args", "refused"),
    [({}, False), ({"mem_fraction_static": 0.3}, True), ({"context_length": 10**7}, True)],
    ids=str,
)
def test_the_arguments_of_the_inventory_count(args: dict[str, t.Any], refused: bool) -> None:
    assert bool(verdict(asked={"args": args}).problems) is refused


def test_pipeline_stages_are_no_ranks_of_a_layer() -> None:
    found = verdict(2, asked={"args": {"pp_size": 2}})
    assert found.memory["bytes_per_token"] == 16384


def test_without_a_gpu_there_is_nothing_of_it() -> None:
    rows = verdict(asked={"gpus": "none"}).memory["terms"]
    assert [row["what"].partition(" ")[0] for row in rows] == ["free", "weights", "KV"]


def test_what_the_instance_holds_counts_while_it_runs() -> None:
    full = memory(available=10 * GIB, held=100 * GIB)
    assert verdict(memory=full, container=RUNNING).problems == ()
    assert len(verdict(memory=full, container={**RUNNING, "running": False}).problems) == 1


def test_what_others_hold_is_told() -> None:
    crowded = memory(available=20 * GIB, others={"chat": 80 * GIB})
    (problem,) = verdict(memory=crowded).problems
    assert "by other instances: chat 80.0 GiB" in problem.what
    assert problem.hint == "this fits: instance chat stopped."


def test_the_hint_knows_the_cluster_and_the_catalogue() -> None:
    relatives = {"tiny": {**MODELS["tiny"], "needs": {"nodes": [1, 2, 4], "alternatives": ["small"]}}}
    models = {**relatives, "small": MODELS["tiny"]}
    (problem,) = verdict(2, 150 * GIB, {"models": models, "node_count": 1}).problems
    assert problem.hint == "this fits: server_nodes: 2. A relative needs less: server_model: small."


@pytest.mark.parametrize(
    "env",
    [{"SGLANG_ENABLE_TP_MEMORY_INBALANCE_CHECK": "0"}, {"SGL_DISABLE_TP_MEMORY_INBALANCE_CHECK": "true"}],
    ids=str,
)
def test_unequal_nodes_are_refused_unless_the_engine_was_told_not_to_mind(env: dict[str, str]) -> None:
    nodes = {**probes(2), "spark-02": probes(2, memory=memory(available=60 * GIB))["spark-02"]}
    assert len(memory_of(draft(request(2)), nodes).problems) == 1
    assert memory_of(draft(request(2, env=env)), nodes).problems == ()


@pytest.mark.parametrize(
    ("args", "quantization", "refused"),
    [
        pytest.param({}, "", True, id="as on disk"),
        pytest.param({"quantization": "fp8"}, "", False, id="quantised while it loads"),
        pytest.param({"quantization": "fp8"}, "fp8", True, id="quantised on disk"),
    ],
)
def test_weights_that_shrink_are_not_refused_for_their_size_on_disk(
    args: dict[str, t.Any], quantization: str, refused: bool
) -> None:
    found = verdict(asked={"args": args}, model=folder(bytes=100 * GIB, quantization=quantization))
    assert bool(found.problems) is refused
    assert any("as they are on disk it does not fit" in warning for warning in found.warnings) is (not refused)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"error": "can't be reached"}, id="a node that was not seen"),
        pytest.param({"memory": {}}, id="unknown memory"),
        pytest.param({"model": None}, id="no look at the model"),
    ],
)
def test_what_was_not_seen_is_not_judged(changes: dict[str, t.Any]) -> None:
    assert verdict(**changes) == Verdict()


@pytest.mark.parametrize(
    ("disk", "warning", "refused"),
    [
        pytest.param(0, NOT_HERE, False, id="unknown"),
        pytest.param(80, ONLY_SIZE, False, id="small enough"),
        pytest.param(100, ONLY_SIZE, True, id="too large"),
    ],
)
def test_a_model_that_is_not_here_is_judged_by_its_download(disk: int, warning: str, refused: bool) -> None:
    models = {"tiny": {**MODELS["tiny"], "needs": {"nodes": [1], "disk": disk}}}
    found = verdict(asked={"models": models}, model=folder(complete=False, problems=("a",), bytes=0, weights={}))
    assert (found.warnings, bool(found.problems)) == ((warning,), refused)


def test_a_flag_that_is_no_number_is_not_judged_here() -> None:
    assert verdict(asked={"sglang": "0.6.0", "args": {"mem_fraction_static": "much"}}) == Verdict()


def heavy(**changes: t.Any) -> dict[str, Probe]:
    return probes(2, model=folder(bytes=300 * GIB), **changes)


def test_the_plan_refuses_before_anything_stops() -> None:
    with pytest.raises(SparkError, match=r"tiny does not fit on 2 node\(s\): a rank's weights need 150.0 GiB"):
        finish(draft(request(2)), heavy())


def test_memory_is_told_together_with_the_other_problems() -> None:
    with pytest.raises(SparkError) as caught:
        finish(draft(request(2)), heavy(docker_error="Docker is down."))
    assert [problem.what.split("\n")[0][:19] for problem in caught.value.problems] == [
        "spark-01: Docker is",
        "spark-02: Docker is",
        "tiny does not fit o",
    ]


def test_what_runs_as_planned_is_not_refused() -> None:
    generation = finish(draft(request(2)), probes(2))["generation"]
    runs = {**RUNNING, "generation": generation}
    assert finish(draft(request(2)), heavy(container=runs))["generation"] == generation
    with pytest.raises(SparkError):
        finish(draft(request(2)), heavy(container={**runs, "running": False}))


def test_a_plan_that_is_not_complete_yet_refuses_no_server_of_the_same_model() -> None:
    """Before a bring-up has installed the MoE configs, its generation is another one than the server's."""
    runs = {**RUNNING, "generation": "with-configs", "model": "tiny"}
    assert finish(draft(request(2)), heavy(container=runs), strict=False)["model"] == "tiny"
    for other in ({**runs, "model": "another"}, {**runs, "running": False}):
        with pytest.raises(SparkError, match="does not fit"):
            finish(draft(request(2)), heavy(container=other), strict=False)


def test_the_plan_has_the_terms_and_the_warnings() -> None:
    plan = finish(draft(request(1)), probes(1, model=folder(config={})))
    assert plan["memory"]["node"] == "spark-01"
    assert plan["warnings"] == [
        "memory: the KV cache could not be computed (config.json without the shape of the attention); only the weights"
        " are checked."
    ]


TEAM = {**MODELS, "big": {**MODELS["tiny"], "needs": {"nodes": [1, 2], "disk": 40}}}


def drafted(instance: str = "embed", count: int = 1, **asked: t.Any) -> Draft:
    return draft(
        request(count, **{"instance": instance, "models": TEAM, "prefix": f"server_instances.{instance}.", **asked})
    )


def chat(count: int = 1, fraction: float = 0.75, **args: t.Any) -> Draft:
    """Return an instance of weights of 40 GiB that is brought up first."""
    return drafted("chat", count, model="big", prefix="server_", args={"mem_fraction_static": fraction, **args})


def beside(count: int = 1, size: int = 40 * GIB, **changes: t.Any) -> dict[str, Probe]:
    """Return nodes that know the model of chat, too."""
    return probes(count, **{"beside": {"chat": folder(bytes=size)}, "memory": memory(), **changes})


def first_terms(found: Verdict) -> dict[str, float]:
    return {row["what"].partition(" (")[0]: row["bytes"] / GIB for row in found.memory["terms"][:2]}


def test_an_instance_that_starts_before_takes_its_share_first() -> None:
    """1.6 before the weights, 0.75 of 108.4 for weights and cache, graphs, activations and the request table."""
    reserved = {"free on spark-01": 110.0, "instance chat, which starts before it": pytest.approx(-89.5, abs=0.1)}
    assert first_terms(memory_of(drafted(), beside(), [chat()])) == reserved


def test_of_a_model_that_is_not_here_the_whole_fraction_is_reserved() -> None:
    """Without its config.json neither context nor requests are known, so no table of them."""
    reserved = {"free on spark-01": 110.0, "instance chat, which starts before it": pytest.approx(-89.5, abs=1.1)}
    assert first_terms(memory_of(drafted(), probes(1, memory=memory()), [chat()])) == reserved


def test_a_cache_that_is_bounded_leaves_more() -> None:
    small = memory_of(drafted(), beside(), [chat(max_total_tokens=8192)])
    assert first_terms(small)["instance chat, which starts before it"] == pytest.approx(-48.5, abs=0.2)


def test_what_runs_already_is_measured_and_not_reserved() -> None:
    found = beside(running=frozenset({"chat"}), memory=memory(available=30 * GIB, others={"chat": 80 * GIB}))
    rows = memory_of(drafted(), found, [chat()]).memory["terms"]
    assert [row["what"].partition(" (")[0] for row in rows][1] == "processes, CUDA context, NCCL"
    assert "by other instances: chat 80.0 GiB" in rows[0]["what"]


def test_one_after_the_other_takes_of_what_is_left() -> None:
    second = drafted("code", args={"mem_fraction_static": 0.5})
    rows = memory_of(drafted(), beside(), [chat(), second]).memory["terms"]
    assert [row["what"] for row in rows][1:3] == [
        "instance chat, which starts before it",
        "instance code, which starts before it",
    ]
    left = 110 + rows[1]["bytes"] / GIB - 1.6
    assert rows[2]["bytes"] / GIB == pytest.approx(-(1.6 + 0.5 * left + 1.3 + 5.3), abs=0.1)


def test_a_refusal_says_which_instance_takes_what_and_what_would_leave_enough() -> None:
    (problem,) = memory_of(drafted(), beside(model=folder(bytes=20 * GIB)), [chat()]).problems
    assert "GiB  instance chat, which starts before it" in problem.what
    assert "server_args: {mem_fraction_static: 0." in problem.hint
    fraction = float(problem.hint.partition("mem_fraction_static: ")[2].partition("}")[0])
    fits = memory_of(drafted(), beside(model=folder(bytes=20 * GIB)), [chat(fraction=fraction)])
    not_yet = memory_of(drafted(), beside(model=folder(bytes=20 * GIB)), [chat(fraction=fraction + 0.01)])
    assert (fits.problems, len(not_yet.problems)) == ((), 1)


def test_the_settings_of_a_further_instance_go_by_its_name() -> None:
    (problem,) = memory_of(drafted(count=2, node_count=1), probes(2, model=folder(bytes=150 * GIB))).problems
    assert problem.hint == "this fits: server_instances.embed.nodes: 2."


def test_no_fraction_is_proposed_with_which_the_first_one_would_not_fit() -> None:
    (problem,) = memory_of(drafted(), beside(size=60 * GIB, model=folder(bytes=60 * GIB)), [chat()]).problems
    assert "server_args" not in problem.hint


def test_where_no_fraction_alone_is_enough_those_of_all_are_lowered() -> None:
    second = drafted("code", model="big", args={"mem_fraction_static": 0.9})
    nodes = beside(size=4 * GIB, model=folder(bytes=60 * GIB))
    nodes = {"spark-01": replace(nodes["spark-01"], beside={"chat": folder(bytes=4 * GIB), "code": folder(bytes=GIB)})}
    (problem,) = memory_of(drafted(), nodes, [chat(), second]).problems
    first, _with, other = problem.hint.partition(" with ")
    assert first.startswith("this fits: server_args: {mem_fraction_static: 0.")
    assert other.startswith("server_instances.code.args: {mem_fraction_static: 0.")
    fractions = [float(text.partition("static: ")[2].partition("}")[0]) for text in (first, other)]
    less = [chat(fraction=fractions[0]), drafted("code", model="big", args={"mem_fraction_static": fractions[1]})]
    assert memory_of(drafted(), nodes, less).problems == ()


def test_what_the_replaced_server_holds_is_still_held_when_the_first_one_starts() -> None:
    found = beside(container=RUNNING, memory=memory(available=70 * GIB, held=40 * GIB))
    rows = memory_of(drafted(), found, [chat()]).memory["terms"]
    assert rows[0]["bytes"] == 110 * GIB
    assert rows[1]["bytes"] / GIB == pytest.approx(-59.5, abs=0.2)


def test_the_first_one_may_have_nodes_that_this_one_has_not() -> None:
    """It takes as much everywhere as its node with the least memory lets it."""
    nodes = {**beside(2), "spark-02": beside(2, memory=memory(available=60 * GIB))["spark-02"]}
    rows = memory_of(drafted(node_count=1, count=2), nodes, [chat(2)]).memory["terms"]
    assert rows[0]["what"].startswith("free on spark-01")
    assert rows[1]["bytes"] / GIB == pytest.approx(-52.0, abs=0.3)


def test_an_instance_whose_node_could_not_be_looked_at_is_not_guessed() -> None:
    nodes = {**beside(2), "spark-02": beside(2, error="is away", memory={})["spark-02"]}
    assert (
        memory_of(drafted(node_count=1, count=2), nodes, [chat(2)]).memory["terms"][1]["what"].startswith("processes")
    )

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import asdict, replace

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._container import build
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._observe import Probe, parse_probe, problems_of
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._plan import finish, state_for
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._request import draft
from ansible_collections.dgxspark.sglang.tests.unit.builders import (
    CONFIG,
    IMAGE_ID,
    MODELS,
    OTHER_ID,
    folder,
    observed,
    probe,
    probe_result,
    probes,
    rail_pair,
    request,
    server_params,
    shown,
)

MODEL_RESULT = {"models": [asdict(folder())]}
IMAGE_RESULT = {"image_id": IMAGE_ID, "sglang": "0.5.23"}
REACH = "check its power, network and ssh; every node of a cluster is needed."
LEFT_OUT = "mend what failed before, and run it on all nodes of the cluster at once."
OURS = observed(build(server_params(), IMAGE_ID, {})).public()


def found(changes: dict[str, t.Any], *, strict: bool = True, count: int = 2, **asked: t.Any) -> list[tuple[str, str]]:
    """Return the problems of a cluster whose second node (or only one) has these changes."""
    nodes = probes(count)
    last = f"spark-0{count}"
    nodes[last] = probe(count, **changes)
    return shown(problems_of(draft(request(count, **asked)), nodes, strict))


def test_a_probe_joins_what_the_three_modules_say() -> None:
    parsed = parse_probe("spark-01", probe_result(image_digests=["sha256:1"]), MODEL_RESULT, IMAGE_RESULT)
    assert parsed == Probe(
        node="spark-01",
        image_id=IMAGE_ID,
        image_digests=("sha256:1",),
        image_sglang="0.5.23",
        interfaces=rail_pair(),
        memory={"total": 128849018880, "available": 118111600640},
        state={"path": "/etc/dgxspark-sglang", "room": 2**40},
        model=folder(),
    )


def test_lists_of_a_result_become_comparable_again() -> None:
    """Results are JSON: their lists must not make equal folders differ."""
    listed = {**asdict(folder()), "problems": [], "missing": [], "truncated": []}
    assert parse_probe("spark-01", probe_result(), {"models": [listed]}, IMAGE_RESULT).model == folder()


def test_before_the_image_role_ran_its_version_is_not_known() -> None:
    assert parse_probe("spark-01", probe_result(), MODEL_RESULT, None).image_sglang == ""


@pytest.mark.parametrize(
    ("results", "error", "hint"),
    [
        pytest.param(
            (None, MODEL_RESULT, IMAGE_RESULT),
            "has no result of node_probe: --limit leaves it out, or it failed earlier in this run.",
            LEFT_OUT,
            id="left out",
        ),
        pytest.param(
            ({"unreachable": True, "msg": "No route to host \n"}, None, None),
            "can't be reached: No route to host",
            REACH,
            id="unreachable",
        ),
        pytest.param(
            ({"failed": True, "msg": "no ip.", "hint": "install iproute2."}, MODEL_RESULT, IMAGE_RESULT),
            "failed in node_probe: no ip.",
            "install iproute2.",
            id="failed probe",
        ),
        pytest.param(
            (probe_result(), {"failed": True, "msg": "boom"}, IMAGE_RESULT),
            "failed in model_inventory: boom",
            "",
            id="failed look at the model",
        ),
        pytest.param(
            (probe_result(), MODEL_RESULT, {"failed": True, "msg": "no registry", "hint": "check the network."}),
            "failed in sglang_image: no registry",
            "check the network.",
            id="failed pull",
        ),
    ],
)
def test_a_look_that_failed_is_the_node_s_error(results: tuple[t.Any, t.Any, t.Any], error: str, hint: str) -> None:
    parsed = parse_probe("spark-01", *results)
    assert (parsed.error, parsed.hint) == (error, hint)


def test_healthy_nodes_have_no_problem() -> None:
    assert found({}) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"error": "failed in sglang_image: x", "hint": "docker login."},
            ("spark-02 failed in sglang_image: x", "docker login."),
            id="not seen",
        ),
        pytest.param(
            {"docker_error": "Docker does not answer on this node: x"},
            ("spark-02: Docker does not answer on this node: x", ""),
            id="Docker is down",
        ),
        pytest.param(
            {"state": {"path": "/srv/state", "room": 4096}},
            (
                "spark-02: /srv/state has 4 KiB free, needed are 1024 KiB for the plan and its secrets.",
                "make room there (df -h /srv/state on the node names the file system).",
            ),
            id="no room for the plan",
        ),
        pytest.param(
            {"gpu_runtime": False},
            (
                "spark-02: Docker knows no NVIDIA runtime, so no container gets the GPU.",
                "install nvidia-container-toolkit and restart Docker (DGX OS ships it).",
            ),
            id="no NVIDIA runtime",
        ),
        pytest.param(
            {"container": observed().public()},
            (
                "spark-02: a container named sglang exists that this collection did not make.",
                "rename or remove it, or choose another name with server_instance; it is not touched.",
            ),
            id="foreign container",
        ),
        pytest.param(
            {"ports": {"30000": {"pid": 4711, "process": "ollama", "container": ""}}},
            ("spark-02: port 30000 is taken by ollama (pid 4711).", "stop it, or choose another server_port."),
            id="port taken by a process",
        ),
        pytest.param(
            {"ports": {"30000": {"pid": 4711, "process": "python3", "container": "vllm"}}},
            ("spark-02: port 30000 is taken by container vllm (pid 4711).", "stop it, or choose another server_port."),
            id="port taken by a container",
        ),
        pytest.param(
            {"ports": {"30000": {"pid": 0, "process": "", "container": ""}}},
            ("spark-02: port 30000 is taken by somebody (pid unknown).", "stop it, or choose another server_port."),
            id="port taken by somebody we can't see",
        ),
        pytest.param(
            {"model": folder(complete=False, problems=("/srv/models/tiny/tiny-1b lacks the shard b.safetensors",))},
            (
                "spark-02: /srv/models/tiny/tiny-1b lacks the shard b.safetensors.",
                "on spark-02: hf download example/tiny --local-dir /srv/models/tiny/tiny-1b",
            ),
            id="incomplete model",
        ),
        pytest.param(
            {"image_id": ""},
            ("Image example/sglang:v0.5.23 is not on spark-02.", "run the role image first (site.yml does)."),
            id="no image",
        ),
        pytest.param(
            {"image_id": OTHER_ID},
            (
                "example/sglang:v0.5.23 is not the same image on every node (spark-01 5a9d1c1f1a0b,"
                " spark-02 aaaabbbbcccc).",
                "pull it anew everywhere with -e image_pull=always, or pin it by digest in server_image.",
            ),
            id="different image IDs",
        ),
        pytest.param(
            {"image_sglang": "0.5.21"},
            (
                "example/sglang:v0.5.23 has SGLang 0.5.21, the plan was made for 0.5.23.",
                "set server_sglang: 0.5.21 (its flags are checked then), or choose another image.",
            ),
            id="another SGLang in the image",
        ),
    ],
)
def test_a_fault_of_one_node_is_told_with_the_next_step(changes: dict[str, t.Any], expected: tuple[str, str]) -> None:
    assert found(changes) == [expected]


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        pytest.param({"docker_error": "no SDK", "sdk_missing": True}, {}, id="the SDK is installed by the role host"),
        pytest.param({"gpu_runtime": False}, {"gpus": "none"}, id="an engine on CPU needs no GPU runtime"),
        pytest.param(
            {"gpu_runtime": False, "sdk_missing": True}, {}, id="without the SDK nobody asked for the runtime"
        ),
        pytest.param({"container": OURS}, {}, id="our own container"),
        pytest.param(
            {"ports": {"30000": {"pid": 1, "process": "python3", "container": "sglang"}}}, {}, id="our own listener"
        ),
        pytest.param(
            {"ports": {"50000": {"pid": 1, "process": "x", "container": ""}}},
            {},
            id="the dist port is the head's alone",
        ),
        pytest.param({"model": None}, {}, id="a model that nobody looked at"),
        pytest.param({"image_sglang": ""}, {}, id="an image of unknown version"),
    ],
)
def test_what_is_no_fault(changes: dict[str, t.Any], asked: dict[str, t.Any]) -> None:
    assert found(changes, **asked) == []


DIFFERENT = (
    "example/sglang:v0.5.23 is not the same image on every node (spark-01 5a9d1c1f1a0b, spark-02 aaaabbbbcccc).",
    "pull it anew everywhere with -e image_pull=always, or pin it by digest in server_image.",
)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(("sha256:1",), ("sha256:1",), [], id="one digest"),
        pytest.param(("sha256:1", "sha256:2"), ("sha256:2", "sha256:3"), [], id="one digest of several"),
        pytest.param(("sha256:1",), ("sha256:2",), [DIFFERENT], id="different digests"),
        pytest.param(("sha256:1",), (), [DIFFERENT], id="one was built on its node"),
        pytest.param((), (), [DIFFERENT], id="none"),
    ],
)
def test_a_registry_s_digest_makes_different_ids_the_same_image(
    first: tuple[str, ...], second: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    looked = {
        "spark-01": probe(1, image_digests=first),
        "spark-02": probe(2, image_digests=second, image_id=OTHER_ID),
    }
    assert shown(problems_of(draft(request(2)), looked, True)) == expected


def test_an_incomplete_model_is_told_without_its_size() -> None:
    broken = folder(complete=False, problems=("a",), bytes=200 * 2**30)
    assert [what for what, hint in found({"model": broken})] == ["spark-02: a."]


@pytest.mark.parametrize("changes", [{"image_id": ""}, {"image_id": OTHER_ID}, {"image_sglang": "0.5.21"}], ids=str)
def test_before_the_image_is_pulled_its_faults_do_not_count(changes: dict[str, t.Any]) -> None:
    assert found(changes, strict=False) == []


def test_the_dist_port_of_the_head_must_be_free() -> None:
    nodes = {**probes(2), "spark-01": probe(1, ports={"50000": {"pid": 7, "process": "x", "container": ""}})}
    assert shown(problems_of(draft(request(2)), nodes, True)) == [
        ("spark-01: port 50000 is taken by x (pid 7).", "stop it, or choose another server_dist_port.")
    ]


def test_the_watch_port_may_be_that_of_our_own_keeper() -> None:
    owner = {"pid": 7, "process": "spark-keeper", "container": "", "unit": "dgxspark-sglang@sglang.service"}
    assert found({"ports": {"40000": owner}}) == []
    assert found({"ports": {"40000": {**owner, "unit": "dgxspark-sglang@other.service"}}}) == [
        ("spark-02: port 40000 is taken by spark-keeper (pid 7).", "stop it, or choose another server_watch_port.")
    ]


def test_a_lone_rank_needs_no_dist_port() -> None:
    assert found({"ports": {"50000": {"pid": 7, "process": "x", "container": ""}}}, count=1) == []


def test_the_download_hint_names_the_pinned_revision() -> None:
    pinned = {"tiny": {**MODELS["tiny"], "identity": {**MODELS["tiny"]["identity"], "revision": "abc123"}}}
    broken = {"model": folder(complete=False, problems=("the folder x does not exist",))}
    assert found(broken, models=pinned) == [
        (
            "spark-02: the folder x does not exist.",
            "on spark-02: hf download example/tiny --revision abc123 --local-dir /srv/models/tiny/tiny-1b",
        )
    ]


def test_faults_of_all_nodes_are_told_at_once_and_before_those_of_the_image() -> None:
    nodes = {
        "spark-01": probe(1, docker_error="Docker is down.", image_id=""),
        "spark-02": probe(2, gpu_runtime=False, model=folder(complete=False, problems=("a", "b"))),
    }
    assert [what for what, hint in shown(problems_of(draft(request(2)), nodes, True))] == [
        "spark-01: Docker is down.",
        "spark-02: Docker knows no NVIDIA runtime, so no container gets the GPU.",
        "spark-02: a.",
        "spark-02: b.",
    ]


def alive(generation: str = "gggg", running: bool = True) -> dict[str, t.Any]:
    return {"running": running, "generation": generation}


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        pytest.param([{}, {}], "started", id="none is there"),
        pytest.param([alive(), alive()], "started", id="all run"),
        pytest.param([alive(), alive(running=False)], "restarted", id="one died"),
        pytest.param([alive(), {}], "restarted", id="one is gone"),
        pytest.param([alive(), alive("other")], "restarted", id="one is of another generation"),
        pytest.param([alive(running=False), alive(running=False)], "started", id="all died"),
        pytest.param([alive("other"), alive("other")], "started", id="all are of another generation"),
        pytest.param([alive()], "started", id="a lone rank"),
    ],
)
def test_ranks_restart_together_or_not_at_all(containers: list[dict[str, t.Any]], expected: str) -> None:
    assert state_for("gggg", {str(number): item for number, item in enumerate(containers)}) == expected


def lines(nodes: dict[str, Probe], **asked: t.Any) -> list[str]:
    return t.cast("list[str]", finish(draft(request(len(nodes), **asked)), nodes)["lines"])


HEADLINE = "alpha/sglang: tiny on 2 node(s), TP=2, SGLang 0.5.23 from example/sglang:v0.5.23, memory fraction 0.75"


def test_the_plan_reads_as_what_will_serve_where_and_what_changes() -> None:
    assert lines(probes(2)) == [
        HEADLINE,
        "  rank 0 spark-01 at 192.168.100.11 on enp1s0f1np1: create and start",
        "  rank 1 spark-02 at 192.168.100.12 on enp1s0f1np1: create and start",
        "  memory of a rank: 0.75 of 108.4 GiB, spark-01 has the least: weights 512.0 MiB, cache 80.8 GiB;"
        " about 20.5 GiB are left for the system",
        "  KV cache: 5,295,308 tokens of 16.0 KiB a rank, 1292.8 requests of 4,096 tokens at once",
    ]


def test_a_lone_rank_has_no_fabric_address_to_show() -> None:
    assert lines(probes(1))[1] == "  rank 0 spark-01: create and start"


def test_idle_nodes_and_warnings_are_shown() -> None:
    nodes = probes(2, image_sglang="0.6.0")
    assert lines(nodes, node_count=1, sglang="0.6.0")[4:] == [
        "  spark-02: idle, this model does not need it",
        "  note: flags are not checked: there is no table for SGLang 0.6.0 (there are 0.5.23).",
    ]


@pytest.mark.parametrize(
    ("mine", "peer", "expected"),
    [
        pytest.param({"running": True}, {"running": True}, "nothing, it runs as planned", id="runs"),
        pytest.param({"running": False}, {"running": False}, "start", id="all stopped"),
        pytest.param({"running": True}, {"running": False}, "restart with the others", id="the peer is down"),
        pytest.param({"running": False}, {"running": True}, "start (all ranks restart)", id="this one is down"),
    ],
)
def test_the_change_of_a_rank_in_words(mine: dict[str, t.Any], peer: dict[str, t.Any], expected: str) -> None:
    generation = finish(draft(request(2)), probes(2))["generation"]
    base = {**OURS, "generation": generation}
    nodes = {"spark-01": probe(1, container={**base, **mine}), "spark-02": probe(2, container={**base, **peer})}
    assert lines(nodes)[1] == f"  rank 0 spark-01 at 192.168.100.11 on enp1s0f1np1: {expected}"


def test_a_replacement_names_the_old_model_and_both_generations() -> None:
    generation = finish(draft(request(1)), probes(1))["generation"]
    old = {**OURS, "generation": "0ld0ld0ld0ld", "model": "glm47"}
    assert lines({"spark-01": probe(1, container=old)})[1] == (
        f"  rank 0 spark-01: replace glm47 (generation 0ld0ld0ld0ld -> {generation})"
    )


@pytest.mark.parametrize(
    ("changes", "shown_as"),
    [
        pytest.param({"revision": "b" * 40}, "revision", id="revision"),
        pytest.param({"bytes": 7}, "bytes 1073741824 and 7", id="size"),
        pytest.param({"config": {**CONFIG, "rope_theta": 1}}, "two different config.json", id="config.json"),
    ],
)
def test_ranks_with_different_models_are_refused(changes: dict[str, t.Any], shown_as: str) -> None:
    first = folder(revision="a" * 40)
    nodes = {"spark-01": probe(1, model=first), "spark-02": probe(2, model=replace(first, **changes))}
    (problem,) = problems_of(draft(request(2)), nodes, strict=True)
    assert problem.what.startswith("spark-01 and spark-02 have different models in /srv/models/tiny/tiny-1b: ")
    assert shown_as in problem.what
    assert problems_of(draft(request(2)), nodes, strict=False) == []


def test_a_model_that_can_t_be_split_is_refused() -> None:
    nodes = probes(2, model=folder(config={**CONFIG, "num_attention_heads": 5}))
    (problem,) = problems_of(draft(request(2)), nodes, strict=True)
    assert problem.what == "tiny can't be split over 2 ranks: it has 5 attention heads."

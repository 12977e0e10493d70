# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._access import Access
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._placement import Node
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._plan import finish
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._request import Request, draft
from ansible_collections.dgxspark.sglang.tests.unit.builders import (
    CONTAINER,
    IMAGE_ID,
    MODELS,
    NEW,
    OLD,
    OTHER_ID,
    folder,
    nodes,
    probe,
    probes,
    rail_pair,
    request,
    shown,
    table,
)

PARALLEL = "leave tp_size out (it follows from the nodes), or set server_nodes to the nodes that it needs."
LIMIT = (
    "a server spans its whole cluster: run with --limit alpha or without a limit, or take spark-02 out of the group."
)
FABRIC = {
    "GLOO_SOCKET_IFNAME": "enp1s0f1np1",
    "TP_SOCKET_IFNAME": "enp1s0f1np1",
    "NCCL_CUMEM_ENABLE": "0",
    "NCCL_NVLS_ENABLE": "0",
    "NCCL_IGNORE_CPU_AFFINITY": "1",
    "NCCL_DEBUG": "INFO",
    "NCCL_DEBUG_SUBSYS": "INIT,NET",
    "NCCL_SOCKET_IFNAME": "=enp1s0f1np1",
    "NCCL_IB_HCA": "=rocep1s0f1,roceP2p1s0f1",
    "NCCL_IB_MERGE_NICS": "1",
}


def refusal(asked: Request) -> list[tuple[str, str]]:
    with pytest.raises(SparkError) as caught:
        draft(asked)
    return shown(caught.value.problems)


def whole(count: int, **asked: t.Any) -> dict[str, t.Any]:
    return finish(draft(request(count, **asked)), probes(count))


def server(count: int, node: str = "spark-01", **asked: t.Any) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", whole(count, **asked)["ranks"][node]["server"])


def test_a_draft_names_what_has_to_be_looked_at() -> None:
    drafted = draft(request(2))
    assert (drafted.image.name, drafted.model_path, drafted.ports, [node.name for node in drafted.placement.nodes]) == (
        "example/sglang:v0.5.23",
        "/srv/models/tiny/tiny-1b",
        {
            "spark-01": {"server_port": 30000, "server_watch_port": 40000, "server_dist_port": 50000},
            "spark-02": {"server_port": 30000, "server_watch_port": 40000},
        },
        ["spark-01", "spark-02"],
    )


def test_a_lone_rank_has_no_rendezvous_port() -> None:
    assert draft(request(1)).ports == {"spark-01": {"server_port": 30000}}


def test_the_ports_of_another_instance_go_by_its_own_settings() -> None:
    drafted = draft(request(2, prefix="server_instances.embed.", port=30001, watch_port=40001, dist_port=50001))
    assert drafted.ports["spark-01"] == {
        "server_instances.embed.port": 30001,
        "server_instances.embed.watch_port": 40001,
        "server_instances.embed.dist_port": 50001,
    }


def test_arguments_have_three_layers_and_the_inventory_wins() -> None:
    drafted = draft(request(1, args={"context_length": 8192, "mem_fraction_static": 0.6, "log_level": "debug"}))
    assert drafted.args == {
        "host": "0.0.0.0",
        "mem_fraction_static": 0.6,
        "enable_metrics": True,
        "context_length": 8192,
        "log_level": "debug",
    }


def test_the_memory_fraction_is_always_set() -> None:
    assert draft(request(1)).args["mem_fraction_static"] == 0.75


def test_another_image_and_its_version_win_over_the_profile_s() -> None:
    image = draft(request(1, image="example/mine@sha256:1", sglang="0.6.0")).image
    assert (image.name, image.sglang) == ("example/mine@sha256:1", "0.6.0")


def test_without_a_table_flags_pass_unchecked_with_a_warning() -> None:
    tables = {OLD: table(OLD), NEW: table(NEW)}
    drafted = draft(request(1, sglang="0.6.0", tables=tables, args={"no_such_flag": 1}))
    assert drafted.warnings == (
        "flags are not checked: there is no table for SGLang 0.6.0 (there are 0.5.23, 0.5.4.post2).",
    )


@pytest.mark.parametrize(
    ("count", "asked", "expected"),
    [
        pytest.param(
            1,
            {"model": "tyni"},
            ("Model 'tyni' is not in the catalogue.", "Did you mean tiny? Or add it to server_models."),
            id="unknown model",
        ),
        pytest.param(
            1,
            {"models": {"tiny": {**MODELS["tiny"], "needs": {"nodes": [1], "image": "spark"}}}},
            ("Image 'spark' is not in the catalogue's images.", "Known: default. Or add it to server_images."),
            id="unknown image",
        ),
        pytest.param(
            1,
            {"args": {"tp": 2}},
            ("SGLang 0.5.23 has no flag --tp (tp).", "write tp_size."),
            id="unknown flag",
        ),
        pytest.param(
            1,
            {"args": {"model_path": "/x"}},
            ("model_path is decided by the plan and can't be an argument.", "set identity.path of the profile."),
            id="a flag of the plan",
        ),
        pytest.param(
            1,
            {"args": {"api_key": "x"}},
            ("api_key is decided by the plan and can't be an argument.", "set server_api_key."),
            id="a secret as a flag",
        ),
        pytest.param(
            1,
            {"args": {"ssl_certfile": "/c.pem"}},
            ("ssl_certfile is decided by the plan and can't be an argument.", "set server_tls_certificate."),
            id="TLS",
        ),
        pytest.param(
            1,
            {"args": {"ssl_keyfile": "/k.pem"}},
            ("ssl_keyfile is decided by the plan and can't be an argument.", "set server_tls_key."),
            id="TLS, its key",
        ),
        pytest.param(
            1,
            {"args": {"ssl_keyfile_password": "hush1234"}},
            (
                "ssl_keyfile_password is decided by the plan and can't be an argument.",
                "set server_tls_key, without a passphrase.",
            ),
            id="TLS, a passphrase",
        ),
        pytest.param(
            1,
            {"args": {"grpc_mode": True}},
            ("grpc_mode is True, and the gate can't ask such a server.", "leave it out."),
            id="gRPC",
        ),
        pytest.param(
            1,
            {"args": {"smg_grpc_mode": True}},
            ("smg_grpc_mode is True, and the gate can't ask such a server.", "leave it out."),
            id="gRPC of the gateway",
        ),
        pytest.param(
            1,
            {"args": {"disaggregation_mode": "prefill"}},
            ("disaggregation_mode is 'prefill', and the gate can't ask such a server.", "leave it out."),
            id="half a server",
        ),
        pytest.param(
            1,
            {"models": {"tiny": {**MODELS["tiny"], "args": {"grpc_mode": True}}}},
            ("grpc_mode is True, and the gate can't ask such a server.", "leave it out."),
            id="gRPC in the profile",
        ),
        pytest.param(
            1,
            {"port": 0},
            ("server_port is 0, needed is a number from 1 to 65535.", "30000, 50000 and 40000 are the usual ones."),
            id="no port",
        ),
        pytest.param(
            1,
            {"dist_port": 65536},
            (
                "server_dist_port is 65536, needed is a number from 1 to 65535.",
                "30000, 50000 and 40000 are the usual ones.",
            ),
            id="a port too high",
        ),
        pytest.param(
            2,
            {"dist_port": 30000},
            ("server_port and server_dist_port are both 30000.", "give them different ports."),
            id="one port for both",
        ),
        pytest.param(
            1,
            {"env": {"NCCL_DEBUG": 1}},
            ("server_env, environment variable NCCL_DEBUG is 1 (int), needed is text.", "quote it in YAML."),
            id="environment is not text",
        ),
        pytest.param(
            2,
            {"absent": {"spark-02": "is left out by --limit"}},
            ("Cluster alpha is in this run only in part: spark-02 is left out by --limit.", LIMIT),
            id="a part of the cluster",
        ),
        pytest.param(
            2,
            {"args": {"tp_size": 4}},
            ("tp_size 4 x pp_size 1 needs 4 GPU(s), but 2 node(s) with 1 GPU each have 2.", PARALLEL),
            id="TP that the nodes don't have",
        ),
        pytest.param(
            2,
            {"args": {"tp_size": 1}},
            ("tp_size 1 x pp_size 1 needs 1 GPU(s), but 2 node(s) with 1 GPU each have 2.", PARALLEL),
            id="TP that leaves a node idle",
        ),
        pytest.param(
            4,
            {"args": {"tp_size": 4, "pp_size": 2}},
            ("tp_size 4 x pp_size 2 needs 8 GPU(s), but 4 node(s) with 1 GPU each have 4.", PARALLEL),
            id="TP times PP",
        ),
        pytest.param(
            2,
            {"args": {"tp_size": "two"}},
            ("tp_size is 'two', needed is int for SGLang 0.5.23.", "correct the value."),
            id="TP is no number",
        ),
        pytest.param(
            2,
            {"args": {"tp_size": "two"}, "sglang": "0.6.0"},
            ("tp_size is 'two' and pp_size is None, needed are numbers.", "correct the value."),
            id="TP is no number, and there is no flag table",
        ),
    ],
)
def test_a_request_that_cannot_work_is_refused(count: int, asked: dict[str, t.Any], expected: tuple[str, str]) -> None:
    assert refusal(request(count, **asked)) == [expected]


@pytest.mark.parametrize(
    "args",
    [{"grpc_mode": False}, {"disaggregation_mode": "null"}],
    ids=str,
)
def test_a_flag_that_is_left_out_hides_nothing_from_the_gate(args: dict[str, t.Any]) -> None:
    assert draft(request(1, args=args)).placement.nnodes == 1


NEEDED = "at least 8 printable characters without blanks or line ends, not digits alone, no hyphen first"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("q7Zw!x_", id="short"),
        pytest.param("7354198260", id="digits only"),
        pytest.param("-q7Zw!x_K", id="taken for a flag"),
        pytest.param("q7Zw!x_Kp\n", id="a line end at the end"),
        pytest.param("q7Zw\n!x_Kp", id="a line end within"),
        pytest.param("q7Zw !x_Kp", id="a blank"),
        pytest.param("q7Zw\u00e4!x_Kp", id="a character that no header can hold"),
    ],
)
@pytest.mark.parametrize("name", ["api_key", "admin_api_key", "hf_token"])
def test_a_secret_that_can_not_work_is_refused_without_showing_it(name: str, value: str) -> None:
    with pytest.raises(SparkError) as caught:
        draft(request(1, secrets={"api_key": "sk-live-1234", name: value}))
    what = f"server_{name} can't be used (its value is not shown), needed are {NEEDED}."
    assert shown(caught.value.problems) == [(what, "give another one.")]
    assert value.strip() not in repr(caught.value.as_result())


@pytest.mark.parametrize("value", ["q7Zw!x_K", "sk-live-1234", "12345678a", "!#~,.-/+=", "x" * 200])
def test_a_secret_of_eight_printable_characters_will_do(value: str) -> None:
    assert draft(request(1, secrets={"api_key": value})).request.secrets == {"api_key": value}


def test_every_secret_that_can_not_work_is_told() -> None:
    asked = request(1, secrets={"hf_token": "short", "api_key": "12345678", "admin_api_key": "root-5678"})
    assert [what.partition(" ")[0] for what, hint in refusal(asked)] == ["server_api_key", "server_hf_token"]


def test_every_reason_against_a_draft_is_told_at_once() -> None:
    asked = request(
        2,
        port=0,
        env={"A": 1},
        args={"node_rank": 1, "tp_size": 4, "schedule_heuristic": "x", "grpc_mode": True},
        secrets={"api_key": "short"},
        absent={"spark-02": "failed earlier in this run"},
    )
    assert [what for what, hint in refusal(asked)] == [
        "Cluster alpha is in this run only in part: spark-02 failed earlier in this run.",
        "server_port is 0, needed is a number from 1 to 65535.",
        f"server_api_key can't be used (its value is not shown), needed are {NEEDED}.",
        "server_env, environment variable A is 1 (int), needed is text.",
        "node_rank is decided by the plan and can't be an argument.",
        "grpc_mode is True, and the gate can't ask such a server.",
        "SGLang 0.5.23 has no flag --schedule-heuristic (schedule_heuristic).",
        "tp_size 4 x pp_size 1 needs 4 GPU(s), but 2 node(s) with 1 GPU each have 2.",
    ]


def test_an_unknown_image_and_a_missing_head_are_told_together() -> None:
    models = {"tiny": {**MODELS["tiny"], "needs": {"nodes": [2], "image": "spark"}}}
    asked = request(2, models=models, nodes=nodes(2, head=""))
    assert [what for what, hint in refusal(asked)] == [
        "Image 'spark' is not in the catalogue's images.",
        "Cluster alpha has no head: spark_head is not set.",
    ]


def test_an_admin_key_is_refused_where_sglang_has_none() -> None:
    secrets = {"api_key": "sk-live-1234", "admin_api_key": "root-5678", "hf_token": "hf_1234567"}
    asked = request(1, sglang=OLD, tables={OLD: table(OLD)}, secrets=secrets)
    reasons = [what for what, hint in refusal(asked)]
    assert reasons == ["SGLang 0.5.4.post2 has no flag --admin-api-key (admin_api_key)."]


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("args", [{"tp_size": 2}, {"pp_size": 2}, {"tp_size": 1, "pp_size": 2}], ids=str)
def test_tensor_and_pipeline_parallelism_can_be_set_in_every_version(version: str, args: dict[str, t.Any]) -> None:
    assert draft(request(2, sglang=version, tables={version: table(version)}, args=args)).placement.nnodes == 2


def test_the_plan_of_one_node() -> None:
    plan = whole(1)
    generation = plan["generation"]
    assert {key: value for key, value in plan.items() if key not in ("lines", "generation", "memory")} == {
        "cluster": "alpha",
        "instance": "sglang",
        "model": "tiny",
        "served_name": "tiny",
        "image": "example/sglang:v0.5.23",
        "sglang": "0.5.23",
        "nnodes": 1,
        "head": "spark-01",
        "endpoint": "http://10.0.0.11:30000/v1",
        "idle": {},
        "warnings": [],
        "ranks": {
            "spark-01": {
                "rank": 0,
                "server": {
                    **CONTAINER,
                    "name": "sglang",
                    "image": "example/sglang:v0.5.23",
                    "image_id": IMAGE_ID,
                    "model": "tiny",
                    "model_path": "/srv/models/tiny/tiny-1b",
                    "args": {
                        "host": "0.0.0.0",
                        "mem_fraction_static": 0.75,
                        "enable_metrics": True,
                        "context_length": 4096,
                        "served_model_name": "tiny",
                        "port": 30000,
                        "tp_size": 1,
                    },
                    "env": {"HF_HUB_OFFLINE": "1"},
                    "gpus": "all",
                    "rdma": False,
                    "cluster": "alpha",
                    "generation": generation,
                    "state": "started",
                },
                "gate": {
                    "name": "sglang",
                    "rank": 0,
                    "nnodes": 1,
                    "host": "0.0.0.0",
                    "port": 30000,
                    "tls": False,
                    "served_model_name": "tiny",
                    "model_path": "/models/tiny-1b",
                    "tp_size": 1,
                    "sglang": "0.5.23",
                    "embedding": False,
                    "rails": [],
                    "moe_files": [],
                    "limit": 430,
                },
                "keep": plan["ranks"]["spark-01"]["keep"],  # see test_keep.py
            }
        },
    }


@pytest.mark.parametrize("count", [2, 4])
def test_ranks_differ_in_rank_and_address_alone(count: int) -> None:
    ranks = whole(count)["ranks"]
    common = {
        "host": "0.0.0.0",
        "mem_fraction_static": 0.75,
        "enable_metrics": True,
        "context_length": 4096,
        "served_model_name": "tiny",
        "port": 30000,
        "tp_size": count,
        "nnodes": count,
        "dist_init_addr": "192.168.100.11:50000",
    }
    assert {name: (rank["rank"], rank["server"]["args"], rank["server"]["env"]) for name, rank in ranks.items()} == {
        f"spark-0{number}": (
            number - 1,
            {**common, "node_rank": number - 1},
            {**FABRIC, "SGLANG_HOST_IP": f"192.168.100.1{number}", "HF_HUB_OFFLINE": "1"},
        )
        for number in range(1, count + 1)
    }


@pytest.mark.parametrize("count", [2, 4])
def test_the_gate_of_every_rank_wants_its_rails_and_the_whole_tp(count: int) -> None:
    gates = [rank["gate"] for rank in whole(count)["ranks"].values()]
    assert [(gate["rank"], gate["nnodes"], gate["tp_size"], gate["rails"]) for gate in gates] == [
        (rank, count, count, ["rocep1s0f1", "roceP2p1s0f1"]) for rank in range(count)
    ]


def test_pipeline_parallelism_divides_the_ranks() -> None:
    plan = whole(4, args={"pp_size": 2})
    rank = plan["ranks"]["spark-01"]
    assert (rank["server"]["args"]["tp_size"], rank["gate"]["tp_size"]) == (2, 2)


def test_rdma_devices_are_given_only_to_ranks_that_use_them() -> None:
    assert [server(count, transport=how)["rdma"] for count, how in ((1, "rdma"), (2, "rdma"), (2, "socket"))] == [
        False,
        True,
        False,
    ]


def test_with_sockets_the_gate_wants_no_rails() -> None:
    assert whole(2, transport="socket")["ranks"]["spark-01"]["gate"]["rails"] == []


def test_the_environment_of_the_inventory_wins_over_the_profile_s_and_the_fabric_s() -> None:
    models = {"tiny": {**MODELS["tiny"], "env": {"A": "profile", "B": "profile"}}}
    env = server(2, models=models, env={"B": "inventory", "NCCL_DEBUG": "WARN"})["env"]
    assert (env["A"], env["B"], env["NCCL_DEBUG"]) == ("profile", "inventory", "WARN")


def test_null_removes_a_variable_of_a_lower_layer() -> None:
    models = {"tiny": {**MODELS["tiny"], "env": {"A": "profile"}}}
    assert server(1, models=models, env={"A": None, "HF_HUB_OFFLINE": None})["env"] == {}


def test_an_own_host_address_on_a_lone_rank_is_only_a_variable() -> None:
    assert server(1, env={"SGLANG_HOST_IP": "10.0.0.11"})["env"] == {
        "HF_HUB_OFFLINE": "1",
        "SGLANG_HOST_IP": "10.0.0.11",
    }


def test_idle_nodes_get_no_rank_and_keep_none() -> None:
    plan = whole(4, node_count=2)
    assert list(plan["ranks"]) == ["spark-01", "spark-02"]
    absent = {
        "server": {
            **CONTAINER,
            "name": "sglang",
            "state": "absent",
            "image": "example/sglang:v0.5.23",
            "image_id": IMAGE_ID,
            "model": "tiny",
            "model_path": "/srv/models/tiny/tiny-1b",
            "args": plan["ranks"]["spark-01"]["server"]["args"],
            "env": plan["ranks"]["spark-01"]["server"]["env"],
            "gpus": "all",
            "rdma": True,
            "cluster": "alpha",
        }
    }
    assert plan["idle"] == {"spark-03": absent, "spark-04": absent}


def test_every_rank_runs_the_image_under_the_id_that_its_node_has() -> None:
    """One image of a registry has another ID in another image store."""
    looked = {
        "spark-01": probe(1, image_digests=("sha256:1",)),
        "spark-02": probe(2, image_digests=("sha256:1",), image_id=OTHER_ID),
    }
    ranks = finish(draft(request(2)), looked)["ranks"]
    assert [rank["server"]["image_id"] for rank in ranks.values()] == [IMAGE_ID, OTHER_ID]


@pytest.mark.parametrize(
    ("count", "secrets", "offline"),
    [
        pytest.param(1, {}, "1", id="no secret"),
        pytest.param(1, {"api_key": "sk-live-1234"}, "1", id="another secret"),
        pytest.param(1, {"hf_token": "hf_1234567"}, None, id="a token"),
        pytest.param(2, {"hf_token": "hf_1234567"}, None, id="a token, two ranks"),
    ],
)
def test_only_an_engine_with_a_token_may_ask_the_hub(count: int, secrets: dict[str, str], offline: str | None) -> None:
    ranks = whole(count, secrets=secrets)["ranks"].values()
    assert [rank["server"]["env"].get("HF_HUB_OFFLINE") for rank in ranks] == [offline] * count


def test_a_memory_fraction_of_null_is_refused() -> None:
    assert refusal(request(1, args={"mem_fraction_static": None})) == [
        (
            "mem_fraction_static is null, needed is a number: SGLang's own default takes 0.89 of the unified memory.",
            "leave it out for 0.75, or set it.",
        )
    ]


QUIET = "the gate can't check the transport: NCCL's log is turned down (NCCL_DEBUG, NCCL_DEBUG_SUBSYS)."


@pytest.mark.parametrize(
    "env",
    [
        {"NCCL_DEBUG": "WARN"},
        {"NCCL_DEBUG": "VERSION"},
        {"NCCL_DEBUG": None},
        {"NCCL_DEBUG_SUBSYS": "INIT"},
        {"NCCL_DEBUG_SUBSYS": None},
        {"NCCL_DEBUG_SUBSYS": "INIT,^NET"},
        {"NCCL_DEBUG_FILE": "/tmp/nccl"},
    ],
    ids=str,
)
def test_where_nccl_s_log_is_turned_down_the_gate_wants_no_rails_and_the_plan_says_so(env: dict[str, t.Any]) -> None:
    plan = whole(2, env=env)
    assert [rank["gate"]["rails"] for rank in plan["ranks"].values()] == [[], []]
    assert (plan["warnings"], plan["lines"][-1]) == ([QUIET], f"  note: {QUIET}")


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"NCCL_DEBUG": "trace"},
        {"NCCL_DEBUG_SUBSYS": "all"},
        {"NCCL_DEBUG": "TRACE"},
        {"NCCL_DEBUG_SUBSYS": "NET"},
        {"NCCL_DEBUG_SUBSYS": "INIT,GRAPH,NET"},
    ],
    ids=str,
)
def test_where_nccl_s_log_is_loud_the_gate_wants_all_rails(env: dict[str, t.Any]) -> None:
    plan = whole(2, env=env)
    rails = ["rocep1s0f1", "roceP2p1s0f1"]
    assert ([rank["gate"]["rails"] for rank in plan["ranks"].values()], plan["warnings"]) == ([rails, rails], [])


@pytest.mark.parametrize(("count", "transport"), [(1, "rdma"), (2, "socket")])
def test_without_rdma_nobody_misses_nccl_s_log(count: int, transport: str) -> None:
    assert whole(count, transport=transport, env={"NCCL_DEBUG": "WARN"})["warnings"] == []


def test_the_endpoint_is_the_head_s_address_on_the_management_network() -> None:
    asked = [Node("spark-01", "spark-01", ("192.168.100.11",)), Node("spark-02", "spark-01", ("192.168.100.12",))]
    assert whole(2, nodes=asked)["endpoint"] == "http://spark-01:30000/v1"


@pytest.mark.parametrize(
    ("count", "asked", "size", "limit"),
    [
        pytest.param(1, {}, 0, 420, id="an unknown size"),
        pytest.param(1, {}, 60_000_000_000, 1020, id="by size"),
        pytest.param(2, {}, 60_000_000_000, 720, id="by size, shared by two"),
        pytest.param(1, {"start_timeout": 99}, 60_000_000_000, 99, id="by the inventory"),
        pytest.param(
            1,
            {"models": {"tiny": {**MODELS["tiny"], "needs": {"nodes": [1], "start_timeout": 77}}}},
            60_000_000_000,
            77,
            id="by the profile",
        ),
    ],
)
def test_how_long_a_start_may_take(count: int, asked: dict[str, t.Any], size: int, limit: int) -> None:
    plan = finish(draft(request(count, **asked)), probes(count, model=folder(bytes=size)))
    assert plan["ranks"]["spark-01"]["gate"]["limit"] == limit


def generation(count: int = 2, changed_probes: dict[str, t.Any] | None = None, **asked: t.Any) -> str:
    return str(finish(draft(request(count, **asked)), {**probes(count), **(changed_probes or {})})["generation"])


def test_all_ranks_have_the_same_generation() -> None:
    plan = whole(4)
    assert {rank["server"]["generation"] for rank in plan["ranks"].values()} == {plan["generation"]}


@pytest.mark.parametrize(
    "same",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"nodes": nodes(2)[::-1]}, id="the order of the nodes"),
        pytest.param({"nodes": nodes(2, host="10.9.9.9")}, id="the management address"),
        pytest.param({"start_timeout": 1000}, id="how long a start may take"),
        pytest.param(
            {"changed_probes": {"spark-01": probe(1, memory={"total": 2**37, "available": 115 * 2**30})}}, id="memory"
        ),
        pytest.param({"changed_probes": probes(2, model=folder(bytes=7))}, id="the model's size"),
        pytest.param({"models": {**MODELS, "other": MODELS["tiny"]}}, id="another profile of the catalogue"),
        pytest.param({"env": {}}, id="an empty environment"),
    ],
)
def test_what_does_not_matter_keeps_the_generation(same: dict[str, t.Any]) -> None:
    assert generation(**same) == generation()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"args": {"context_length": 8192}}, id="a flag"),
        pytest.param({"args": {"context_length": None}}, id="a flag removed"),
        pytest.param({"env": {"A": "1"}}, id="a variable"),
        pytest.param({"port": 30001}, id="the port"),
        pytest.param({"dist_port": 50001}, id="the rendezvous port"),
        pytest.param({"transport": "socket"}, id="the transport"),
        pytest.param({"nodes": nodes(2, head="spark-02")}, id="the head"),
        pytest.param({"node_count": 1}, id="the number of nodes"),
        pytest.param({"model_root": "/data"}, id="the model's folder"),
        pytest.param({"instance": "ondemand"}, id="the instance"),
        pytest.param({"secrets": {"api_key": "sk-live-1234"}}, id="a secret"),
        pytest.param({"container": {**CONTAINER, "memory": 1}}, id="the memory cap"),
        pytest.param({"image": "example/sglang:other"}, id="the image's name"),
        pytest.param(
            {
                "changed_probes": {
                    name: probe(n, image_id=OTHER_ID) for n, name in enumerate(("spark-01", "spark-02"), 1)
                }
            },
            id="the image's ID",
        ),
        pytest.param(
            {
                "changed_probes": {
                    "spark-02": probe(
                        2,
                        interfaces=tuple(replace(f, rdma_device=f.rdma_device and "x" + f.name) for f in rail_pair(2)),
                    )
                }
            },
            id="a rail of one rank",
        ),
        pytest.param({"changed_probes": probes(2, model=folder(revision="0123abc"))}, id="the model's revision"),
    ],
)
def test_what_matters_to_one_rank_changes_the_generation_of_all(change: dict[str, t.Any]) -> None:
    assert generation(**change) != generation()


SPEAKS_TLS = {"secrets": {"tls_pem": "-----BEGIN"}, "access": Access(keyless=True, names=("10.0.0.11",))}
POLLS = "WATCHFILES_FORCE_POLLING"


def test_with_a_certificate_rank_0_alone_speaks_tls() -> None:
    plan = whole(2, **SPEAKS_TLS)
    args = [{key for key in rank["server"]["args"] if "ssl" in key} for rank in plan["ranks"].values()]
    assert args == [{"ssl_certfile", "ssl_keyfile", "enable_ssl_refresh"}, set()]
    assert [rank["gate"]["tls"] for rank in plan["ranks"].values()] == [True, False]
    assert [rank["server"]["env"].get(POLLS) for rank in plan["ranks"].values()] == ["true", None]
    assert (plan["endpoint"], plan["warnings"]) == ("https://10.0.0.11:30000/v1", [])


def test_a_renewed_certificate_is_the_same_generation_where_the_engine_reads_it_again() -> None:
    plans = [whole(2, **{**SPEAKS_TLS, "secrets": {"tls_pem": text}}) for text in ("first", "renewed")]
    assert plans[0] == plans[1]


@pytest.mark.parametrize("change", [{"tables": {}}, {"args": {"enable_http2": True}}], ids=["no table", "HTTP/2"])
def test_where_it_reads_it_once_a_renewed_certificate_is_another_generation(change: dict[str, t.Any]) -> None:
    plans = [whole(1, **{**SPEAKS_TLS, **change, "secrets": {"tls_pem": text}}) for text in ("first", "renewed")]
    assert plans[0]["generation"] != plans[1]["generation"]
    (rank,) = plans[0]["ranks"].values()
    assert ("enable_ssl_refresh" in rank["server"]["args"], rank["server"]["env"].get(POLLS)) == (False, None)


def test_what_the_owner_of_a_certificate_should_know_is_part_of_the_plan() -> None:
    access = Access(keyless=True, names=("a.example",), notes=("it ends soon.",))
    assert whole(1, **{**SPEAKS_TLS, "access": access})["warnings"] == [
        "it ends soon.",
        "server_tls_certificate is for a.example: clients that ask https://10.0.0.11 will refuse it.",
    ]


def test_tls_for_a_version_without_it_is_refused_with_the_rest() -> None:
    asked = request(1, **{**SPEAKS_TLS, "sglang": OLD, "tables": {OLD: table(OLD)}})
    assert [what for what, hint in refusal(asked)] == [
        "server_tls_certificate is set, and SGLang 0.5.4.post2 can't speak TLS; needed is 0.5.10 or newer."
    ]


def test_two_secrets_have_two_generations_and_are_in_no_plan() -> None:
    plans = [whole(2, secrets={"api_key": key}) for key in ("sk-first", "sk-second")]
    assert plans[0]["generation"] != plans[1]["generation"]
    assert "sk-first" not in repr(plans[0])


def test_a_half_alive_cluster_is_restarted_on_every_rank() -> None:
    drafted = draft(request(2))
    planned = finish(drafted, probes(2))["generation"]
    ours = {"name": "sglang", "ours": True, "running": True, "generation": planned, "model": "tiny"}
    half = {"spark-01": probe(1, container=ours), "spark-02": probe(2, container={**ours, "running": False})}
    assert [rank["server"]["state"] for rank in finish(drafted, half)["ranks"].values()] == ["restarted", "restarted"]


def test_every_reason_of_the_nodes_is_told_at_once() -> None:
    bare = tuple(replace(face, addresses=()) for face in rail_pair(1))
    down = tuple(replace(face, up=False) for face in rail_pair(2))
    with pytest.raises(SparkError) as caught:
        finish(draft(request(2)), {"spark-01": probe(1, interfaces=bare), "spark-02": probe(2, interfaces=down)})
    assert [what for what, hint in shown(caught.value.problems)] == [
        "spark-01 does not have its fabric address 192.168.100.11; it has: no address at all.",
        "spark-01 does not have its fabric address 192.168.101.11; it has: no address at all.",
        "spark-02: rail enp1s0f1np1 (192.168.100.12) is down.",
        "spark-02: rail enP2p1s0f1np1 (192.168.101.12) is down.",
    ]


def test_a_lone_rank_needs_no_rails() -> None:
    assert finish(draft(request(1)), {"spark-01": probe(1, interfaces=())})["nnodes"] == 1


def test_in_check_mode_an_image_that_is_not_there_yet_is_no_reason() -> None:
    plan = finish(draft(request(1)), probes(1, image_id=""), strict=False)
    assert plan["ranks"]["spark-01"]["server"]["image_id"] == ""

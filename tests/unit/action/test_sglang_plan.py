# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the action reads from the inventory; the plan itself is tested with the kernel."""

from __future__ import annotations

import types
import typing as t
from dataclasses import asdict

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.dgxspark.sglang.plugins.action.sglang_plan import ARGUMENTS, ActionModule, load_catalogue
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._placement import Node
from ansible_collections.dgxspark.sglang.tests.unit.builders import (
    CATALOGUE,
    IMAGE_ID,
    IMAGES,
    MODELS,
    NEW,
    folder,
    probe_result,
    rail_pair,
    shown,
)

NODES = ["spark-01", "spark-02"]
PORTS = {
    "spark-01": {"server_port": 30000, "server_watch_port": 40000, "server_dist_port": 50000},
    "spark-02": {"server_port": 30000, "server_watch_port": 40000},
}
CODE = {"model": "tiny", "port": 30001, "nodes": 1, "args": {"mem_fraction_static": 0.5}}
TEAM = {"code": CODE, "later": {**CODE, "port": 30002, "start": "on-demand"}}


def host(number: int, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "spark_head": "spark-01",
        "spark_fabric_addresses": [f"192.168.100.1{number}", f"192.168.101.1{number}"],
        "ansible_host": f"10.0.0.1{number}",
        "server_looked": probe_result(interfaces=[asdict(face) for face in rail_pair(number)]),
        "model_looked": {"models": [asdict(folder())]},
        "image_pulled": {"image_id": IMAGE_ID, "sglang": NEW},
        **changes,
    }


def action(me: str = "spark-01", check_mode: bool = False, **task_vars: t.Any) -> ActionModule:
    """Return the action of one node, without a task queue around it."""
    made = ActionModule.__new__(ActionModule)
    made._task = t.cast(t.Any, types.SimpleNamespace(check_mode=check_mode))
    made._loader = DataLoader()
    made.task_vars = {
        "inventory_hostname": me,
        "groups": {"alpha": NODES, "all": NODES},
        "hostvars": {"spark-01": host(1), "spark-02": host(2)},
        "ansible_play_hosts_all": NODES,
        "ansible_play_hosts": NODES,
        **task_vars,
    }
    return made


def options(**changes: t.Any) -> dict[str, t.Any]:
    """Return the action's options as Ansible gives them."""
    given = {key: option.get("default") for key, option in ARGUMENTS.items()}
    return {
        **given,
        "catalogue": str(CATALOGUE),
        "cluster": "alpha",
        "model": "tiny",
        "models": MODELS,
        "images": IMAGES,
        "model_root": "/srv/models/",
        "access": {"open": True},
        **changes,
    }


def refusal(made: ActionModule, **changes: t.Any) -> list[tuple[str, str]]:
    with pytest.raises(SparkError) as caught:
        made._plan(options(**changes))
    return shown(caught.value.problems)


def test_a_draft_tells_what_to_look_at() -> None:
    assert action()._plan(options())["draft"] == {
        "instance": "sglang",
        "start": "always",
        "model": "tiny",
        "instances": ["sglang"],
        "before": [],
        "all_ports": PORTS,
        "api_ports": [30000],
        "model_paths": ["/srv/models/tiny/tiny-1b"],
        "refused": [],
        "image": "example/sglang:v0.5.23",
        "image_source": "",
        "image_parsers": [],
        "model_path": "/srv/models/tiny/tiny-1b",
        "source": {
            **{"repo": "example/tiny", "revision": "", "gated": False, "moe": "auto"},
            **{name: [] for name in ("include", "exclude", "encodings")},
        },
        "encodings_path": "",
        "args": {"host": "0.0.0.0", "mem_fraction_static": 0.75, "enable_metrics": True, "context_length": 4096},
        "tp_size": 2,
        "sglang": "0.5.23",
        "memory_fraction": 0.75,
        "ports": PORTS,
        "nodes": NODES,
    }


def test_every_node_of_the_cluster_comes_to_the_same_plan() -> None:
    plans = [action(me)._plan(options(stage="plan"))["plan"] for me in NODES]
    assert plans[0] == plans[1]


def test_a_node_gets_its_own_rank() -> None:
    made = action("spark-02")._plan(options(stage="plan"))
    assert (made["mine"]["rank"], made["mine"]["server"]["env"]["SGLANG_HOST_IP"]) == (1, "192.168.100.12")


def test_an_idle_node_is_to_have_no_server() -> None:
    made = action("spark-02")._plan(options(stage="plan", nodes=1))
    head = made["plan"]["ranks"]["spark-01"]["server"]
    assert made["mine"] == {
        "generation": made["plan"]["generation"],
        "model": "tiny",
        "nnodes": 1,
        "server": {**{key: value for key, value in head.items() if key != "generation"}, "state": "absent"},
    }


def test_secrets_are_not_in_what_a_node_gets() -> None:
    assert "very-secret" not in repr(action()._plan(options(stage="plan", access={"api_key": "sk-very-secret"})))


def test_in_check_mode_an_image_that_is_not_there_is_no_reason_to_refuse() -> None:
    bare = {name: host(number, image_pulled=None) for number, name in enumerate(NODES, 1)}
    for known in bare.values():
        known["server_looked"]["probe"]["image_id"] = ""
    made = action(check_mode=True, hostvars=bare)._plan(options(stage="plan"))
    assert [rank["server"]["image_id"] for rank in made["plan"]["ranks"].values()] == ["", ""]


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        pytest.param(
            "",
            (
                "spark-01 belongs to no cluster: spark_cluster is not set.",
                "set spark_cluster in the group variables of its cluster, to the name of that group.",
            ),
            id="not set",
        ),
        pytest.param(
            "beta",
            (
                "spark_cluster of spark-01 is 'beta', but the group 'beta' does not exist.",
                "a cluster is one inventory group: put the node into it, or correct spark_cluster.",
            ),
            id="no such group",
        ),
        pytest.param(
            "gamma",
            (
                "spark_cluster of spark-01 is 'gamma', but the group 'gamma' has spark-07.",
                "a cluster is one inventory group: put the node into it, or correct spark_cluster.",
            ),
            id="another group",
        ),
    ],
)
def test_a_node_must_be_in_the_group_of_its_cluster(cluster: str, expected: tuple[str, str]) -> None:
    assert refusal(action(groups={"alpha": NODES, "gamma": ["spark-07"]}), cluster=cluster) == [expected]


@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        pytest.param(
            {"ansible_play_hosts_all": ["spark-01"], "ansible_play_hosts": ["spark-01"]}, "is left out by --limit"
        ),
        pytest.param({"ansible_play_hosts": ["spark-01"]}, "failed earlier in this run"),
    ],
    ids=["limit", "failed"],
)
def test_a_run_with_a_part_of_the_cluster_is_refused(hosts: dict[str, t.Any], why: str) -> None:
    assert refusal(action(**hosts)) == [
        (
            f"Cluster alpha is in this run only in part: spark-02 {why}.",
            "a server spans its whole cluster: run with --limit alpha or without a limit, or take spark-02 out of the"
            " group.",
        )
    ]


def test_a_variable_that_nobody_reads_any_longer_is_told() -> None:
    assert action()._plan(options())["warnings"] == []
    (told,) = action(server_restart_policy="no")._plan(options())["warnings"]
    assert told.startswith("server_restart_policy has no effect any longer: keepers start all ranks together")


def test_a_further_instance_is_drafted_in_its_turn() -> None:
    drafted = action()._plan(options(instance="code", instances=TEAM))["draft"]
    assert {key: drafted[key] for key in ("instance", "instances", "before", "nodes", "ports", "api_ports")} == {
        "instance": "code",
        "instances": ["sglang", "code"],
        "before": [{"instance": "sglang", "model_path": "/srv/models/tiny/tiny-1b"}],
        "nodes": ["spark-01"],
        "ports": {"spark-01": {"server_instances.code.port": 30001}},
        "api_ports": [30000, 30001, 30002],
    }
    assert drafted["all_ports"] == {
        "spark-01": {**PORTS["spark-01"], "server_instances.code.port": 30001, "server_instances.later.port": 30002},
        "spark-02": PORTS["spark-02"],
    }


def test_the_plan_of_an_instance_has_its_name_port_and_arguments() -> None:
    made = action()._plan(options(stage="plan", instance="code", instances=TEAM, env={"A": "1"}))
    server = made["mine"]["server"]
    assert (server["name"], server["args"]["port"], server["args"]["mem_fraction_static"]) == ("code", 30001, 0.5)
    assert (server["env"]["A"], made["plan"]["endpoint"]) == ("1", "http://10.0.0.11:30001/v1")


def test_what_starts_before_is_part_of_the_account() -> None:
    beside = {"results": [{"item": {"instance": "sglang"}, "models": [asdict(folder())]}]}
    hosts = {name: host(number, server_beside=beside) for number, name in enumerate(NODES, 1)}
    made = action(hostvars=hosts)._plan(options(stage="plan", instance="code", instances=TEAM))
    assert made["plan"]["memory"]["terms"][1]["what"] == "instance sglang, which starts before it"


@pytest.mark.parametrize(
    ("asked", "model"),
    [({"only": "later"}, "tiny"), ({"only": "later", "only_model": "other"}, "other"), ({"only": "sglang"}, "tiny")],
    ids=["one", "one with another model", "the main one"],
)
def test_one_instance_may_be_asked_for_alone(asked: dict[str, str], model: str) -> None:
    models = {**MODELS, "other": {**MODELS["tiny"], "identity": {"repo": "example/other", "path": "other"}}}
    drafted = action()._plan(options(instances=TEAM, models=models, **asked))["draft"]
    assert (drafted["instance"], drafted["instances"], drafted["model"]) == (asked["only"], [asked["only"]], model)
    assert drafted["before"] == []


def test_what_is_refused_of_an_instance_names_it() -> None:
    team = {"code": {**CODE, "nodes": 4}}
    ((what, _hint),) = refusal(action(), instance="code", instances=team)
    assert what.startswith("Instance code: The model runs on 1 or 2 or 4 node(s), but server_nodes is 4")


def test_what_is_refused_of_another_instance_is_told_and_stops_nothing() -> None:
    drafted = action()._plan(options(instances={"later": {**TEAM["later"], "model": "tinny"}}))["draft"]
    ((name, reason),) = [(one["instance"], one["reason"]) for one in drafted["refused"]]
    assert (name, reason) == ("later", "Instance later: Model 'tinny' is not in the catalogue.")
    assert drafted["model_paths"] == ["/srv/models/tiny/tiny-1b"]


def test_a_task_that_names_another_instance_takes_the_main_one_by_its_name_in_the_inventory() -> None:
    named = {name: host(number, server_instance="chat") for number, name in enumerate(NODES, 1)}
    drafted = action(hostvars=named)._plan(options(instance="code", instances=TEAM))["draft"]
    assert drafted["instances"] == ["chat", "code"]


def test_the_name_of_another_instance_is_none_for_the_main_one() -> None:
    named = {name: host(number, server_instance="code") for number, name in enumerate(NODES, 1)}
    assert refusal(action(hostvars=named), instance="code", instances=TEAM) == [
        (
            "'code' is server_instance, the main one, and in server_instances, too.",
            "choose another name there. To bring up that one alone: -e instance=code.",
        )
    ]


def test_an_instance_with_a_key_of_its_own_needs_no_open_door() -> None:
    own = {"code": {**CODE, "api_key": "sk-very-secret"}}
    made = action()._plan(options(stage="plan", only="code", instances=own, access={}))
    assert "very-secret" not in repr(made)


def test_addresses_that_are_no_list_are_refused() -> None:
    hosts = {"spark-01": host(1, spark_fabric_addresses="192.168.100.11"), "spark-02": host(2)}
    assert refusal(action(hostvars=hosts)) == [
        (
            "spark_fabric_addresses of spark-01 is '192.168.100.11', needed is a list.",
            "write it as a YAML list, that of rail 1 first.",
        )
    ]


def test_a_node_without_settings_of_its_own_is_known_by_its_name() -> None:
    derived = ("192.168.100.11", "192.168.101.11")
    assert action(hostvars={"spark-01": {}})._nodes(["spark-01"]) == (Node("spark-01", "", derived, "spark-01"),)


def test_the_shipped_catalogue_is_models_images_and_flag_tables() -> None:
    models, images, tables = load_catalogue(CATALOGUE)
    assert ("glm47" in models, images["default"]["sglang"], sorted(tables)) == (
        True,
        "0.5.23",
        ["0.5.23", "0.5.4.post2"],
    )

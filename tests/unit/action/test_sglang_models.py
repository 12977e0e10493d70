# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the action takes from the inventory and from the nodes; the judgement itself is tested with the kernel."""

from __future__ import annotations

import types
import typing as t
from dataclasses import asdict

import pytest
from ansible_collections.dgxspark.sglang.plugins.action.sglang_models import ARGUMENTS, ActionModule
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.tests.unit.builders import CATALOGUE, IMAGES, MODELS, folder, probe_result

NODES = ["spark-01", "spark-02"]
MEMORY = {"total": 120 * 2**30, "available": 110 * 2**30, "held": 0, "others": {}}


def host(number: int, **changes: t.Any) -> dict[str, t.Any]:
    return {"spark_head": "spark-01", "server_looked": probe_result(memory=MEMORY), **changes}


def action(me: str = "spark-01", **hostvars: t.Any) -> ActionModule:
    """Return the action of one node, without a task queue around it."""
    made = ActionModule.__new__(ActionModule)
    made._task = t.cast(t.Any, types.SimpleNamespace(check_mode=False))
    made.task_vars = {
        "inventory_hostname": me,
        "groups": {"alpha": NODES, "all": NODES},
        "hostvars": {"spark-01": host(1), "spark-02": host(2), **hostvars},
        # Who is left out of this run is no matter of a model.
        "ansible_play_hosts_all": ["spark-01"],
        "ansible_play_hosts": ["spark-01"],
    }
    return made


def options(**changes: t.Any) -> dict[str, t.Any]:
    """Return the action's options as Ansible gives them, with one model of the user beside those of the catalogue."""
    given = {key: option.get("default") for key, option in ARGUMENTS.items()}
    asked = {"cluster": "alpha", "models": MODELS, "images": IMAGES, "model_root": "/srv/models/"}
    return {**given, "catalogue": str(CATALOGUE), **asked, **changes}


def test_the_nodes_are_to_look_at_all_folders_of_the_catalogue_and_of_the_user() -> None:
    paths = action()._plan(options())["paths"]
    assert {"/srv/models/tiny/tiny-1b", "/srv/models/gpt-oss/gpt-oss-120b.partial"} <= set(paths)


def test_every_node_of_the_cluster_comes_to_the_same_models() -> None:
    paths = action()._plan(options())["paths"]
    models = [{**asdict(folder(disk_bytes=7)), "complete": path.endswith("tiny-1b")} for path in paths]
    looked = {node: host(number, server_models_looked={"models": models}) for number, node in enumerate(NODES, 1)}
    found = [action(me, **looked)._plan(options(stage="judge")) for me in NODES]
    assert found[0] == found[1]
    (tiny,) = [row for row in found[0]["models"] if row["name"] == "tiny"]
    assert (tiny["fits"], tiny["ranks"], tiny["disk"]) == ("yes", 2, {"spark-01": "whole", "spark-02": "whole"})
    assert found[0]["remarks"] == []


def test_before_the_nodes_have_looked_nothing_is_guessed() -> None:
    found = action()._plan(options(stage="judge"))
    assert [remark.split(":")[0] for remark in found["remarks"]] == [
        f"{node} has no result of model_inventory" for node in NODES
    ]


def test_a_node_without_a_cluster_is_refused() -> None:
    with pytest.raises(SparkError, match="belongs to no cluster"):
        action()._plan(options(cluster=""))

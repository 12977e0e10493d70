# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two clusters of one inventory: they come up side by side, and what breaks one of them never touches the other."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.dgxspark.sglang.molecule.cluster import PAIR, REPO, Cluster
from ansible_collections.dgxspark.sglang.tests.faults.wanted import FAULTY, FAULTY_SGLANG, MODELS, OTHER_PLAN

CLUSTERS = {"alpha": "spark-01", "beta": "spark-02"}
# An engine that dies while it loads, for every cluster that is asked to serve it.
DYING: dict[str, t.Any] = {
    "server_models": {**MODELS, "tiny-llama": {**MODELS["tiny-llama"], "env": {"LAB_FAULT": "killed_at_90"}}},
    "server_image": FAULTY,
    "server_sglang": FAULTY_SGLANG,
    "image_spread": False,
}


@pytest.fixture(scope="module")
def fleet(request: pytest.FixtureRequest) -> Cluster:
    """The two nodes as two clusters of one node each, which serve."""
    if request.config.getoption("--quick"):
        pytest.skip("takes ten minutes")
    PAIR.play("stop.yml")
    fleet = Cluster(inventory(), tuple(CLUSTERS.values()))
    assert fleet.play("site.yml").code == 0
    return fleet


def inventory() -> t.Any:
    """Write the lab's pair as two clusters and return the file's path."""
    whole = yaml.safe_load(PAIR.inventory.read_text())
    (pair,) = whole["sparks"]["children"].values()
    whole["sparks"]["children"] = {
        name: {
            "hosts": {node: pair["hosts"][node]},
            "vars": {**pair["vars"], "spark_cluster": name, "spark_head": node}
            | {"server_env": {**pair["vars"]["server_env"], "SGLANG_CPU_OMP_THREADS_BIND": "all"}},
        }
        for name, node in CLUSTERS.items()
    }
    path = REPO / "inventories" / "lab" / "fleet.yml"
    path.write_text(yaml.safe_dump(whole, sort_keys=False))
    return path


def alone(fleet: Cluster, node: str) -> Cluster:
    return Cluster(fleet.inventory, (node,))


def serving(fleet: Cluster) -> dict[str, bool]:
    return {node: alone(fleet, node).completion_tokens() > 0 for node in fleet.nodes}


def test_both_serve_a_model_of_their_own(fleet: Cluster) -> None:
    assert serving(fleet) == {"spark-01": True, "spark-02": True}
    assert len(fleet.generations()) == 2


def test_a_canary_that_fails_goes_back_and_the_other_is_not_touched(fleet: Cluster) -> None:
    before = fleet.starts()
    played = fleet.play("rollout.yml", **DYING)
    assert played.code != 0
    assert played.said("alpha canary failed, back to tiny-llama", "beta 1 not reached")
    assert fleet.starts()["spark-02"] == before["spark-02"]
    assert serving(fleet) == {"spark-01": True, "spark-02": True}


def test_a_cluster_that_is_refused_leaves_the_other_alone(fleet: Cluster) -> None:
    """Side by side, without waves: one cluster asks for what does not exist, the other one is changed."""
    before = fleet.starts()
    model = "{{ 'tiny-lama' if spark_cluster == 'beta' else 'tiny-llama' }}"
    played = fleet.play("site.yml", **OTHER_PLAN, server_model=model)
    assert played.code != 0
    assert played.said("'tiny-lama' is not in the catalogue")
    after = fleet.starts()
    assert after["spark-02"] == before["spark-02"]
    assert after["spark-01"] != before["spark-01"]
    assert serving(fleet) == {"spark-01": True, "spark-02": True}


def test_the_rollout_goes_on_where_it_stopped_and_then_has_nothing_to_do(fleet: Cluster) -> None:
    before = fleet.starts()
    played = fleet.play("rollout.yml", **OTHER_PLAN)
    assert played.code == 0
    assert played.said("alpha - unchanged", "beta 1 changed")
    after = fleet.starts()
    assert after["spark-01"] == before["spark-01"]
    assert after["spark-02"] != before["spark-02"]
    again = fleet.play("rollout.yml", **OTHER_PLAN)
    assert (again.code, again.changed, fleet.starts()) == (0, {"spark-01": 0, "spark-02": 0}, after)
    assert again.said("alpha - unchanged", "beta - unchanged")

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters pass on what nodes reported; the verdicts themselves are tested with the kernel."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.filter.server_fallback import server_fallback
from ansible_collections.dgxspark.sglang.plugins.filter.server_story import server_story
from ansible_collections.dgxspark.sglang.plugins.filter.status_table import status_table
from ansible_collections.dgxspark.sglang.tests.unit.builders import probe_result

NODES = ["spark-01", "spark-02"]
STARTED = {"changed": True, "actions": ["start"]}
GOOD = {"generation": "good", "model": "tiny", "nnodes": 2}
PASSED = {"started": True, "passed": True, "text": ""}


def gate(node: str, rank: int, state: str = "passed", reason: str = "") -> dict[str, t.Any]:
    step = "" if state == "passed" else "health"
    report = {"node": node, "rank": rank, "state": state, "step": step, "reason": reason, "hint": "wait."}
    return {"report": {**report, "log_tail": [], "finished_at": ""}}


def hostvars(**second: t.Any) -> dict[str, t.Any]:
    """Return two nodes that passed, the second with these changes."""
    return {
        "spark-01": {"server_started": STARTED, "server_gate": gate("spark-01", 0)},
        "spark-02": {"server_started": STARTED, "server_gate": gate("spark-02", 1), **second},
    }


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param({}, PASSED, id="all passed"),
        pytest.param(
            {"server_started": {"failed": True, "msg": "Docker is down.\n  Next step: start it."}},
            {
                "started": False,
                "passed": False,
                "text": "spark-02 could not start its rank: Docker is down.\n  Next step: start it.",
            },
            id="one could not start",
        ),
        pytest.param(
            {"server_started": {"unreachable": True, "msg": "timeout"}},
            {"started": False, "passed": False, "text": "spark-02 could not start its rank: it can't be reached."},
            id="one can't be reached",
        ),
        pytest.param(
            {"server_started": None},
            {"started": False, "passed": False, "text": "spark-02 could not start its rank: it was not asked to."},
            id="one was not asked",
        ),
        pytest.param(
            {"server_gate": gate("spark-02", 1, "failed", "not ready within 42 s")},
            {
                "started": True,
                "passed": False,
                "text": "Gate failed at step 'health' on spark-02 (rank 1): not ready within 42 s\n  Next step: wait.",
            },
            id="one failed at the gate",
        ),
        pytest.param(
            {"server_gate": {"unreachable": True}},
            {"started": True, "passed": False, "text": "Gate not passed. No report from spark-02."},
            id="one went away at the gate",
        ),
    ],
)
def test_the_story_of_a_cluster(second: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    assert server_story(hostvars(**second), NODES) == expected


def test_before_the_gate_every_rank_may_have_started() -> None:
    started = {node: {"server_started": STARTED} for node in NODES}
    assert server_story(started, NODES)["started"] is True


def test_nodes_without_a_rank_have_no_part_in_the_story() -> None:
    assert server_story({**hostvars(), "spark-03": {}}, NODES) == PASSED


@pytest.mark.parametrize(
    ("first", "failed", "expected"),
    [
        pytest.param(
            {"server_started": {"changed": True}},
            "new",
            {"usable": True, "reason": "", "generation": "good", "model": "tiny", "nodes": tuple(NODES)},
            id="another plan failed",
        ),
        pytest.param(
            {"server_started": {"changed": True}},
            "good",
            {
                "usable": False,
                "reason": "the plan that failed is the one that was good before",
                "generation": "",
                "model": "",
                "nodes": (),
            },
            id="the same plan failed after this run started it",
        ),
        pytest.param(
            {"server_started": {"changed": False}},
            "good",
            {"usable": True, "reason": "", "generation": "good", "model": "tiny", "nodes": tuple(NODES)},
            id="the same plan was found unhealthy",
        ),
        pytest.param(
            {"server_looked": {"unreachable": True}},
            "new",
            {
                "usable": False,
                "reason": "only 1 of 2 ranks of the last good plan are known",
                "generation": "",
                "model": "",
                "nodes": (),
            },
            id="a node can't be asked",
        ),
    ],
)
def test_what_a_cluster_goes_back_to(first: dict[str, t.Any], failed: str, expected: dict[str, t.Any]) -> None:
    known = {"server_looked": probe_result(last_good=GOOD), "server_started": None}
    assert server_fallback({"spark-01": {**known, **first}, "spark-02": known}, NODES, failed) == expected


def test_the_status_table_is_sorted_and_has_a_row_for_every_node() -> None:
    nodes = {
        "spark-02": {"spark_cluster": "alpha", "server_looked": {"unreachable": True}},
        "spark-01": {"spark_cluster": "alpha", "server_looked": probe_result()},
        "spark-09": {},
    }
    assert status_table(nodes, list(nodes)) == (
        "CLUSTER  NODE      INSTANCE  RANK  STATE        MODEL  HEALTH  SINCE  MEMORY FREE\n"
        "-        spark-09  -         -     unknown      -      -       -      -\n"
        "alpha    spark-01  -         -     no server    -      -       -      110.0 GiB\n"
        "alpha    spark-02  -         -     unreachable  -      -       -      -"
    )

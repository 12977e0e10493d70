# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters pass on what nodes reported; the verdicts themselves are tested with the kernel."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.filter.server_agreement import server_agreement
from ansible_collections.dgxspark.sglang.plugins.filter.server_fallback import server_fallback
from ansible_collections.dgxspark.sglang.plugins.filter.server_story import server_story
from ansible_collections.dgxspark.sglang.plugins.filter.status_table import status_table
from ansible_collections.dgxspark.sglang.tests.unit.builders import probe_result

NODES = ["spark-01", "spark-02"]
STARTED = {"changed": True, "actions": ["start"]}
GOOD = {"generation": "good", "model": "tiny", "nnodes": 2}
PASSED = {"started": True, "passed": True, "step": "", "text": ""}
GONE = "can't be reached: timeout\n  Next step: check its power, network and ssh; every node of a cluster is needed."
LEFT_OUT = (
    "has no result of sglang_server: --limit leaves it out, or it failed earlier in this run.\n"
    "  Next step: mend what failed before, and run it on all nodes of the cluster at once."
)
CLEARED = {"changed": True, "actions": ["stop", "remove"]}


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
                "step": "",
                "text": "spark-02 failed in sglang_server: Docker is down.\n  Next step: start it.",
            },
            id="one could not start",
        ),
        pytest.param(
            {"server_started": {"unreachable": True, "msg": "timeout"}},
            {
                "started": False,
                "passed": False,
                "step": "",
                "text": f"spark-02 {GONE}",
            },
            id="one can't be reached",
        ),
        pytest.param(
            {"server_started": None},
            {
                "started": False,
                "passed": False,
                "step": "",
                "text": f"spark-02 {LEFT_OUT}",
            },
            id="one was not asked",
        ),
        pytest.param(
            {"server_gate": gate("spark-02", 1, "failed", "not ready within 42 s")},
            {
                "started": True,
                "passed": False,
                "step": "health",
                "text": "Gate failed at step 'health' on spark-02 (rank 1): not ready within 42 s\n  Next step: wait.",
            },
            id="one failed at the gate",
        ),
        pytest.param(
            {"server_gate": {"unreachable": True}},
            {"started": True, "passed": False, "step": "", "text": "Gate not passed. No report from spark-02."},
            id="one went away at the gate",
        ),
    ],
)
def test_the_story_of_a_cluster(second: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    assert server_story(hostvars(**second), NODES, NODES) == expected


def test_before_the_gate_every_rank_may_have_started() -> None:
    started = {node: {"server_started": STARTED} for node in NODES}
    assert server_story(started, NODES, NODES) == {
        "started": True,
        "passed": False,
        "step": "",
        "text": "Gate not passed. No report from spark-01, spark-02.",
    }


def test_nodes_of_another_cluster_have_no_part_in_the_story() -> None:
    assert server_story({**hostvars(), "spark-03": {}}, NODES, NODES) == PASSED


def test_an_idle_node_that_was_cleared_needs_no_gate() -> None:
    idle = {"spark-03": {"server_started": CLEARED}}
    assert server_story({**hostvars(), **idle}, NODES, [*NODES, "spark-03"]) == PASSED


def test_what_an_idle_node_reported_of_another_plan_does_not_count() -> None:
    idle = {"spark-03": {"server_started": CLEARED, "server_gate": gate("spark-03", 2, "failed", "x")}}
    assert server_story({**hostvars(), **idle}, NODES, [*NODES, "spark-03"]) == PASSED


@pytest.mark.parametrize(
    ("started", "why"),
    [
        pytest.param(
            {"failed": True, "msg": "Docker is down."}, "failed in sglang_server: Docker is down.", id="it failed"
        ),
        pytest.param({"unreachable": True, "msg": "timeout"}, GONE, id="it can't be reached"),
        pytest.param(None, LEFT_OUT, id="it was not asked"),
    ],
)
def test_an_idle_node_that_was_not_cleared_is_told_before_the_gate(started: dict[str, t.Any] | None, why: str) -> None:
    known = {**hostvars(), "spark-03": {"server_started": started}}
    assert server_story(known, NODES, [*NODES, "spark-03"]) == {
        "started": False,
        "passed": False,
        "step": "",
        "text": f"spark-03 {why}",
    }


def test_the_step_is_that_of_the_first_failure() -> None:
    second = gate("spark-02", 1, "failed", "x")
    second["report"] |= {"step": "container", "finished_at": "2026-11-21T02:05:00Z"}
    known = hostvars(server_gate=second)
    known["spark-01"]["server_gate"] = gate("spark-01", 0, "failed", "y")
    assert server_story(known, NODES, NODES)["step"] == "container"


GONE_BACK = {
    "usable": True,
    "reason": "",
    "generation": "good",
    "model": "tiny",
    "nodes": tuple(NODES),
    "halt": True,
}
SAME = "the plan that failed is the one that was good before"
UNTOUCHED = "nothing was touched: what ran before runs on"
ALONE = "it runs as planned and was left alone"


def nothing(reason: str, halt: bool = True) -> dict[str, t.Any]:
    return {"usable": False, "reason": reason, "generation": "", "model": "", "nodes": (), "halt": halt}


def refused(**more: t.Any) -> dict[str, t.Any]:
    return {"failed": True, "changed": False, "msg": "Docker refuses.", **more}


def at_gate(step: str) -> dict[str, t.Any]:
    failed = gate("spark-01", 0, "failed", "x")
    return {"report": {**failed["report"], "step": step}}


KEPT = {"server_started": {"changed": False, "actions": []}}


@pytest.mark.parametrize(
    ("first", "failed", "expected"),
    [
        pytest.param({"server_started": STARTED}, "new", GONE_BACK, id="another plan failed"),
        pytest.param(
            {"server_started": STARTED}, "good", nothing(SAME), id="the same plan failed after this run started it"
        ),
        pytest.param(
            {**KEPT, "server_gate": at_gate("health")}, "good", GONE_BACK, id="the same plan was found unhealthy"
        ),
        pytest.param(
            {**KEPT, "server_gate": at_gate("container")}, "good", GONE_BACK, id="the same plan was found dead"
        ),
        pytest.param(
            {**KEPT, "server_gate": at_gate("identity")},
            "good",
            nothing(ALONE, halt=False),
            id="the same plan runs, and something else is wrong",
        ),
        pytest.param(
            {"server_started": refused(touched=False)},
            "new",
            nothing(UNTOUCHED, halt=False),
            id="a refusal that touched nothing",
        ),
        pytest.param(
            {"server_started": refused(touched=True)}, "new", GONE_BACK, id="a refusal after the old one was stopped"
        ),
        pytest.param({"server_started": {"unreachable": True}}, "new", GONE_BACK, id="a node went away at the start"),
        pytest.param({"server_started": None}, "new", GONE_BACK, id="a node was not asked to start"),
        pytest.param(
            {"server_started": STARTED, "server_looked": {"unreachable": True}},
            "new",
            nothing("only 1 of 2 ranks of the last good plan are known"),
            id="a node can't be asked",
        ),
    ],
)
def test_what_a_cluster_goes_back_to(first: dict[str, t.Any], failed: str, expected: dict[str, t.Any]) -> None:
    known = {"server_looked": probe_result(last_good=GOOD), **KEPT, "server_gate": gate("spark-02", 1)}
    nodes = {"spark-01": {**known, **first}, "spark-02": known}
    assert server_fallback(nodes, NODES, {"generation": failed, "ranks": {node: {} for node in NODES}}) == expected


AWAY = {"server_started": {"unreachable": True}}
RENEWED = {"server_started": {"changed": True, "actions": ["renew"]}}
CLEAN = nothing(UNTOUCHED, halt=False)


@pytest.mark.parametrize(
    ("second", "first_runs", "expected"),
    [
        pytest.param(AWAY, True, CLEAN, id="there was nothing to do for it"),
        pytest.param(AWAY, False, nothing(SAME), id="it may have stopped its rank with the others"),
        pytest.param(
            {"server_started": {"changed": True, "actions": ["disable"]}, "server_gate": at_gate("generation")},
            True,
            nothing(ALONE, halt=False),
            id="a keeper that had no container",
        ),
        pytest.param({"server_started": STARTED}, True, nothing(SAME), id="it had ended meanwhile and was started"),
        pytest.param(
            {**RENEWED, "server_gate": at_gate("certificate")}, True, nothing(ALONE, halt=False), id="renewed"
        ),
        pytest.param(
            {**KEPT, "server_gate": at_gate("unreachable")}, True, nothing(ALONE, halt=False), id="at the gate"
        ),
    ],
)
def test_a_node_that_goes_away_takes_nothing_along_that_serves(
    second: dict[str, t.Any], first_runs: bool, expected: dict[str, t.Any]
) -> None:
    def node(number: int, runs: bool, **more: t.Any) -> dict[str, t.Any]:
        container = {"running": runs, "generation": "good"}
        looked = probe_result(last_good=GOOD, container=container)
        return {"server_looked": looked, **KEPT, "server_gate": gate(f"spark-0{number}", number - 1), **more}

    nodes = {"spark-01": node(1, first_runs), "spark-02": node(2, True, **second)}
    assert server_fallback(nodes, NODES, {"generation": "good", "ranks": {name: {} for name in NODES}}) == expected


def test_an_idle_node_that_was_cleared_is_a_change() -> None:
    known = {
        "server_looked": probe_result(last_good={**GOOD, "nnodes": 1}),
        **KEPT,
        "server_gate": at_gate("transport"),
    }
    idle = {"server_looked": probe_result(), "server_started": CLEARED}
    plan = {"generation": "good", "ranks": {"spark-01": {}}}
    nodes = {"spark-01": known, "spark-02": idle}
    assert server_fallback(nodes, NODES, plan) == nothing(SAME)
    assert server_fallback({**nodes, "spark-02": {**idle, **KEPT}}, NODES, plan) == nothing(ALONE, halt=False)


def planned(generation: str, port: int = 30100) -> dict[str, t.Any]:
    ranks = {node: {"keep": {"rank": rank, "watch_port": port}} for rank, node in enumerate(NODES)}
    return {"server_planned": {"plan": {"generation": generation, "ranks": ranks}}}


DEAF = (
    "The keepers of the nodes would go by different settings (watch_port: spark-01 1, spark-02 2), because a server_*"
    " variable is not the same on all of them.\n"
    "  Next step: set server_* variables in the cluster's group variables, not on a host."
)
MEND = "\n  Next step: mend what failed there before, and run it again."
DIFFERENT = (
    "The nodes come to different plans (spark-01 aaaa, spark-02 bbbb), because a server_* variable is not the same on"
    " all of them.\n"
    "  Next step: set server_* variables in the cluster's group variables, not on a host."
)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(planned("aaaa"), planned("aaaa"), "", id="one plan"),
        pytest.param(planned("aaaa"), planned("bbbb"), DIFFERENT, id="two plans"),
        pytest.param(planned("aaaa", 1), planned("aaaa", 2), DEAF, id="keepers that would not find each other"),
        pytest.param(
            {"server_planned": {"failed": True, "msg": "No head.\n  Next step: set it."}},
            {"server_planned": {"failed": True, "msg": "No head.\n  Next step: set it."}},
            "No head.\n  Next step: set it.",
            id="one refusal of both",
        ),
        pytest.param(
            {"server_planned": {"failed": True, "msg": "No head."}},
            {"server_planned": {"failed": True, "msg": "No image."}},
            "No head.\nNo image.",
            id="a refusal of each",
        ),
        pytest.param(
            planned("aaaa"), {"server_planned": {"failed": True, "msg": "No head."}}, "No head.", id="a refusal of one"
        ),
        pytest.param(planned("aaaa"), {"server_planned": None}, f"No plan of spark-02.{MEND}", id="no plan of one"),
        pytest.param({}, {}, f"No plan of spark-01, spark-02.{MEND}", id="no plan at all"),
    ],
)
def test_all_nodes_must_come_to_one_plan(first: dict[str, t.Any], second: dict[str, t.Any], expected: str) -> None:
    assert server_agreement({"spark-02": second, "spark-01": first}, NODES) == expected


def test_the_status_table_is_sorted_has_a_row_for_every_node_and_says_why_it_knows_little() -> None:
    nodes = {
        "spark-02": {"spark_cluster": "alpha", "server_looked": {"unreachable": True, "msg": "No route to host\n"}},
        "spark-01": {"spark_cluster": "alpha", "server_looked": probe_result()},
        "spark-09": {},
    }
    assert status_table(nodes, list(nodes)) == (
        "CLUSTER  NODE      INSTANCE  RANK  STATE          MODEL  HEALTH  SINCE  MEMORY FREE\n"
        "-        spark-09  -         -     not looked at  -      -       -      -\n"
        "alpha    spark-01  -         -     no server      -      -       -      110.0 GiB\n"
        "alpha    spark-02  -         -     unreachable    -      -       -      -\n"
        "spark-02: No route to host\n"
        "spark-09: it was not asked"
    )

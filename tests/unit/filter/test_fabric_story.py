# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.filter.fabric_story import FilterModule, fabric_story

NODES = ["spark-01", "spark-02"]
BACK = "What this run changed is not kept: every node goes back, by itself where it can't be reached."
DONE: dict[str, dict[str, t.Any]] = {
    "planned": {"mine": {"notes": []}},
    "probed": {"fabric": {}, "taken": [], "unchecked": ""},
    "applied": {"actions": [], "guarded": False},
    "pinged": {"pings": []},
    "kept": {"actions": []},
}


def hostvars(step: str, first: dict[str, t.Any] | None, **more: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """Return two nodes that have done a step; the first one with another result."""
    return {"spark-01": {f"fabric_{step}": first, **more}, "spark-02": {f"fabric_{step}": DONE[step]}}


def ping(**changes: t.Any) -> dict[str, t.Any]:
    answered = {"large": True, "small": True, "rtt": 0.2, "error": ""}
    return {"rail": 1, "interface": "eth1", "peer": "spark-02", "target": "10.1.0.2", **answered, **changes}


def test_the_filter_is_registered() -> None:
    assert FilterModule().filters() == {"fabric_story": fabric_story}


@pytest.mark.parametrize("step", DONE)
@pytest.mark.parametrize("first", ["done", "skipped"])
def test_a_step_that_all_have_done_has_no_story(step: str, first: str) -> None:
    result = DONE[step] if first == "done" else {"skipped": True, "changed": False}
    assert fabric_story(hostvars(step, result), step, NODES) == ""


@pytest.mark.parametrize(
    ("step", "module"),
    [("probed", "fabric_look"), ("applied", "node_state"), ("pinged", "fabric_ping"), ("kept", "node_state")],
)
def test_a_step_that_a_node_could_not_do(step: str, module: str) -> None:
    result = {"failed": False, "changed": False, "msg": "it broke."}
    assert fabric_story(hostvars(step, result), step, NODES) == f"spark-01 failed in {module}: it broke."


def test_a_node_that_is_gone() -> None:
    told = fabric_story(hostvars("pinged", {"unreachable": True, "msg": "Connection timed out\n"}), "pinged", NODES)
    assert told.startswith("spark-01 can't be reached: Connection timed out\n")


def test_a_refusal_that_is_the_same_on_all_nodes_is_told_once() -> None:
    refused = {"fabric_planned": {"failed": False, "msg": "spark-02 has no rail(s).\n  Next step: plug in."}}
    assert (
        fabric_story(dict.fromkeys(NODES, refused), "planned", NODES)
        == "spark-02 has no rail(s).\n  Next step: plug in."
    )


def test_a_node_that_is_left_out_adds_nothing_to_the_refusal_of_the_others() -> None:
    refused = {"spark-01": {"fabric_planned": {"msg": "spark-02 is left out by --limit."}}, "spark-02": {}}
    assert fabric_story(refused, "planned", NODES) == "spark-02 is left out by --limit."


def test_no_plan_at_all() -> None:
    assert fabric_story({node: {} for node in NODES}, "planned", NODES) == "No plan of spark-01, spark-02."


def test_an_address_that_somebody_has() -> None:
    taken = {"interface": "eth1", "address": "10.1.0.1", "owner": "02:42:c6:12:64:0b"}
    told = fabric_story(hostvars("probed", {**DONE["probed"], "taken": [taken]}), "probed", NODES)
    assert told == (
        "spark-01: 10.1.0.1 is in use on the link of eth1 already, by 02:42:c6:12:64:0b.\n"
        "  Next step: set spark_fabric_pool or spark_fabric_addresses to addresses that nobody has, or unplug who has "
        "them."
    )


def test_pings_that_all_passed() -> None:
    assert fabric_story(hostvars("pinged", {"pings": [ping()]}), "pinged", NODES) == ""


def test_pings_that_did_not_pass_with_what_may_get_in_the_way_and_what_happens_now() -> None:
    told = fabric_story(
        hostvars(
            "pinged",
            {"pings": [ping(large=False)]},
            fabric_planned={"mine": {"notes": ["NetworkManager has a connection."]}},
            fabric_applied={"actions": ["write"], "guarded": True},
        ),
        "pinged",
        NODES,
        1500,
    )
    assert told.splitlines() == [
        "Rail 1 between spark-01 and spark-02: spark-01 (eth1) to spark-02 (10.1.0.2): "
        "small packets pass, but none of 1500 bytes.",
        "  Next step: set MTU 1500 at both ends and, behind a switch, jumbo frames on its ports (9216 or more).",
        "spark-01: NetworkManager has a connection.",
        BACK,
    ]


APPLIED = {"fabric_applied": {"actions": ["write"], "guarded": True}}
FAILED = {"fabric_kept": {"failed": False, "msg": "it broke."}}
AGAIN = "  Next step: run this again on all nodes of the cluster."
KEPT = {"fabric_kept": DONE["kept"]}


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        pytest.param(
            {**APPLIED, **FAILED},
            {**APPLIED, **KEPT},
            "What this run changed stays on spark-02, but not on spark-01: there it is taken back, by the node itself"
            f" where it can't be reached.\n{AGAIN}",
            id="one of two",
        ),
        pytest.param({**APPLIED, **FAILED}, KEPT, BACK, id="the only one that had changed"),
        pytest.param(
            FAILED,
            {**APPLIED, **KEPT},
            f"What this run changed stays on spark-02.\n{AGAIN}",
            id="one that had changed nothing",
        ),
        pytest.param({**APPLIED, **FAILED}, {**APPLIED, **FAILED}, BACK, id="both"),
    ],
)
def test_who_keeps_the_change_and_who_goes_back(
    first: dict[str, t.Any], second: dict[str, t.Any], outcome: str
) -> None:
    told = fabric_story({"spark-01": first, "spark-02": second}, "kept", NODES)
    assert told.rpartition("it broke.\n")[2] == outcome


def test_a_node_that_failed_to_apply_is_told_that_the_others_go_back() -> None:
    nodes = hostvars("applied", {"msg": "netplan refused."})
    nodes["spark-02"]["fabric_applied"] = {"actions": ["write"], "guarded": True}
    assert fabric_story(nodes, "applied", NODES) == f"spark-01 failed in node_state: netplan refused.\n{BACK}"

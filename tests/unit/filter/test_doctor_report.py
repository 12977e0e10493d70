# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.filter.doctor_report import doctor_report
from ansible_collections.dgxspark.sglang.tests.unit.doctor_builders import IMAGE, NODES, PORTS, looked

ASKED = {"head": "spark-01", "ranks": [], "image": IMAGE, "ports": PORTS}
TAKEN = {"30000": {"pid": 812, "process": "nginx", "container_id": ""}}


def hostvars(**second: t.Any) -> dict[str, t.Any]:
    return {"spark-01": {"doctor_looked": looked(1)}, "spark-02": {"doctor_looked": looked(2), **second}}


def test_a_healthy_pair_whose_addresses_come_from_the_pool() -> None:
    report = doctor_report(hostvars(), NODES, ASKED)
    assert (report["counts"]["ok"], len(report["findings"]), report["blocking"], report["reasons"]) == (
        len(report["findings"]),
        report["counts"]["ok"],
        [],
        "",
    )
    assert report["speaker"] == "spark-01"


def test_addresses_of_the_inventory_are_judged() -> None:
    stated = {"spark_fabric_addresses": ["192.168.100.99/24", "192.168.101.12"]}
    report = doctor_report(hostvars(**stated), NODES, ASKED)
    assert [item["found"] for item in report["blocking"]] == ["not here: 192.168.100.99"]


def test_what_is_wrong_in_the_inventory_is_a_finding() -> None:
    report = doctor_report(hostvars(spark_fabric_addresses="192.168.100.12"), NODES, ASKED)
    assert {(item["check"], item["found"]) for item in report["blocking"]} == {
        ("fabric-addresses", "spark_fabric_addresses of spark-02 is '192.168.100.12', needed is a list.")
    }


def test_a_refused_request_is_a_finding() -> None:
    refusal = {"failed": True, "reason": "No such model.", "hint": "correct it.", "msg": "both"}
    report = doctor_report(hostvars(), NODES, {"refusal": refusal})
    assert (
        report["reasons"] == "all: request: No such model. (needed: a request that can work)\n  Next step: correct it."
    )


def test_an_unreachable_head_lets_another_node_speak_of_nothing() -> None:
    """Its result is there: the task went on without it."""
    seen = {"spark-01": {"doctor_looked": {"unreachable": True, "msg": "timeout"}}, "spark-02": hostvars()["spark-02"]}
    report = doctor_report(seen, NODES, ASKED)
    assert (report["speaker"], [item["check"] for item in report["blocking"]]) == ("spark-01", ["reachable"])


def test_with_a_limit_the_first_node_of_the_run_speaks() -> None:
    report = doctor_report({"spark-01": {}, "spark-02": hostvars()["spark-02"]}, NODES, ASKED)
    assert (report["speaker"], report["reasons"]) == (
        "spark-02",
        "spark-01: reachable: has no result of node_doctor: --limit leaves it out, or it failed earlier"
        " in this run (needed: an answer)\n"
        "  Next step: mend what failed before, and run it on all nodes of the cluster at once.",
    )


@pytest.mark.parametrize(("accept", "blocked"), [([], ["ports"]), (["ports"], [])])
def test_what_is_accepted_is_shown_and_does_not_block(accept: list[str], blocked: list[str]) -> None:
    second = {"doctor_looked": looked(2, ports=TAKEN)}
    report = doctor_report(hostvars(**second), NODES, ASKED, accept=accept)
    assert [item["check"] for item in report["blocking"]] == blocked
    assert "port 30000 is taken by nginx (pid 812)" in report["table"]


def test_the_order_in_which_nodes_are_named_does_not_matter() -> None:
    assert doctor_report(hostvars(), NODES[::-1], ASKED) == doctor_report(hostvars(), NODES, ASKED)


def test_a_lone_node_needs_no_wishes() -> None:
    report = doctor_report({"spark-01": {"doctor_looked": looked(1)}}, ["spark-01"])
    assert report["blocking"] == []

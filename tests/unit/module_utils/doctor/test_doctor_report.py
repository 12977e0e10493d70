# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read of a diagnosis, and what a run makes of it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.doctor._doctor import Finding
from ansible_collections.dgxspark.sglang.plugins.module_utils.doctor._report import (
    CHECKS,
    blocking,
    counts,
    examine,
    reasons,
    render,
)
from ansible_collections.dgxspark.sglang.tests.unit.builders import REPO
from ansible_collections.dgxspark.sglang.tests.unit.doctor_builders import faces, facts, pair, sys_tree, wanted

README = (REPO / "roles/doctor/README.md").read_text(encoding="utf-8")
MISSING = {
    "docker__sdk": False,
    "memlock": "8192",
    "ports": {"30000": {"pid": 812, "process": "x", "container_id": ""}},
}


def finding(severity: str, check: str = "ports", node: str = "spark-01", fixed_by: str = "") -> Finding:
    return Finding(check, node, "taken", "free", severity, "stop it.", fixed_by)


def names(findings: t.Iterable[Finding]) -> list[str]:
    return [item.check for item in findings]


def test_the_worst_comes_first_and_otherwise_the_order_of_the_checks() -> None:
    told = [(item.severity, item.check) for item in pair(MISSING) if item.severity != "ok"]
    assert told == [("fail", "docker-sdk"), ("fail", "ports"), ("warn", "memlock")]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["docker-sdk", "ports"]),
        ({"strict": True}, ["docker-sdk", "ports", "memlock"]),
        ({"repairs": True}, ["ports"]),
        ({"strict": True, "repairs": True}, ["ports"]),
        ({"accept": ["ports"]}, ["docker-sdk"]),
        ({"accept": ["ports"], "repairs": True}, []),
    ],
)
def test_what_a_run_must_not_go_on_with(asked: dict[str, t.Any], expected: list[str]) -> None:
    assert names(blocking(pair(MISSING), **asked)) == expected


def test_findings_are_counted_by_severity() -> None:
    assert counts([finding("fail"), finding("ok"), finding("ok")]) == {"fail": 1, "warn": 0, "info": 0, "ok": 2}


def test_a_reason_is_a_sentence_with_its_next_step() -> None:
    assert reasons([finding("fail"), finding("fail", node="")]) == (
        "spark-01: ports: taken (needed: free)\n  Next step: stop it."
    )


def test_a_healthy_pair_takes_two_lines() -> None:
    assert render(pair(), wanted()).splitlines() == [
        "37 of 37 checks passed on spark-01, spark-02.",
        "Bandwidth can't be seen, only measured: ansible-playbook probe_fabric.yml",
    ]


def test_without_rdma_there_is_no_bandwidth_to_measure() -> None:
    assert render(pair(transport="socket"), wanted(transport="socket")).splitlines() == [
        "31 of 31 checks passed on spark-01, spark-02."
    ]


def test_the_table_of_two_faults() -> None:
    findings = [
        finding("fail"),
        finding("warn", "mtu", "spark-01", "fabric"),
        finding("warn", "mtu", "spark-02", "fabric"),
    ]
    assert render(findings, wanted(transport="socket")).splitlines() == [
        "LEVEL  CHECK  NODE                FOUND                                       NEEDED",
        "FAIL   ports  spark-01            taken                                       free",
        "                                  -> stop it.",
        "WARN   mtu    spark-01, spark-02  taken                                       free",
        "                                  -> site.yml repairs it (role fabric), or by hand: stop it.",
        "",
        "0 of 2 checks passed on spark-01, spark-02; 1 fail, 1 warn.",
    ]


def test_a_node_that_is_away_has_passed_nothing() -> None:
    lines = render([finding("ok"), finding("fail", "reachable", "spark-02")], wanted(transport="socket")).splitlines()
    assert lines[-1] == "1 of 2 checks passed on spark-01; 1 fail."


def test_what_passed_is_shown_when_asked_for() -> None:
    shown = render(pair(), wanted(), verbose=True)
    assert [check.name for check in CHECKS if f"\nok     {check.name} " not in shown] == ["gpu-clocks", "disk"]


@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_wider_than_a_terminal_leaves_it(verbose: bool) -> None:
    """Four long names, and the longest texts that there are."""
    long = [f"spark-{'x' * 20}-{number}" for number in range(4)]
    seen = [facts(2, sys=sys_tree("no-cable"), interfaces=faces(2, 1500), **MISSING), facts(1)]
    findings = examine(seen, wanted())
    everywhere = [Finding(**{**item.__dict__, "node": node}) for item in findings for node in long]
    shown = render(everywhere, wanted(), verbose).splitlines()
    assert max(map(len, shown)) <= 112
    assert len(shown) > 20


def test_the_readme_lists_every_check_and_no_other() -> None:
    rows = [line.split("|")[1:3] for line in README.splitlines() if line.startswith("| `")]
    assert [(name.strip(" `"), about.strip()) for name, about in rows] == [
        (check.name, check.about) for check in CHECKS
    ]

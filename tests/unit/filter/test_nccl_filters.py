# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters pass on what inventory and nodes say; the verdicts themselves are tested with the kernel."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.dgxspark.sglang.plugins.filter.nccl_refusal import nccl_refusal
from ansible_collections.dgxspark.sglang.plugins.filter.nccl_rounds import nccl_rounds
from ansible_collections.dgxspark.sglang.plugins.filter.nccl_verdict import nccl_verdict

NODES = ["spark-02", "spark-01"]
FIRST = {"name": "spark-01", "addresses": ["192.168.100.11", "192.168.101.11"]}


def test_addresses_come_from_the_pool_where_the_inventory_has_none() -> None:
    hostvars = {"spark-01": {}, "spark-02": {"spark_fabric_addresses": ["10.0.0.2/16"]}}
    (only,) = nccl_rounds(hostvars, NODES)
    second = {"name": "spark-02", "addresses": ["10.0.0.2"]}
    assert [{**member, "addresses": list(member["addresses"])} for member in only["mine"]["spark-02"]] == [
        FIRST,
        second,
    ]
    assert only["mine"]["spark-01"] == only["mine"]["spark-02"]
    assert (only["name"], only["groups"]) == ("spark-01, spark-02", [["spark-01", "spark-02"]])


def test_a_node_that_rests_has_no_part_in_the_round() -> None:
    nodes = [*NODES, "spark-03"]
    found = nccl_rounds({node: {} for node in nodes}, nodes)
    assert [sorted(one["mine"]) for one in found] == [
        ["spark-02", "spark-03"],
        ["spark-01", "spark-03"],
        ["spark-01", "spark-02"],
        ["spark-01", "spark-02", "spark-03"],
    ]


@pytest.mark.parametrize(("stated", "words"), [(["nonsense"], "no IPv4 address"), ("10.0.0.1", "needed is a list")])
def test_an_address_that_is_none_is_refused_in_words(stated: t.Any, words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        nccl_rounds({"spark-01": {"spark_fabric_addresses": stated}, "spark-02": {}}, NODES)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"problems": []}, ""),
        ({"problems": [{"what": "no cable.", "hint": "check it."}]}, "no cable.\n  Next step: check it."),
        ({"msg": "no python"}, "spark-02 failed in nccl_probe: no python"),
    ],
)
def test_every_node_must_have_been_looked_at(second: dict[str, t.Any], expected: str) -> None:
    hostvars = {"spark-01": {"nccl_discovered": {"problems": []}}, "spark-02": {"nccl_discovered": second}}
    assert nccl_refusal(hostvars, sorted(NODES)) == expected


def test_one_node_has_nobody_to_measure_with() -> None:
    assert nccl_refusal({}, ["spark-01"]).startswith("spark-01 has nobody to measure with.")


def test_a_round_that_a_node_did_not_measure_is_a_failure() -> None:
    rounds = [{"name": "one", "groups": [["spark-01", "spark-02"]]}]
    verdict = nccl_verdict({"spark-01": {"nccl_measured": {"other": {"points": []}}}, "spark-02": {}}, rounds, "pair")
    assert (verdict["passed"], verdict["cluster"]) == (False, "pair")
    assert "did not measure" in verdict["story"]

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the rules of a node take from the inventory; the rules themselves are tested with the kernel."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.dgxspark.sglang.plugins.filter.firewall_rules import FilterModule, firewall_rules

NODES = ["spark-02", "spark-01"]
RAILS = ["allow from 192.168.100.11 to 192.168.100.12", "allow from 192.168.101.11 to 192.168.101.12"]


def hostvars(**first: t.Any) -> dict[str, dict[str, t.Any]]:
    """Return two nodes, of which spark-01 is the head and has these variables, too."""
    return {
        "spark-01": {"spark_head": "spark-01", "ansible_host": "10.0.0.11", **first},
        "spark-02": {"spark_head": "spark-01", "ansible_host": "10.0.0.12"},
    }


def test_the_filter_is_registered() -> None:
    assert FilterModule().filters() == {"firewall_rules": firewall_rules}


@pytest.mark.parametrize(("node", "expected"), [("spark-01", ["allow 30000/tcp"]), ("spark-02", [])])
def test_the_api_is_open_at_the_head(node: str, expected: list[str]) -> None:
    found = firewall_rules(hostvars(), node, NODES, [], api_ports=[30000])
    assert [rule for rule in found if "192.168" not in rule] == expected


def test_peers_come_in_on_their_rail_and_by_ssh() -> None:
    assert firewall_rules(hostvars(), "spark-02", NODES, [22], ssh_from=["10.9.0.0/24"]) == [
        "allow from 10.9.0.0/24 to any port 22 proto tcp",
        "allow from 10.0.0.11 to any port 22 proto tcp",
        *RAILS,
    ]


@pytest.mark.parametrize("host", ["spark-01.local", None])
def test_a_peer_whose_address_the_inventory_does_not_tell_is_left_out(host: str | None) -> None:
    found = firewall_rules(hostvars(ansible_host=host), "spark-02", NODES, [22], ssh_from=["10.9.0.0/24"])
    assert found == ["allow from 10.9.0.0/24 to any port 22 proto tcp", *RAILS]


@pytest.mark.parametrize("nodes", [[], ["spark-01"]])
def test_a_node_without_a_cluster_is_alone(nodes: list[str]) -> None:
    assert firewall_rules(hostvars(), "spark-02", nodes, [22]) == ["allow 22/tcp"]


def test_one_stated_address_and_two_of_the_pool_do_not_go_together() -> None:
    known = hostvars(spark_fabric_addresses=["10.1.0.1"])
    with pytest.raises(AnsibleFilterError, match=r"spark-02 has 2 fabric address\(es\), but spark-01 has 1\."):
        firewall_rules(known, "spark-02", NODES, [22])

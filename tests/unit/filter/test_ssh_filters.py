# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters of the ssh mesh and of imported inventories: what they take from results and say of them."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.dgxspark.sglang.plugins.filter.nvidia_inventory import nvidia_inventory
from ansible_collections.dgxspark.sglang.plugins.filter.ssh_mesh_plan import ssh_mesh_plan
from ansible_collections.dgxspark.sglang.plugins.filter.ssh_mesh_story import ssh_mesh_story

NODES = ["spark-02", "spark-01"]
SAID = "Task failed: Failed to connect to the host via ssh: ssh: connect to host 10.0.0.12 port 22: No route to host"


def looked(number: int, **changes: t.Any) -> dict[str, t.Any]:
    look = {
        "user": "spark",
        "home": "/home/spark",
        "public_key": f"ssh-ed25519 AAAAkey{number} x",
        "host_keys": [f"ssh-ed25519 AAAAhost{number} x"],
        "port": 22,
        "address": f"10.0.0.1{number}",
        "addresses": [f"10.0.0.1{number}/24", f"192.168.100.1{number}/24", f"192.168.101.1{number}/24"],
        "loose": [],
        **changes,
    }
    return {"changed": False, "look": look}


def hostvars(second: dict[str, t.Any] | None = None, **more: t.Any) -> dict[str, t.Any]:
    """Return two nodes that were looked at, the second with these changes."""
    return {
        "spark-01": {"ansible_host": "10.0.0.11", "ssh_mesh_looked": looked(1), **more},
        "spark-02": {"ansible_host": "10.0.0.12", "ssh_mesh_looked": looked(2), **more, **(second or {})},
    }


def hosts_of(plan: dict[str, t.Any], node: str) -> list[str]:
    return [target["host"] for target in plan["targets"] if target["node"] == node]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({}, ["192.168.100.12", "192.168.101.12"], id="of the default pool"),
        pytest.param({"spark_fabric_pool": "10.9.0.0/23"}, [], id="of a pool that the node has no address of yet"),
        pytest.param({"spark_fabric_addresses": ["192.168.100.12/24"]}, ["192.168.100.12"], id="stated with a length"),
        pytest.param({"spark_fabric_addresses": ["10.8.0.12"]}, ["10.8.0.12"], id="stated, and not there"),
    ],
)
def test_which_fabric_addresses_are_ways_to_a_node(more: dict[str, t.Any], expected: list[str]) -> None:
    plan = ssh_mesh_plan(hostvars(second=more), NODES, "spark-01")
    assert hosts_of(plan, "spark-02") == ["spark-02", "10.0.0.12", *expected]


def test_every_node_knows_the_same_hosts_and_keys() -> None:
    plans = [ssh_mesh_plan(hostvars(), NODES, node) for node in NODES]
    assert (plans[0]["files"], plans[0]["blocks"]) == (plans[1]["files"], plans[1]["blocks"])
    assert [plan["pairs"][0]["comment"] for plan in plans] == [f"dgxspark-sglang@{node}" for node in NODES]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param(
            {"ssh_mesh_looked": {"unreachable": True, "msg": SAID}},
            "spark-02 can't be reached: ssh: connect to host 10.0.0.12 port 22: No route to host\n"
            "  Next step: check its power, network and ssh; every node of a cluster is needed.",
            id="unreachable",
        ),
        pytest.param(
            {"ssh_mesh_looked": {"failed": True, "msg": "`ip` failed."}},
            "spark-02 failed in ssh_look: `ip` failed.",
            id="it could not be looked at",
        ),
        pytest.param(
            {"ssh_mesh_looked": None},
            "spark-02 has no result of ssh_look: --limit leaves it out, or it failed earlier in this run.\n"
            "  Next step: mend what failed before, and run it on all nodes of the cluster at once.",
            id="left out",
        ),
        pytest.param(
            {"ssh_mesh_made": {"failed": False, "msg": "Disk full."}},
            "spark-02 failed in node_state: Disk full.",
            id="no key could be made",
        ),
        pytest.param(
            {"ssh_mesh_looked": looked(2, host_keys=[])},
            "spark-02 shows no host key (/etc/ssh/ssh_host_*_key.pub).\n  Next step: run `sudo ssh-keygen -A` on it.",
            id="a reason of the mesh itself",
        ),
        pytest.param(
            {"spark_fabric_addresses": ["ten"]},
            "spark-02 has the fabric address 'ten', which is no IPv4 address.\n"
            "  Next step: write it as 192.168.100.11 or 192.168.100.11/24 in spark_fabric_addresses.",
            id="no address",
        ),
    ],
)
def test_reasons_against_a_mesh(second: dict[str, t.Any], expected: str) -> None:
    assert ssh_mesh_plan(hostvars(second=second), NODES, "spark-01") == {"reason": expected}


@pytest.mark.parametrize(
    ("second", "refused"),
    [
        ({"ansible_user": "spark", "ansible_become": True}, True),
        ({"ansible_user": "spark"}, True),
        ({"ansible_become": "yes"}, True),
        ({"ansible_user": "root", "ansible_become": True}, False),
        ({}, False),
    ],
)
def test_no_mesh_is_made_for_root_who_is_not_the_login(second: dict[str, t.Any], refused: bool) -> None:
    known = hostvars(second={"ssh_mesh_looked": looked(2, user="root", home="/root"), **second})
    reason = ssh_mesh_plan(known, NODES, "spark-01")["reason"]
    assert reason == (
        "ssh_look ran as root on spark-02: ansible_become overrules its become: false, so the mesh would be root's.\n"
        "  Next step: remove ansible_become from the inventory and from -e; the roles become root where they need to,"
        " and -b is not needed."
        if refused
        else ""
    )


def test_keys_are_missed_once_they_have_to_be_there() -> None:
    known = hostvars(second={"ssh_mesh_looked": looked(2, public_key="")})
    reasons = [ssh_mesh_plan(known, NODES, "spark-01", made=made)["reason"] for made in (False, True)]
    assert [bool(reason) for reason in reasons] == [False, True]


def test_a_node_without_a_cluster_is_told() -> None:
    assert ssh_mesh_plan(hostvars(), [], "spark-01") == {
        "reason": "spark-01 belongs to no cluster.\n  Next step: set spark_cluster to the name of its group."
    }


def way(node: str, host: str) -> dict[str, str]:
    return {"node": node, "host": host, "words": "refused", "meaning": "nothing listens", "hint": "start sshd."}


def outcome(**second: t.Any) -> dict[str, t.Any]:
    good = {"ssh_mesh_written": {"actions": []}, "ssh_mesh_verified": {"changed": False, "failed_ways": []}}
    return {"spark-01": good, "spark-02": {**good, **second}}


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param({}, "", id="all reach all"),
        pytest.param(
            {"ssh_mesh_written": {"failed": False, "msg": "ssh -G: bad option"}},
            "spark-02 failed in node_state: ssh -G: bad option",
            id="not written",
        ),
        pytest.param(
            {"ssh_mesh_verified": {"unreachable": True, "msg": "gone"}},
            "spark-02 can't be reached: gone\n"
            "  Next step: check its power, network and ssh; every node of a cluster is needed.",
            id="gone meanwhile",
        ),
        pytest.param(
            {"ssh_mesh_verified": None},
            "spark-02 has no result of ssh_verify: --limit leaves it out, or it failed earlier in this run.\n"
            "  Next step: mend what failed before, and run it on all nodes of the cluster at once.",
            id="not asked",
        ),
        pytest.param(
            {"ssh_mesh_verified": {"changed": False, "failed_ways": [way("spark-01", "a"), way("spark-01", "b")]}},
            "spark-02 does not reach spark-01 as a: refused\n"
            "spark-02 does not reach spark-01 as b: refused\n"
            "  Meaning: nothing listens\n"
            "  Next step: start sshd.",
            id="two ways for one reason",
        ),
    ],
)
def test_the_story_of_a_mesh(second: dict[str, t.Any], expected: str) -> None:
    assert ssh_mesh_story(outcome(**second), NODES) == expected


def test_an_imported_inventory_has_files_and_notes() -> None:
    made = nvidia_inventory({"nodes_info": [{"ip_address": "10.0.0.1", "user": "nvidia"}]}, "solo")
    assert (sorted(made["files"]), made["notes"]) == (
        ["group_vars/solo.yml", "group_vars/sparks.yml", "hosts.yml"],
        ["spark-01 is 10.0.0.1."],
    )


def test_what_can_not_be_imported_fails_the_task() -> None:
    with pytest.raises(AnsibleFilterError, match="The file has no list nodes_info"):
        nvidia_inventory({})

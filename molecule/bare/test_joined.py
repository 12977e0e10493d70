# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two nodes that were bare and serve: rails, addresses and MTU, keys for each other, and the bandwidth between them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from molecule.cluster import PAIR

RAILS = ("enp1s0f1np1", "enP2p1s0f1np1")
ADDRESSES = {
    "spark-01": ("192.168.100.11", "192.168.101.11"),
    "spark-02": ("192.168.100.12", "192.168.101.12"),
}
WAYS = [(node, peer) for node in PAIR.nodes for peer in PAIR.nodes if node != peer]


def test_it_serves() -> None:
    assert PAIR.completion_tokens() > 0


@pytest.mark.parametrize("node", PAIR.nodes)
def test_the_rails_are_as_planned(node: str) -> None:
    for rail, address in zip(RAILS, ADDRESSES[node], strict=True):
        (link,) = json.loads(PAIR.run(node, "ip", "-json", "-4", "address", "show", "dev", rail))
        assert link["mtu"] == 9000
        assert [item["local"] for item in link["addr_info"]] == [address]
    assert PAIR.run(node, "stat", "-c", "%a %U", "/etc/netplan/60-dgxspark-sglang.yaml").strip() == "600 root"


@pytest.mark.parametrize(("node", "peer"), WAYS)
def test_full_frames_pass_on_both_rails(node: str, peer: str) -> None:
    for rail, address in zip(RAILS, ADDRESSES[peer], strict=True):
        PAIR.run(node, "ping", "-M", "do", "-s", "8972", "-c", "1", "-W", "2", "-I", rail, address)


@pytest.mark.parametrize("node", PAIR.nodes)
def test_the_management_interface_is_as_it_was(node: str) -> None:
    assert "enP7s7" not in PAIR.run(node, "sh", "-c", "cat /etc/netplan/*.yaml")
    assert "10.254.88.1 dev enP7s7" in PAIR.run(node, "ip", "route", "show", "default")


@pytest.mark.parametrize(("node", "peer"), WAYS)
def test_ssh_leads_from_node_to_node_by_name_and_address(node: str, peer: str) -> None:
    for way in (peer, *ADDRESSES[peer]):
        assert PAIR.ssh(node, way) == (0, peer)


@pytest.mark.parametrize("node", PAIR.nodes)
def test_a_host_with_another_key_is_not_trusted(node: str) -> None:
    """Host keys are known, not accepted: the peer's answers are only as good as the key that we hold of it."""
    peer = next(name for name in PAIR.nodes if name != node)
    wrong = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2hKxvAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    known = "/etc/ssh/dgxspark-sglang_known_hosts"
    PAIR.run(node, "cp", known, "/root/known")
    try:
        PAIR.run(node, "sed", "-i", f"s|ssh-ed25519 .*|{wrong}|", known)
        status, said = PAIR.ssh(node, peer)
    finally:
        PAIR.run(node, "cp", "/root/known", known)
    assert (status, "Host key verification failed" in said) == (255, True)


def test_a_node_comes_back_with_its_rails_after_a_reboot() -> None:
    """Only the rails: which ranks come back, and when, is for the server's own scenario."""
    PAIR.play("stop.yml")
    PAIR.reboot("spark-02")
    (link,) = json.loads(PAIR.run("spark-02", "ip", "-json", "-4", "address", "show", "dev", RAILS[0]))
    assert (link["mtu"], link["addr_info"][0]["local"]) == (9000, ADDRESSES["spark-02"][0])


def test_the_bandwidth_is_measured_inside_the_image(tmp_path: Path) -> None:
    played = PAIR.play("probe_fabric.yml", nccl_report=str(tmp_path), nccl_max_bytes=1048576)
    assert played.code == 0
    report = json.loads((tmp_path / "nccl.json").read_text())
    (pair,) = report["measurements"]
    assert pair["nodes"] == list(PAIR.nodes)
    assert {point["collective"] for point in pair["points"]} == {"all_gather", "all_reduce"}
    assert max(point["bytes"] for point in pair["points"]) == 1048576
    assert all(point["busbw"] > 0 and point["wrong"] == 0 for point in pair["points"])
    assert "spark-01" in (tmp_path / "nccl.svg").read_text()


def test_rails_that_do_not_reach_each_other_are_given_back(tmp_path: Path) -> None:
    """MTU 9500 can be set, but frames of that size do not pass the switch: the nodes go back to what worked."""
    played = PAIR.play("site.yml", fabric_mtu=9500)
    assert played.code != 0
    assert played.said("small packets pass, but none of 9500 bytes", "set MTU 9500 at both ends")
    PAIR.wait_until(lambda: _mtu("spark-01") == _mtu("spark-02") == 9000, 30)


def _mtu(node: str) -> int:
    return int(PAIR.run(node, "cat", f"/sys/class/net/{RAILS[0]}/mtu"))

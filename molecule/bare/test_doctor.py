# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The doctor on a healthy pair, which has nothing, and with faults, each of which it names, and no other.

GPU and ConnectX-7 are stand-ins: the doctor reads them as it reads those of a Spark.
"""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from molecule.cluster import LAB, PAIR, Cluster, Played

Found = set[tuple[str, str, str]]  # check, node (empty: all of the cluster), severity
NODE = "spark-02"
RDMA = "/sys/class/infiniband/rocep1s0f1"
SPARK: dict[str, t.Any] = {"server_gpus": "all", "server_transport": "rdma"}


def findings(folder: Path, cluster: Cluster = PAIR, **more: t.Any) -> tuple[Played, Found]:
    """Play the doctor; return how it ended, and everything that it did not find in order."""
    played = cluster.play("doctor.yml", "--check", doctor_report=str(folder), **SPARK, **more)
    assert not any(played.changed.values())
    found = json.loads((folder / "pair.json").read_text())["findings"]
    # How busy the machine is that all nodes share is no property of a node.
    wrong = [one for one in found if one["severity"] != "ok" and one["check"] != "load"]
    return played, {(one["check"], one["node"], one["severity"]) for one in wrong}


def what_the_lab_can_not_have() -> Found:
    """On a machine without CAP_SYS_RESOURCE nobody may raise the limit of locked memory, and the doctor says so."""
    limits = PAIR.run(NODE, "grep", "Max locked memory", "/proc/1/limits")
    return set() if limits.split()[4] == "unlimited" else {("memlock", node, "warn") for node in PAIR.nodes}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Found:
    played, found = findings(tmp_path_factory.mktemp("healthy"))
    assert played.code == 0
    assert {item for item in found if item[2] != "info"} == what_the_lab_can_not_have()
    return found


def test_a_healthy_pair_has_nothing_that_matters(healthy: Found) -> None:
    """Of no consequence: it is no DGX OS, its clock has no NTP, and its own name is its loopback address."""
    assert {check for check, _node, severity in healthy if severity == "info"} == {"os", "time-sync", "own-name"}


# Each round plants its faults together: what is planted, how it is taken away, and what must be found of it.
Fault = tuple[str, str, Found]
ROUNDS: dict[str, list[Fault]] = {
    "what slows it down": [
        ("ip link set enp1s0f1np1 mtu 1500", "ip link set enp1s0f1np1 mtu 9000", {("mtu", NODE, "fail")}),
        (
            "touch /etc/nvidia/cx7-hotplug-enabled",
            "rm /etc/nvidia/cx7-hotplug-enabled",
            {("hotplug", NODE, "warn")},
        ),
        (
            f"echo 2 > {RDMA}/device/current_link_width",
            f"echo 4 > {RDMA}/device/current_link_width",
            {("pcie", NODE, "warn")},
        ),
        (
            f"cp {RDMA}/fw_ver /root/fw; echo 28.39.1002 > {RDMA}/fw_ver",
            f"cat /root/fw > {RDMA}/fw_ver",
            {("versions", "", "warn")},
        ),
        (
            "cp /etc/lab/gpu.csv /root/; sed -i 's/^driver_version.*/driver_version, 570.10/' /etc/lab/gpu.csv",
            "cp /root/gpu.csv /etc/lab/gpu.csv",
            {("driver", NODE, "warn")},
        ),
        (
            "cp /etc/lab/gpu-processes.csv /root/; echo '1, python3, 33000' >> /etc/lab/gpu-processes.csv",
            "cp /root/gpu-processes.csv /etc/lab/",
            {("gpu-tenants", NODE, "warn")},
        ),
        (
            "gpasswd --delete spark docker",
            "gpasswd --add spark docker",
            {("docker-group", NODE, "info")},
        ),
    ],
    "what prevents it": [
        (
            "mv /etc/lab/gpu.csv /root/gpu.csv",
            "mv /root/gpu.csv /etc/lab/gpu.csv",
            {("gpu", NODE, "fail")},
        ),
        (
            "ip address delete 192.168.101.12/24 dev enP2p1s0f1np1",
            "ip address add 192.168.101.12/24 dev enP2p1s0f1np1",
            {("fabric-addresses", NODE, "fail")},
        ),
        (
            "ip address add 192.168.100.11/32 dev lo",
            "ip address delete 192.168.100.11/32 dev lo",
            {("address-collision", NODE, "fail"), ("subnets", NODE, "warn")},
        ),
        (
            "mv /usr/lib/python3/dist-packages/docker /root/docker-sdk",
            "mv /root/docker-sdk /usr/lib/python3/dist-packages/docker",
            {("docker-sdk", NODE, "fail")},
        ),
        (
            "systemd-run --quiet --unit=squatter python3 -m http.server 31000; sleep 1",
            "systemctl stop squatter",
            {("ports", NODE, "fail")},
        ),
        (
            "cp /etc/hosts /root/hosts; sed '/docker.io/d' /root/hosts > /etc/hosts",
            "cat /root/hosts > /etc/hosts",
            {("registry", NODE, "info")},
        ),
    ],
    "what Docker has": [
        (
            "mv /usr/bin/nvidia-container-runtime-hook /root/hook; systemctl restart docker",
            "mv /root/hook /usr/bin/nvidia-container-runtime-hook; systemctl restart docker",
            {("gpu-runtime", NODE, "fail")},
        ),
        (
            "docker image tag lmsysorg/sglang:v0.5.23 keep:1;"
            " printf 'FROM keep:1\\nLABEL another=image\\n' | docker build --quiet --tag lmsysorg/sglang:v0.5.23 -",
            "docker image tag keep:1 lmsysorg/sglang:v0.5.23; docker image rm keep:1; docker image prune --force",
            {("image", "", "fail")},
        ),
        (
            "docker run --detach --name webui --entrypoint sleep keep:1 600",
            "docker rm --force webui",
            {("other-containers", NODE, "info")},
        ),
    ],
    "no Docker": [
        (
            "systemctl stop docker.socket docker.service",
            "systemctl start docker.service",
            {("docker", NODE, "fail")},
        ),
    ],
}


@pytest.mark.parametrize("name", ROUNDS)
def test_every_fault_is_named_and_none_is_invented(name: str, healthy: Found, tmp_path: Path) -> None:
    expected = set[tuple[str, str, str]]().union(*(found for _plant, _undo, found in ROUNDS[name]))
    done = []
    try:
        for plant, undo, _found in ROUNDS[name]:
            done.append(undo)
            PAIR.run(NODE, "sh", "-c", plant)
        played, found = findings(tmp_path, server_port=31000)
    finally:
        for undo in reversed(done):
            PAIR.run(NODE, "sh", "-c", undo)
    assert found - healthy == expected
    assert (played.code != 0) is any(severity == "fail" for _check, _node, severity in expected)


TREES = {"one-rail-up": {("rails", NODE, "warn")}, "hot-plugged-away": {("rails", NODE, "fail")}}


@pytest.mark.parametrize("tree", TREES)
def test_a_recorded_fault_is_named(tree: str, tmp_path: Path) -> None:
    subprocess.run([*LAB, "hardware", NODE, tree], check=True, capture_output=True)
    try:
        found = findings(tmp_path)[1]
    finally:
        subprocess.run([*LAB, "hardware", NODE, "two-rails-up"], check=True, capture_output=True)
    assert TREES[tree] <= found


def test_a_node_that_is_away_hides_no_other(healthy: Found, tmp_path: Path) -> None:
    address = json.loads(PAIR.inventory_of(NODE))["ansible_host"]
    inventory = tmp_path / "hosts.yml"
    # On loopback, nobody listens at this address.
    inventory.write_text(PAIR.inventory.read_text().replace(f"ansible_host: {address}\n", "ansible_host: 127.0.0.9\n"))
    found = findings(tmp_path, Cluster(inventory, PAIR.nodes))[1]
    assert ("reachable", NODE, "fail") in found
    assert {item for item in healthy if item[1] == "spark-01"} <= found


def test_the_pair_is_healthy_again(healthy: Found, tmp_path: Path) -> None:
    assert PAIR.play("site.yml").code == 0  # what hardware took away from the rails, a run gives back
    assert findings(tmp_path)[1] == healthy

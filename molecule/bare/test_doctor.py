# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The doctor on a healthy pair, which has nothing, and with one fault after the other, each of which it names.

GPU and ConnectX-7 are stand-ins: the doctor reads them as it reads those of a Spark.
"""

from __future__ import annotations

import json
import subprocess
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest

from molecule.cluster import LAB, PAIR, Played

NODE = "spark-02"
RDMA = "/sys/class/infiniband/rocep1s0f1"
CX7 = f"{RDMA}/device"
SPARK: dict[str, t.Any] = {"server_gpus": "all", "server_transport": "rdma"}


@contextmanager
def planted(plant: str, undo: str) -> t.Iterator[None]:
    PAIR.run(NODE, "sh", "-c", plant)
    try:
        yield
    finally:
        PAIR.run(NODE, "sh", "-c", undo)


@contextmanager
def hardware(tree: str) -> t.Iterator[None]:
    subprocess.run([*LAB, "hardware", NODE, tree], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*LAB, "hardware", NODE, "two-rails-up"], check=True, capture_output=True)


def findings(folder: Path, **more: t.Any) -> tuple[Played, set[tuple[str, str, str]]]:
    """Play the doctor; return how it ended, and the (check, node, severity) of everything above info."""
    played = PAIR.play("doctor.yml", "--check", doctor_report=str(folder), **SPARK, **more)
    assert not any(played.changed.values())
    found = json.loads((folder / "pair.json").read_text())["findings"]
    return played, {
        (finding["check"], node, finding["severity"])
        for finding in found
        for node in [finding["node"]]
        if finding["severity"] in ("fail", "warn")
    }


def test_a_healthy_pair_has_nothing(tmp_path: Path) -> None:
    played, found = findings(tmp_path)
    assert found == set()
    assert played.code == 0


EDIT = "cp /etc/lab/gpu.csv /root/gpu.csv; sed -i '{}' /etc/lab/gpu.csv"
UNEDIT = "cp /root/gpu.csv /etc/lab/gpu.csv"
# What is planted, how it is taken away, and the check that must name it.
FAULTS: dict[str, tuple[str, str, str, str]] = {
    "rail with a small MTU": (
        "ip link set enp1s0f1np1 mtu 1500", "ip link set enp1s0f1np1 mtu 9000", "mtu", "fail"
    ),
    "address lost": (
        "ip address delete 192.168.101.12/24 dev enP2p1s0f1np1",
        "ip address add 192.168.101.12/24 dev enP2p1s0f1np1",
        "fabric-addresses", "fail",
    ),
    "address of the peer": (
        "ip address add 192.168.100.11/32 dev lo", "ip address delete 192.168.100.11/32 dev lo",
        "address-collision", "fail",
    ),
    "hot-plug marker": (
        "touch /etc/nvidia/cx7-hotplug-enabled", "rm /etc/nvidia/cx7-hotplug-enabled", "hotplug", "warn"
    ),
    "PCIe with half the lanes": (
        f"echo 2 > {CX7}/current_link_width", f"echo 4 > {CX7}/current_link_width", "pcie", "warn"
    ),
    "PCIe at its slowest": (
        f"cp {CX7}/current_link_speed /root/speed; echo '2.5 GT/s PCIe' > {CX7}/current_link_speed",
        f"cat /root/speed > {CX7}/current_link_speed", "pcie", "warn",
    ),
    "another firmware": (
        f"cp {RDMA}/fw_ver /root/fw; echo 28.39.1002 > {RDMA}/fw_ver", f"cat /root/fw > {RDMA}/fw_ver",
        "versions", "warn",
    ),
    "an old driver": (EDIT.format("s/^driver_version.*/driver_version, 570.10/"), UNEDIT, "driver", "warn"),
    "no driver": ("mv /etc/lab/gpu.csv /root/gpu.csv", "mv /root/gpu.csv /etc/lab/gpu.csv", "gpu", "fail"),
    "a GPU process left over": (
        "cp /etc/lab/gpu-processes.csv /root/p; echo '1, python3, 33000' >> /etc/lab/gpu-processes.csv",
        "cp /root/p /etc/lab/gpu-processes.csv", "gpu-tenants", "warn",
    ),
    "Docker not running": (
        "systemctl stop docker.socket docker.service", "systemctl start docker.service", "docker", "fail"
    ),
    "no NVIDIA runtime": (
        "mv /usr/bin/nvidia-container-runtime-hook /root/hook; systemctl restart docker",
        "mv /root/hook /usr/bin/nvidia-container-runtime-hook; systemctl restart docker", "gpu-runtime", "fail",
    ),
    "memory that can't be locked": (
        "mv /etc/security/limits.d/90-dgxspark-sglang.conf /root/limits",
        "mv /root/limits /etc/security/limits.d/90-dgxspark-sglang.conf", "memlock", "warn",
    ),
    "no Docker SDK": (
        "mv /usr/lib/python3/dist-packages/docker /root/docker-sdk",
        "mv /root/docker-sdk /usr/lib/python3/dist-packages/docker", "docker-sdk", "fail",
    ),
    "no way to the registry": (
        "cp /etc/hosts /root/hosts; sed '/docker.io/d' /root/hosts > /etc/hosts",
        "cat /root/hosts > /etc/hosts", "registry", "warn",
    ),
    "another image under the same name": (
        "docker image tag lmsysorg/sglang:v0.5.23 keep:1; docker pull -q lmsysorg/sglang:broken;"
        " docker image tag lmsysorg/sglang:broken lmsysorg/sglang:v0.5.23",
        "docker image tag keep:1 lmsysorg/sglang:v0.5.23; docker image rm keep:1 lmsysorg/sglang:broken",
        "image", "fail",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(fault: str, tmp_path: Path) -> None:
    plant, undo, check, severity = FAULTS[fault]
    with planted(plant, undo):
        played, found = findings(tmp_path)
    assert (check, NODE, severity) in found
    assert (played.code != 0) is (severity == "fail")


TREES = {"one-rail-up": ("rails", "warn"), "no-cable": ("rails", "fail"), "hot-plugged-away": ("rails", "fail")}


@pytest.mark.parametrize("tree", TREES)
def test_a_recorded_fault_is_named(tree: str, tmp_path: Path) -> None:
    check, severity = TREES[tree]
    with hardware(tree):
        assert (check, NODE, severity) in findings(tmp_path)[1]


def test_a_port_that_somebody_has_is_named(tmp_path: Path) -> None:
    """Every rank listens at the API's port: a worker says there that it has loaded."""
    with planted(
        "systemd-run --quiet --unit=squatter python3 -m http.server 31000; sleep 1", "systemctl stop squatter"
    ):
        found = findings(tmp_path, server_port=31000)[1]
    assert ("ports", NODE, "fail") in found


def test_a_node_that_is_away_hides_no_other(tmp_path: Path) -> None:
    """Its ssh is closed, so it can't be reached; what the other has is told all the same."""
    with planted("systemctl stop ssh.service ssh.socket; true", "systemctl start ssh.service"):
        found = findings(tmp_path)[1]
    assert ("reachable", NODE, "fail") in found


def test_the_pair_is_healthy_again(tmp_path: Path) -> None:
    PAIR.wait_until(lambda: findings(tmp_path)[1] == set(), 60)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges import _host
from ansible_collections.dgxspark.sglang.plugins.module_utils.fabric._fabric import Interface
from ansible_collections.dgxspark.sglang.tests.unit.builders import shown

# Shortened from `ip -json address show` of iproute2 6.1: a tunnel without a link type's address, a rail with two.
IP_JSON = [
    {"ifname": "lo", "mtu": 65536, "operstate": "UNKNOWN", "addr_info": [{"family": "inet", "local": "127.0.0.1"}]},
    {
        "ifname": "enp1s0f1np1",
        "mtu": 9000,
        "operstate": "UP",
        "addr_info": [{"family": "inet", "local": "192.168.100.11"}, {"family": "inet6", "local": "fe80::1"}],
    },
    {"ifname": "enP2p1s0f1np1", "mtu": 1500, "operstate": "DOWN", "addr_info": [{}]},
]


def test_rdma_devices_are_found_by_the_interface_in_front(tmp_path: Path) -> None:
    """The four functions of a Spark's ConnectX-7, as /sys/class/infiniband shows them."""
    pairs = {
        "enp1s0f0np0": "rocep1s0f0",
        "enp1s0f1np1": "rocep1s0f1",
        "enP2p1s0f0np0": "roceP2p1s0f0",
        "enP2p1s0f1np1": "roceP2p1s0f1",
    }
    for interface, device in pairs.items():
        (tmp_path / device / "device/net" / interface).mkdir(parents=True)
    assert _host.rdma_devices(str(tmp_path)) == pairs


def test_a_node_without_rdma_has_no_devices(tmp_path: Path) -> None:
    assert _host.rdma_devices(str(tmp_path / "infiniband")) == {}


def test_interfaces_are_read_from_iproute2() -> None:
    asked: list[list[str]] = []

    def run(command: list[str]) -> tuple[int, str, str]:
        asked.append(command)
        return 0, json.dumps(IP_JSON), ""

    found = {face.name: face for face in _host.interfaces(run)}
    assert asked == [["ip", "-json", "address", "show"]]
    assert found == {
        "lo": Interface("lo", ("127.0.0.1",), 65536, True),
        "enp1s0f1np1": Interface("enp1s0f1np1", ("192.168.100.11", "fe80::1"), 9000, True),
        "enP2p1s0f1np1": Interface("enP2p1s0f1np1", (), 1500, False),
    }


def test_without_iproute2_the_next_step_is_told() -> None:
    with pytest.raises(SparkError) as caught:
        _host.interfaces(lambda command: (2, "", "No such file or directory: b'ip'\n"))
    what = "`ip -json address show` failed: No such file or directory: b'ip'"
    assert shown(caught.value.problems) == [(what, "install iproute2 on the node.")]


def test_the_owner_of_a_port_is_found_by_its_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        owner = _host.listeners([port])[port]
    assert owner["pid"] == os.getpid()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "0::/system.slice/system-dgxspark\\x2dsglang.slice/dgxspark-sglang@sglang.service\n",
            "dgxspark-sglang@sglang.service",
        ),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", ""),
        ("", ""),
    ],
)
def test_the_service_of_a_process_is_in_its_cgroup(monkeypatch: pytest.MonkeyPatch, text: str, expected: str) -> None:
    monkeypatch.setattr(_host, "_read", lambda path: text)
    assert _host.unit_of("1") == expected


def test_a_port_that_nobody_listens_on_has_no_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert _host.listeners([port]) == {}


def test_memory_is_what_the_kernel_says() -> None:
    found = _host.memory()
    text = Path("/proc/meminfo").read_text(encoding="utf-8")
    total = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("MemTotal:"))
    assert found["total"] == total * 1024
    assert 0 < found["available"] <= found["total"]

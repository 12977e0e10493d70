# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may reach a node: the admin port, the firewall, and that nobody is locked out."""

from __future__ import annotations

import socket
import typing as t

import pytest

from molecule.cluster import PAIR, Played

FIREWALL: dict[str, t.Any] = {"host_firewall": True, "host_ssh_ports": [22, 2222], "host_guard": 20}
ADDRESSES = {"spark-01": "10.254.88.11", "spark-02": "10.254.88.12"}


def open_from_here(node: str, port: int) -> bool:
    try:
        with socket.create_connection((ADDRESSES[node], port), timeout=2):
            return True
    except OSError:
        return False


def open_from_peer(address: str, port: int) -> bool:
    return "open" in PAIR.run(
        "spark-02", "sh", "-c", f"timeout 2 bash -c '</dev/tcp/{address}/{port}' && echo open || true"
    )


def host(**variables: t.Any) -> Played:
    return PAIR.play("molecule/bare/host.yml", **variables)


@pytest.fixture(scope="module", autouse=True)
def listener() -> t.Iterator[None]:
    """A program on spark-01 that listens everywhere at a port nobody was told of, and one at the API's."""
    for port in (8123, 30000):
        PAIR.run(
            "spark-01", "systemd-run", "--quiet", f"--unit=listener-{port}", "python3", "-m", "http.server", str(port)
        )
    yield
    for port in (8123, 30000):
        PAIR.run("spark-01", "systemctl", "stop", f"listener-{port}")


def test_without_the_firewall_everything_is_open() -> None:
    PAIR.wait_until(lambda: open_from_here("spark-01", 8123), 10)
    assert open_from_peer("10.254.88.11", 8123)


def test_the_firewall_opens_what_it_must_and_nothing_else() -> None:
    played = host(**FIREWALL)
    assert played.code == 0
    assert open_from_here("spark-01", 22)
    assert open_from_here("spark-01", 2222)
    assert open_from_here("spark-01", 30000)  # the head's API
    assert not open_from_here("spark-01", 8123)
    assert not open_from_peer("10.254.88.11", 8123)
    assert open_from_peer("192.168.100.11", 8123)  # between the rails of the cluster everything is open


def test_a_second_run_changes_nothing() -> None:
    assert set(host(**FIREWALL).changed.values()) == {0}


def test_the_api_is_open_only_to_whom_the_inventory_says() -> None:
    assert host(**FIREWALL, host_firewall_api_from=["10.99.0.0/16"]).code == 0
    assert not open_from_here("spark-01", 30000)
    assert open_from_here("spark-01", 22)


def test_who_would_be_locked_out_gets_the_node_back() -> None:
    played = host(**{**FIREWALL, "host_firewall_ssh_from": ["10.99.0.0/16"]})
    assert played.code != 0
    assert played.said("does not answer at port 22", "the node takes it back within 20 s")
    PAIR.wait_until(lambda: open_from_here("spark-01", 22) and open_from_here("spark-02", 22), 40)
    # What was there before that run is there again: the firewall of the run before.
    assert not open_from_here("spark-01", 30000)


def test_the_port_in_use_can_not_be_closed() -> None:
    played = host(host_ssh_ports=[2222])
    assert played.code != 0
    assert played.said("host_ssh_ports is [2222]", "Ansible connects at port 22")


def test_what_is_no_longer_asked_for_is_put_back() -> None:
    assert host().code == 0
    assert open_from_here("spark-01", 8123)
    assert not open_from_here("spark-01", 2222)

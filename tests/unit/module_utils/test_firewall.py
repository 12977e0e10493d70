# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of ufw: exactly who is meant to come in."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils._firewall import rules

NOTHING: dict[str, t.Any] = {
    "ssh_ports": (), "ssh_from": (), "api_ports": (), "api_from": (), "own": (), "peers": (),
}  # fmt: skip

CASES: list[tuple[dict[str, t.Any], list[str]]] = [
    ({}, []),
    ({"ssh_ports": [22, 2222]}, ["allow 22/tcp", "allow 2222/tcp"]),
    (
        {"ssh_ports": [22], "ssh_from": ["10.0.0.0/24", "10.1.1.1"]},
        ["allow from 10.0.0.0/24 to any port 22 proto tcp", "allow from 10.1.1.1 to any port 22 proto tcp"],
    ),
    ({"api_ports": [30000]}, ["allow 30000/tcp"]),
    ({"api_ports": [30000], "api_from": ["10.0.0.7/24"]}, ["allow from 10.0.0.0/24 to any port 30000 proto tcp"]),
    ({"api_ports": [30000], "api_from": ["10.0.0.7/32"]}, ["allow from 10.0.0.7 to any port 30000 proto tcp"]),
    (
        {"own": ("192.168.100.11", "192.168.101.11"), "peers": [("192.168.100.12", "192.168.101.12")]},
        ["allow from 192.168.100.12 to 192.168.100.11", "allow from 192.168.101.12 to 192.168.101.11"],
    ),
]


@pytest.mark.parametrize(("given", "wanted"), CASES)
def test_rules(given: dict[str, t.Any], wanted: list[str]) -> None:
    assert rules(**{**NOTHING, **given}) == wanted


def test_every_wrong_network_is_named() -> None:
    with pytest.raises(SparkError) as caught:
        rules(**{**NOTHING, "ssh_from": ["home"], "api_from": ["10.0.0.0/33"]})
    assert [problem.what for problem in caught.value.problems] == [
        "host_firewall_ssh_from has 'home', which is no network.",
        "host_firewall_api_from has '10.0.0.0/33', which is no network.",
    ]

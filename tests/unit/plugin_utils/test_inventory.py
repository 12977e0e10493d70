# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everybody on the controller reads the fabric's addresses out of the inventory in the same way."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.plugin_utils._inventory import fabric_addresses
from ansible_collections.dgxspark.sglang.tests.unit.builders import shown

NODES = ["spark-02", "spark-01"]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param({}, ("192.168.100.12", "192.168.101.12"), id="the default pool"),
        pytest.param({"spark_fabric_pool": "10.9.0.0/23"}, ("10.9.0.12", "10.9.1.12"), id="a pool"),
        pytest.param({"spark_fabric_addresses": ["10.8.0.1"]}, ("10.8.0.1",), id="stated"),
        pytest.param({"spark_fabric_addresses": ["10.8.0.1/25", "10.8.1.1/25"]}, ("10.8.0.1", "10.8.1.1"), id="length"),
        pytest.param({"spark_fabric_addresses": []}, ("192.168.100.12", "192.168.101.12"), id="an empty list"),
    ],
)
def test_addresses_of_a_node(known: dict[str, t.Any], expected: tuple[str, ...]) -> None:
    found = fabric_addresses({"spark-01": {}, "spark-02": known}, NODES)
    assert found == {"spark-01": ("192.168.100.11", "192.168.101.11"), "spark-02": expected}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (
            {"spark_fabric_addresses": "10.8.0.1"},
            (
                "spark_fabric_addresses of spark-02 is '10.8.0.1', needed is a list.",
                "write it as a YAML list, that of rail 1 first.",
            ),
        ),
        (
            {"spark_fabric_addresses": ["spark-02.fabric"]},
            (
                "spark-02 has the fabric address 'spark-02.fabric', which is no IPv4 address.",
                "write it as 192.168.100.11 or 192.168.100.11/24 in spark_fabric_addresses.",
            ),
        ),
        (
            {"spark_fabric_pool": "10.9.0.0/30"},
            (
                "spark_fabric_pool 10.9.0.0/30 is too small: needed are 2 subnets with room for host number 12.",
                "set spark_fabric_pool to a free private IPv4 network, for example 192.168.100.0/23.",
            ),
        ),
    ],
    ids=["no list", "a host name", "a small pool"],
)
def test_what_is_wrong_is_told(known: dict[str, t.Any], expected: tuple[str, str]) -> None:
    with pytest.raises(SparkError) as caught:
        fabric_addresses({"spark-01": {}, "spark-02": known}, NODES)
    assert shown(caught.value.problems) == [expected]

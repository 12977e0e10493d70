# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the inventory says of the nodes of a cluster, for everybody on the controller who has to know."""

from __future__ import annotations

import typing as t

from ..module_utils._addresses import derive
from ..module_utils._errors import SparkError

# Its two halves are the subnets of NVIDIA's own examples for two and more Sparks.
DEFAULT_POOL = "192.168.100.0/23"


def stated_addresses(hostvars: t.Any, node: str) -> tuple[str, ...]:
    """Return `spark_fabric_addresses` of a node as it stands there. Raises SparkError when it is no list."""
    stated = hostvars[node].get("spark_fabric_addresses") or ()
    if isinstance(stated, str):
        raise SparkError(
            f"spark_fabric_addresses of {node} is {stated!r}, needed is a list.",
            "write it as a YAML list: the address on the first rail, then on the second.",
        )
    return tuple(map(str, stated))


def fabric_pool(hostvars: t.Any, node: str) -> str:
    return str(hostvars[node].get("spark_fabric_pool") or DEFAULT_POOL)


def fabric_addresses(hostvars: t.Any, nodes: t.Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return node -> its fabric addresses, rail 1 first, without prefix length: as stated, else from the pool."""
    return {
        node: tuple(text.partition("/")[0] for text in stated_addresses(hostvars, node))
        or derive(fabric_pool(hostvars, node), nodes, node)
        for node in nodes
    }

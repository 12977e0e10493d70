# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the rails of all nodes are there to be measured."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nccl_refusal
short_description: Tell why the links of a cluster can't be measured
version_added: 0.1.0
description:
  - Takes what M(dgxspark.sglang.nccl_probe) with O(dgxspark.sglang.nccl_probe#module:state=discovered) returned on
    every node, and returns one text for all.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: C(hostvars), with the registered result C(nccl_discovered) of every node.
    type: dict
    required: true
  nodes:
    description: The nodes of the cluster.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Every node must have its rails
  ansible.builtin.assert:
    that: reason | length == 0
    fail_msg: "{{ reason }}"
  vars:
    reason: "{{ hostvars | dgxspark.sglang.nccl_refusal(groups['pair']) }}"
"""

RETURN = r"""
_value:
  description: The reasons against measuring; empty when there are none.
  type: str
"""

import typing as t

from ..module_utils._errors import Problem
from ..module_utils._results import account


def nccl_refusal(hostvars: t.Any, nodes: t.Sequence[str]) -> str:
    if len(nodes) < 2:
        alone = Problem(f"{', '.join(nodes)} has nobody to measure with.", "a cluster of two nodes or more has links.")
        return str(alone)
    results = {node: hostvars[node].get("nccl_discovered") or {} for node in nodes}
    return "\n".join(text for node, result in results.items() for text in _reasons(node, result))


def _reasons(node: str, result: t.Mapping[str, t.Any]) -> list[str]:
    if "problems" not in result:
        return [account(node, result, "nccl_probe")]
    return [str(Problem(**problem)) for problem in result["problems"]]


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"nccl_refusal": nccl_refusal}

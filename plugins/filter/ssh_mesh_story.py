# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether every node of a cluster reaches every other."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ssh_mesh_story
short_description: Tell which nodes of a cluster do not reach each other by ssh
version_added: 0.1.0
description:
  - Takes what M(dgxspark.sglang.node_state) wrote and what M(dgxspark.sglang.ssh_verify) tried on every node.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: C(hostvars), with the registered results C(ssh_mesh_written) and C(ssh_mesh_verified) of every node.
    type: dict
    required: true
  nodes:
    description: The nodes of the cluster.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Every node must reach every other
  ansible.builtin.assert:
    that: story | length == 0
    fail_msg: "{{ story }}"
  vars:
    story: "{{ hostvars | dgxspark.sglang.ssh_mesh_story(groups['alpha']) }}"
"""

RETURN = r"""
_value:
  description: Who does not reach whom, ssh's own last words, what they mean and the next step; empty when all do.
  type: str
"""

import typing as t

from ..module_utils._errors import Problem
from ..module_utils._results import account


def ssh_mesh_story(hostvars: t.Any, nodes: t.Sequence[str]) -> str:
    lines: list[str] = []
    for node in sorted(nodes):
        known = hostvars[node]
        for step, result, proof in (
            ("node_state", "ssh_mesh_written", "actions"),
            ("ssh_verify", "ssh_mesh_verified", "failed_ways"),
        ):
            if proof not in (known.get(result) or {}):
                lines.append(account(node, known.get(result), step))
                break
    if lines:
        return "\n".join(lines)
    # One cause may break many ways: its next step is told once.
    broken: dict[Problem, list[str]] = {}
    for node in sorted(nodes):
        for item in hostvars[node]["ssh_mesh_verified"]["failed_ways"]:
            way = f"{node} does not reach {item['node']} as {item['host']}: {item['words']}"
            broken.setdefault(Problem(item["meaning"], item["hint"]), []).append(way)
    return "\n".join(f"{chr(10).join(ways)}\n  Meaning: {problem}" for problem, ways in broken.items())


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ssh_mesh_story": ssh_mesh_story}

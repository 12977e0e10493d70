# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster can go back to."""

from __future__ import annotations

DOCUMENTATION = r"""
name: server_fallback
short_description: Tell whether a cluster can go back to its last good plan
version_added: 0.1.0
description:
  - Takes what M(dgxspark.sglang.node_probe) found as C(last_good) on every node of a cluster.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: C(hostvars), with the registered results C(server_looked) and C(server_started) of every node.
    type: dict
    required: true
  nodes:
    description: The nodes of the cluster.
    type: list
    elements: str
    required: true
  failed:
    description: The generation that did not pass the gate.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Tell what the cluster can go back to
  ansible.builtin.debug:
    msg: "{{ hostvars | dgxspark.sglang.server_fallback(groups['pair'], server_planned.plan.generation) }}"
"""

RETURN = r"""
_value:
  description: Whether the last good plan is C(usable), the C(reason) if not, its C(generation) and C(model).
  type: dict
  sample: {usable: true, reason: "", generation: 5b1c0d9e8f7a, model: qwen3-32b-nvfp4}
"""

import typing as t
from dataclasses import asdict

from ..module_utils._recovery import fallback


def server_fallback(hostvars: t.Any, nodes: t.Sequence[str], failed: str) -> dict[str, t.Any]:
    kept = {node: (hostvars[node].get("server_looked") or {}).get("probe", {}).get("last_good", {}) for node in nodes}
    changed = any((hostvars[node].get("server_started") or {}).get("changed") for node in nodes)
    return asdict(fallback(kept, failed, changed))


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"server_fallback": server_fallback}

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
  plan:
    description: The plan that failed, with its C(generation) and its C(ranks).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Tell what the cluster can go back to
  ansible.builtin.debug:
    msg: "{{ hostvars | dgxspark.sglang.server_fallback(groups['pair'], server_planned.plan) }}"
"""

RETURN = r"""
_value:
  description: Whether the last good plan is C(usable), the C(reason) if not, its C(generation), C(model) and C(nodes),
    and whether to C(halt) what is left.
  type: dict
  sample: {usable: true, reason: "", generation: 5b1c0d9e8f7a, model: gpt-oss-120b, nodes: [spark-01], halt: true}
"""

import typing as t
from dataclasses import asdict

from ..module_utils.keeper._unit import DISABLE
from ..module_utils.server._container import RENEW
from ..module_utils.server._plan import runs
from ..module_utils.server._recovery import Outcome, fallback
from .server_story import server_story


def server_fallback(hostvars: t.Any, nodes: t.Sequence[str], plan: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    probes = {node: (hostvars[node].get("server_looked") or {}).get("probe", {}) for node in nodes}
    kept = {node: probe.get("last_good", {}) for node, probe in probes.items()}
    found = {node: probe.get("container", {}) for node, probe in probes.items()}
    # Where all was as planned there was nothing to do, also for a node that did not answer. Else it may have done it.
    idle = [node for node in nodes if node not in plan["ranks"]]
    planned = runs(plan["generation"], {node: found[node] for node in plan["ranks"]}) and not any(map(found.get, idle))
    started = [hostvars[node].get("server_started") or {"unreachable": True} for node in nodes]
    touched = any(_touched(result, unknown=not planned) for result in started)
    told = server_story(hostvars, list(plan["ranks"]), nodes)
    return asdict(fallback(kept, plan["generation"], Outcome(told["started"], touched, told["step"])))


def _touched(result: t.Mapping[str, t.Any], unknown: bool) -> bool:
    """Whether a container was touched: not by new secret files alone, nor by the end of a keeper that had none."""
    if "actions" in result:
        return not {RENEW, DISABLE}.issuperset(result["actions"])
    return bool(result.get("touched", unknown))


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"server_fallback": server_fallback}

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether all nodes of a cluster came to the same plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: server_agreement
short_description: Tell why the nodes of a cluster did not come to one plan
version_added: 0.1.0
description:
  - Every node plans for itself. The plans are the same when the variables are; this is the barrier that makes sure.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: C(hostvars), with the registered result C(server_planned) of every node.
    type: dict
    required: true
  nodes:
    description: The nodes of the cluster.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: All nodes must have come to the same plan
  ansible.builtin.assert:
    that: reason | length == 0
    fail_msg: "{{ reason }}"
  vars:
    reason: "{{ hostvars | dgxspark.sglang.server_agreement(groups['pair']) }}"
"""

RETURN = r"""
_value:
  description: The reason against going on; empty when there is one plan.
  type: str
"""

import typing as t

_WHY = "because a server_* variable is not the same on all of them"
_HINT = "  Next step: set server_* variables in the cluster's group variables, not on a host."


def server_agreement(hostvars: t.Any, nodes: t.Sequence[str]) -> str:
    results = {node: hostvars[node].get("server_planned") or {} for node in nodes}
    refusals = [str(result.get("msg", "")) for result in results.values() if "plan" not in result]
    if refusals:
        lacking = ", ".join(node for node in nodes if "plan" not in results[node])
        unsaid = f"No plan of {lacking}.\n  Next step: mend what failed there before, and run it again."
        return "\n".join(text for text in dict.fromkeys(refusals) if text) or unsaid
    plans = {node: result["plan"] for node, result in sorted(results.items())}
    if len({plan["generation"] for plan in plans.values()}) > 1:
        shown = ", ".join(f"{node} {plan['generation']}" for node, plan in plans.items())
        return f"The nodes come to different plans ({shown}), {_WHY}.\n{_HINT}"
    # What keepers go by is no part of the generation: it restarts nothing.
    told = _differing({node: [rank["keep"] for rank in plan["ranks"].values()] for node, plan in plans.items()})
    return f"The keepers of the nodes would go by different settings ({told}), {_WHY}.\n{_HINT}" if told else ""


def _differing(keeps: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]]) -> str:
    """Return what is not the same everywhere, with its values. `keeps`: node -> its settings for each rank."""
    told: dict[str, str] = {}
    for rank in zip(*keeps.values(), strict=True):
        for name in rank[0]:
            values = [keep[name] for keep in rank]
            if any(value != values[0] for value in values):
                told[name] = ", ".join(f"{node} {value}" for node, value in zip(keeps, values, strict=True))
    return "; ".join(f"{name}: {values}" for name, values in told.items())


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"server_agreement": server_agreement}

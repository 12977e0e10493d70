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


def server_agreement(hostvars: t.Any, nodes: t.Sequence[str]) -> str:
    results = {node: hostvars[node].get("server_planned") or {} for node in nodes}
    refusals = [str(result.get("msg", "")) for result in results.values() if "plan" not in result]
    if refusals:
        told = [text for text in dict.fromkeys(refusals) if text]
        lacking = ", ".join(node for node in nodes if "plan" not in results[node])
        return (
            "\n".join(told) or f"No plan of {lacking}.\n  Next step: mend what failed there before, and run it again."
        )
    generations = {node: result["plan"]["generation"] for node, result in results.items()}
    hint = "  Next step: set server_* variables in the cluster's group variables, not on a host."
    if len(set(generations.values())) == 1:
        keeps = [[rank["keep"] for rank in result["plan"]["ranks"].values()] for result in results.values()]
        told = "The nodes come to different settings of their keepers, which would not find each other."
        return "" if all(keep == keeps[0] for keep in keeps) else f"{told}\n{hint}"
    shown = ", ".join(f"{node} {generation}" for node, generation in sorted(generations.items()))
    return (
        f"The nodes come to different plans ({shown}), because a server_* variable is not the same on all of them.\n"
        f"{hint}"
    )


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"server_agreement": server_agreement}

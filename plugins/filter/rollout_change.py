# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run would change of a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_change
short_description: Tell what a run would change of a cluster
version_added: 0.1.0
description:
  - Takes what was registered on every node of a cluster before anything is touched, and compares it with the plan.
  - An instance of which all ranks run the plan, and passed the gate with it, needs nothing.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: >-
      C(hostvars), with the registered results C(server_looked), C(image_pulled), C(model_found) and
      C(engine_image_looked) of every node.
    type: dict
    required: true
  nodes:
    description: The nodes of the cluster.
    type: list
    elements: str
    required: true
  planned:
    description: What M(dgxspark.sglang.sglang_plan) returned, with its C(draft) and its C(plan).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Tell what would change
  ansible.builtin.debug:
    msg: "{{ hostvars | dgxspark.sglang.rollout_change(groups['alpha'], server_planned) }}"
"""

RETURN = r"""
_value:
  description: The model that runs C(now), the one that is C(wanted), and C(why) something is to be done (empty when
    nothing is), or why it is C(refused).
  type: dict
  sample: {now: gpt-oss-20b, wanted: gpt-oss-120b, why: another model, refused: ""}
"""

import typing as t
from dataclasses import asdict

from ..module_utils._results import account
from ..module_utils.fleet._change import change
from ..module_utils.fleet._waves import Change


def rollout_change(hostvars: t.Any, nodes: t.Sequence[str], planned: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    plan, known = planned["plan"], {node: hostvars[node] for node in nodes}
    looks = {node: known[node].get("server_looked") for node in nodes}
    models = {node: known[node].get("model_found") for node in plan["ranks"]}
    steps = (("node_probe", "probe", looks), ("model_download", "whole", models))
    unseen = [
        account(node, result, step)
        for step, proof, results in steps
        for node, result in results.items()
        if proof not in (result or {})
    ]
    if unseen:
        return asdict(Change(refused="\n".join(unseen)))
    built = [known[node].get("engine_image_looked") or {} for node in nodes]
    pulled = [known[node].get("image_pulled") or {} for node in nodes]
    stale = bool(planned["draft"]["image_source"]) and not any(result.get("current") for result in built)
    lacking = {
        "the image": stale or any(result.get("actions") for result in pulled),
        "the model": not all(result["whole"] for result in models.values() if result),
    }
    probes = {node: result["probe"] for node, result in looks.items() if result}
    return asdict(change(plan, probes, [what for what, lacks in lacking.items() if lacks]))


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rollout_change": rollout_change}

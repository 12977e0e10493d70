# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The waves of a rollout."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_waves
short_description: Decide which clusters are changed, and in which waves
version_added: 0.1.0
description:
  - Takes what every node of the run came to know of its cluster, and makes waves of the clusters that need something.
    The canary goes first and alone, the others follow by name in batches.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: >-
      C(hostvars), with C(spark_cluster), C(server_planned), and C(rollout_change) or
      C(rollout_refused), of every node.
    type: dict
    required: true
  nodes:
    description: The nodes of the run.
    type: list
    elements: str
    required: true
  canary:
    description: The cluster that goes first. Empty for none; when it is not said, the first by name.
    type: str
  size:
    description: How many clusters go side by side after it.
    type: int
    default: 1
  failures:
    description: With more failed clusters than that no further wave is begun.
    type: int
    default: 0
  offline:
    description: Whether no node was asked, so that every cluster is taken for one that needs something.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Tell the waves
  ansible.builtin.debug:
    msg: "{{ (hostvars | dgxspark.sglang.rollout_waves(groups['sparks'], canary='alpha', size=5)).text }}"
"""

RETURN = r"""
_value:
  description:
    - The C(waves) (each with C(name) and C(clusters)) and the C(clusters) (each with C(name), C(nodes) and C(change)),
      the C(canary), the allowed C(failures), and the C(text) for people.
    - C(refused) has the reason for each cluster on which nothing can be done, and C(stop) why no wave is begun for that
      (empty otherwise).
    - With a C(reason) against all of it, which is empty otherwise, there are no waves.
  type: dict
"""

import typing as t

from ..module_utils._errors import SparkError
from ..module_utils._results import words
from ..module_utils.fleet._summary import intention
from ..module_utils.fleet._waves import Change, Rollout, gather, halted, plan, settings


def rollout_waves(
    hostvars: t.Any,
    nodes: t.Sequence[str],
    canary: str | None = None,
    size: t.Any = 1,
    failures: t.Any = 0,
    offline: bool = False,
) -> dict[str, t.Any]:
    known = {node: hostvars[node] for node in nodes}
    try:
        stated = {node: (str(known[node].get("spark_cluster") or ""), _change(known[node], offline)) for node in nodes}
        rollout = plan(gather(stated), settings(canary, size, failures))
    except SparkError as error:
        nothing = Rollout((), ())
        return {"reason": str(error), "text": "", "refused": {}, "stop": "", **nothing.public()}
    refused = rollout.refused
    told = {"text": intention(rollout), "refused": refused, "stop": halted(rollout, refused)}
    return {"reason": "", **told, **rollout.public()}


def _change(known: t.Mapping[str, t.Any], offline: bool) -> Change:
    """Return what a node came to know. One that does not know it, and was not refused, was lost before."""
    draft = (known.get("server_planned") or {}).get("draft")
    if known.get("rollout_refused") or not draft:
        lost = "a node was lost before it was looked at. Next step: doctor.yml for this cluster."
        return Change(refused=words({"msg": known.get("rollout_refused")}) or lost)
    if offline and draft["refused"]:
        return Change(refused="\n".join(item["msg"] for item in draft["refused"]))
    if offline and draft["instances"]:
        return Change(wanted=draft["model"], why="not asked")
    return Change(**known.get("rollout_change", {}))


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rollout_waves": rollout_waves}

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of every cluster of a rollout."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_summary
short_description: Tell what became of every cluster of a rollout
version_added: 0.1.0
description:
  - Takes what every node reported of the bring-up of its cluster. A node that began and reported no end was lost, and
    its cluster failed.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: >-
      C(hostvars), with C(rollout_began), C(rollout_ended), C(server_back), and the registered results C(server_started)
      and C(server_gate), of every node.
    type: dict
    required: true
  rollout:
    description: What P(dgxspark.sglang.rollout_waves#filter) returned.
    type: dict
    required: true
  before:
    description: Judge only the waves before this one (the first is 0). Negative for all of them.
    type: int
    default: -1
  check:
    description: Whether nothing was done, in check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Tell what became of it
  ansible.builtin.debug:
    msg: "{{ (hostvars | dgxspark.sglang.rollout_summary(rollout)).text }}"
"""

RETURN = r"""
_value:
  description: The C(text) for people, the C(failed) clusters (C(name) to reason), and why no further wave is begun
    (C(stop), empty to go on).
  type: dict
"""

import typing as t

from ..module_utils._results import words
from ..module_utils.fleet._summary import BACK, DOWN, LEFT, UNKNOWN, Report, outcome, summary
from ..module_utils.fleet._waves import halted, restore
from .server_story import server_story


def rollout_summary(
    hostvars: t.Any, rollout: t.Mapping[str, t.Any], before: int = -1, check: bool = False
) -> dict[str, t.Any]:
    whole = restore(rollout)
    judged = whole.waves if before < 0 else whole.waves[:before]
    names = {name for wave in judged for name in wave.clusters}
    nodes = {cluster.name: list(cluster.nodes) if cluster.name in names else [] for cluster in whole.clusters}
    outcomes = [
        outcome(whole, cluster, [_report(hostvars, node, nodes[cluster.name]) for node in nodes[cluster.name]])
        for cluster in whole.in_order
    ]
    failed = {item.cluster: item.reason for item in outcomes if item.failed}
    text = summary(whole, outcomes, check) if before < 0 else ""
    return {"text": text, "failed": failed, "stop": halted(whole, failed)}


def _report(hostvars: t.Any, node: str, nodes: t.Sequence[str]) -> Report:
    known = hostvars[node]
    ended = known.get("rollout_ended") or {}
    failure = words({"msg": ended["failure"]}) if ended.get("failure") else ""
    state, model = _serving(hostvars, nodes, known.get("server_back") or {}) if failure else (LEFT, "")
    return Report(node, float(known.get("rollout_began") or 0), float(ended.get("at") or 0), failure, state, model)


def _serving(hostvars: t.Any, nodes: t.Sequence[str], back: t.Mapping[str, t.Any]) -> tuple[str, str]:
    """Return what serves after a failure, and its model. Going back is a start as well, and can fail."""
    if not back:
        touched = any((hostvars[node].get("server_started") or {}).get("changed") for node in nodes)
        return (UNKNOWN if touched else LEFT), ""
    if not back["usable"]:
        return (DOWN if back["halt"] else LEFT), ""
    passed = server_story(hostvars, list(back["nodes"]), list(nodes))["passed"]
    return (BACK if passed else DOWN), str(back["model"])


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rollout_summary": rollout_summary}

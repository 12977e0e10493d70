# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long an endpoint did not answer because of a run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: server_downtime
short_description: Tell how long the start of a server took, and for how long nothing was served
version_added: 0.1.0
description:
  - Takes what M(dgxspark.sglang.sglang_server) and M(dgxspark.sglang.sglang_gate) returned on every node of a cluster.
    Ranks stop, start and load together, so the slowest of each counts.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: C(hostvars), with the registered results C(server_started) and C(server_gate) of every node.
    type: dict
    required: true
  ranks:
    description: The nodes that have a rank.
    type: list
    elements: str
    required: true
  nodes:
    description: All nodes of the cluster.
    type: list
    elements: str
    required: true
  before:
    description: What this filter returned for a start that failed before this one. It counts, too.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Tell for how long nothing was served
  ansible.builtin.debug:
    msg: "{{ (hostvars | dgxspark.sglang.server_downtime(groups['pair'], groups['pair'])).text }}"
"""

RETURN = r"""
_value:
  description:
    - Seconds of C(stop), C(start) and C(load), their C(total), and C(served) (whether something was stopped for it).
    - C(text) is a clause for people. It is empty when no rank was touched, and speaks of no downtime when nothing ran
      before.
  type: dict
  sample:
    total: 252.1
    stop: 7.9
    start: 2.9
    load: 241.3
    served: true
    text: "the endpoint was down 4 min 12 s: stop 8 s, start 3 s, load 4 min 01 s"
"""

import typing as t

from ..module_utils.server._downtime import Downtime, downtime

_PARTS = ("stop", "start", "load", "served")


def server_downtime(
    hostvars: t.Any, ranks: t.Sequence[str], nodes: t.Sequence[str], before: t.Mapping[str, t.Any] | None = None
) -> dict[str, t.Any]:
    found = downtime(
        {node: hostvars[node].get("server_started") for node in nodes},
        {node: hostvars[node].get("server_gate") for node in ranks},
    )
    whole = Downtime(**{part: before[part] for part in _PARTS}) + found if before else found
    return {**{part: getattr(whole, part) for part in _PARTS}, "total": whole.total, "text": str(whole)}


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"server_downtime": server_downtime}

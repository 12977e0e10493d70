# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of clusters on one screen."""

from __future__ import annotations

DOCUMENTATION = r"""
name: status_table
short_description: Show what every node serves, as a table
version_added: 0.1.0
description:
  - Takes what M(dgxspark.sglang.node_probe) returned on every node.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: C(hostvars), with the registered result C(server_looked) of every node.
    type: dict
    required: true
  nodes:
    description: The nodes to show.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the status
  ansible.builtin.debug:
    msg: "{{ hostvars | dgxspark.sglang.status_table(groups['sparks']) }}"
"""

RETURN = r"""
_value:
  description: The table, one line a server.
  type: str
"""

import datetime
import typing as t

from ..module_utils.server._status import keepers, reasons, rows_of, table


def status_table(hostvars: t.Any, nodes: t.Sequence[str]) -> str:
    now = datetime.datetime.now(datetime.timezone.utc)
    rows, notes = [], []
    for node in nodes:
        known, looked = hostvars[node], hostvars[node].get("server_looked")
        rows += rows_of(node, str(known.get("spark_cluster", "-")), looked, now)
        notes += reasons(node, looked) + keepers(node, looked)
    return "\n".join([table(sorted(rows)), *notes])


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"status_table": status_table}

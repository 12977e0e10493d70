# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clusters could serve, as tables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: model_offer
short_description: Show which models each cluster could serve
version_added: 0.1.0
description:
  - Takes what M(dgxspark.sglang.sglang_models) returned on the nodes of each cluster, which is the same on all of them.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: C(hostvars), with the registered result C(server_offered) of every node.
    type: dict
    required: true
  nodes:
    description: The nodes to show. Those with the same C(spark_cluster) are shown together.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the models
  ansible.builtin.debug:
    msg: "{{ hostvars | dgxspark.sglang.model_offer(groups['sparks']) }}"
"""

RETURN = r"""
_value:
  description: A table for each cluster, with what is to be known of all of its models below it.
  type: str
"""

import typing as t

from ..module_utils._results import account
from ..module_utils.server._offer import told


def model_offer(hostvars: t.Any, nodes: t.Sequence[str]) -> str:
    shown: dict[str, str] = {}
    for node in sorted(nodes):
        cluster = str(hostvars[node].get("spark_cluster") or node)
        result = hostvars[node].get("server_offered")
        if result and "models" in result:
            shown[cluster] = told(cluster, result["models"], result["remarks"])
        else:
            shown.setdefault(cluster, account(node, result, "sglang_models"))
    return "\n\n".join(shown[cluster] for cluster in sorted(shown))


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"model_offer": model_offer}

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a folder gets to all nodes of a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: model_course
short_description: Decide which node fetches a folder, and which are sent it
version_added: 0.1.0
description:
  - Takes what M(dgxspark.sglang.model_download) found on every node. Every node comes to the same answer.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: C(hostvars), with the registered result C(model_found) of every node.
    type: dict
    required: true
  nodes:
    description: The nodes that are to have it.
    type: list
    elements: str
    required: true
  head:
    description: The node that fetches when no other has more of it.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Who has it
  ansible.builtin.debug:
    msg: "{{ hostvars | dgxspark.sglang.model_course(groups['alpha'], 'spark-01') }}"
"""

RETURN = r"""
_value:
  description: C(source) (who has it, or fetches it), C(fetch) (whether it has to), C(lacking) (who is to get it from
    there), C(differs) (whether nodes that have it have different ones), C(complete) (whether every node has it, and
    the same), and C(reason) (why nothing can be decided; empty otherwise).
  type: dict
"""

import typing as t

from ..module_utils.transfer._course import course


def model_course(hostvars: t.Any, nodes: t.Sequence[str], head: str = "") -> dict[str, t.Any]:
    return course({node: hostvars[node].get("model_found") for node in nodes}, head).public()


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"model_course": model_course}

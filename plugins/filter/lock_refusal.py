# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a run may not work on a cluster: the lock on its head is not this run's."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lock_refusal
short_description: Tell why a run did not get the lock of a cluster
version_added: 0.1.0
description:
  - Takes what M(dgxspark.sglang.cluster_lock) returned on the head. Where every node of the cluster asks, all of them
    refuse together.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: C(hostvars), with the registered result C(lock_taken) of the head.
    type: dict
    required: true
  head:
    description: The head of the cluster.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Nobody else may be at work on the cluster
  ansible.builtin.assert:
    that: refusal | length == 0
    fail_msg: "{{ refusal }}"
  vars:
    refusal: "{{ hostvars | dgxspark.sglang.lock_refusal(spark_head) }}"
"""

RETURN = r"""
_value:
  description: Who has the lock, or why it could not be asked for, and the next step; empty when this run has it.
  type: str
"""

import typing as t

from ..module_utils._results import account, words


def lock_refusal(hostvars: t.Any, head: str) -> str:
    result = hostvars[head].get("lock_taken") if head in hostvars else None
    # In check mode nobody has it, and a lock of another run was a warning.
    if result and "held" in result:
        return ""
    if result and "lock" in result:
        return words(result)
    return account(head, result, "cluster_lock")


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"lock_refusal": lock_refusal}

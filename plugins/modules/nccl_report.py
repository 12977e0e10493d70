# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nccl_report
short_description: Write what was measured between nodes to files of the controller
version_added: 0.1.0
description:
  - Runs on the controller. Writes C(nccl.json) with every number and verdict, and C(nccl.svg) with the bus bandwidth
    over the message size, against the line rate, for each group of nodes.
  - Without matplotlib the JSON is written, and the task fails with the name of what is missing.
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - The files say when they were written.
options:
  report:
    description: What P(dgxspark.sglang.nccl_verdict#filter) returned.
    type: dict
    required: true
  folder:
    description: Folder on the controller. It is made when it does not exist.
    type: path
    required: true
requirements:
  - matplotlib (on the controller)
seealso:
  - module: dgxspark.sglang.nccl_probe
"""

EXAMPLES = r"""
- name: Keep what was measured
  dgxspark.sglang.nccl_report:
    report: "{{ hostvars | dgxspark.sglang.nccl_verdict(rounds, 'alpha') }}"
    folder: reports/alpha
"""

RETURN = r"""
files:
  description: The path of C(json) and C(svg).
  returned: always
  type: dict
  sample: {json: reports/alpha/nccl.json, svg: reports/alpha/nccl.svg}
hint:
  description: What to do next.
  returned: failure
  type: str
"""

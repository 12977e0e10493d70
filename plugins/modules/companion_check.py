# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at a node before a service is put beside its server, and refuse what can't work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: companion_check
short_description: Refuse a service beside the server where it can't work
version_added: 0.1.0
description:
  - Looks whether the service's unit, its container's name and its port are free or our own, and for an engine whether
    another one has the node's memory. All reasons are told at once, each with its next step.
  - Changes nothing. What runs is never stopped for the service, and what somebody else made is never replaced.
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
  - dgxspark.sglang.attributes.read_only
options:
  name:
    description: The service, which is the name of its unit and of its container.
    type: str
    required: true
  port:
    description: The node's port at which it is to answer.
    type: int
    required: true
  exclusive:
    description: Whether it is an engine that shares the node's memory with no other.
    type: bool
    default: false
  guarded:
    description: Whether it has a key, or was said to be open, or keeps people out in its own way.
    type: bool
    default: true
  folders:
    description: Folders of the node that the service gets; a C(~) in them is replaced in the answer.
    type: list
    elements: path
    default: []
  state_dir:
    description: The folder that keeps the last good plan of each instance.
    type: path
    default: /etc/dgxspark-sglang
requirements:
  - systemd
  - docker (Python SDK)
seealso:
  - module: dgxspark.sglang.companion_gate
"""

EXAMPLES = r"""
- name: May vLLM run here?
  dgxspark.sglang.companion_check:
    name: vllm
    port: 8000
    exclusive: true
  become: true
  register: companion_checked
"""

RETURN = r"""
unit:
  description: The service's unit as it is now, C(active) (what systemd says), C(enabled) and C(path) among others.
  returned: success
  type: dict
instances:
  description: The instances of our server that the node knows, running or not.
  returned: success
  type: list
  elements: str
  sample: [sglang]
folders:
  description: O(folders), without C(~).
  returned: success
  type: list
  elements: str
"""

import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils.companion._check import problems_of
from ..module_utils.edges._companion import look
from ..module_utils.keeper._unit import instance_of


def check(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    seen = look(module.run_command, params["name"], params["port"], params["state_dir"])
    problems = problems_of(params["name"], params["port"], params["exclusive"], params["guarded"], seen)
    if problems:
        raise SparkError(problems)
    instances = [instance_of(keeper.name) for keeper in seen.keepers]
    return {"unit": asdict(seen.unit), "instances": instances, "folders": params["folders"]}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "exclusive": {"type": "bool", "default": False},
            "guarded": {"type": "bool", "default": True},
            "folders": {"type": "list", "elements": "path", "default": []},
            "state_dir": {"type": "path", "default": "/etc/dgxspark-sglang"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **check(module))
    except SparkError as error:
        module.fail_json(**error.as_result())


if __name__ == "__main__":
    main()

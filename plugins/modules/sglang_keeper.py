# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep one rank of a server running without Ansible, together with the other ranks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sglang_keeper
short_description: Keep a server running, all ranks or none, without Ansible
version_added: 0.1.0
description:
  - Installs a service of systemd, C(dgxspark-sglang@INSTANCE.service), which keeps this node's rank of the last good
    plan running, and the command C(spark-serve) for people at the node.
  - The services of a cluster see each other over the rails. After a reboot, a power failure, a restart of Docker, or
    the end of any rank, all ranks are started again together; a cluster that serves no longer is, too.
  - A keeper that starts takes a container that runs as it is. A new version of the keeper does not restart the engine.
  - On the controller its program is packed from this collection. The node needs Python and its Docker SDK.
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
    support: full
options:
  name:
    description: The instance whose rank is kept.
    type: str
    default: sglang
  state:
    description:
      - V(present) keeps the plan, installs the keeper and starts it.
      - V(absent) stops it, which stops its rank, forgets the plan, and takes program, unit and command away with the
        last instance that is kept or has a plan.
    type: str
    choices: [present, absent]
    default: present
  enabled:
    description: Whether it starts when the node boots.
    type: bool
    default: true
  last_good:
    description:
      - This rank's part of the plan that was seen to serve, C(mine) of M(dgxspark.sglang.sglang_plan). It has no
        secrets.
      - Without it, the last good plan that the node has stays as it is.
    type: dict
  state_dir:
    description: Folder on the node for secrets and for the last good plan.
    type: path
    default: /etc/dgxspark-sglang
  source:
    description: The program on the node. Set by the action.
    type: path
  digest:
    description: The SHA-256 of the program. Set by the action.
    type: str
    default: ""
requirements:
  - systemd
  - docker (Python SDK, of the system's Python)
seealso:
  - module: dgxspark.sglang.sglang_server
"""

EXAMPLES = r"""
- name: Keep this rank of what serves running
  dgxspark.sglang.sglang_keeper:
    name: sglang
    last_good: "{{ server_planned.mine }}"
  become: true

- name: Keep it no longer
  dgxspark.sglang.sglang_keeper:
    name: sglang
    state: absent
  become: true
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: success
  type: list
  elements: str
  sample: [keep, install, enable, start]
keeper:
  description: The keeper as it is afterwards, in check mode as it is.
  returned: success
  type: dict
  sample: {active: true, enabled: true, state: active, words: Serves.}
hint:
  description: What to do next.
  returned: failure
  type: str
"""

import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils.edges import _plans, _units
from ..module_utils.keeper._types import GAVE_UP
from ..module_utils.keeper._unit import COMMAND, DISABLE, PROGRAM, command_text, unit_of, unit_text


def converge(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    texts = {_units.UNIT_FILE: unit_text(params["state_dir"], GAVE_UP), COMMAND: command_text(params["state_dir"])}
    stale = _units.differing(params["digest"], texts) if params["state"] == "present" else _units.there()
    unit = _units.look(module.run_command, params["name"])
    kept = (params["state_dir"], params["name"])
    if params["state"] == "present":
        outdated = unit.active and _units.outdated(params["name"], params["digest"])
        plan = params["last_good"]
        actions = ["keep"] if plan and not _plans.is_kept(*kept, plan) else []
        actions += present(params["enabled"], stale, unit, outdated)
    else:
        planned = _plans.planned(params["state_dir"])
        others = {*_units.kept(module.run_command), *planned} - {params["name"]}
        left = _units.left(params["name"]) or params["name"] in planned
        actions = absent(stale, unit, needed=bool(others), left=left)
    for action in () if module.check_mode else actions:
        perform(module, action, stale, texts)
    if params["state"] == "present" and not module.check_mode:
        _plans.settle(*kept)
    return {
        "changed": bool(actions),
        "actions": actions,
        "keeper": asdict(_units.look(module.run_command, params["name"])),
    }


def present(enabled: bool, stale: list[str], unit: _units.Unit, outdated: bool) -> list[str]:
    """Return what leads to a keeper that runs. One that runs goes on as the new program, and its engine with it.

    `outdated`: it runs with another program, as after a run for another instance, or one that was interrupted.
    """
    actions = ["install"] if stale else []
    actions += ["enable" if enabled else "forgo"] if enabled != unit.enabled else []
    if not unit.active:
        return [*actions, "start"]
    # One that systemd is about to start begins with the new program anyway, and can't be told to reload.
    return [*actions, "reload"] if unit.state == "active" and (PROGRAM in stale or outdated) else actions


def absent(there: list[str], unit: _units.Unit, needed: bool, left: bool) -> list[str]:
    """Return what leads to no keeper. `there`: files of the keeper; `needed`: by another instance; `left`: whether
    there is a plan, or something that it left for people."""
    actions = [DISABLE] if unit.active or unit.enabled or unit.state == "failed" else []
    actions += ["forget"] if left else []
    return [*actions, "remove"] if there and not needed else actions


def perform(module: AnsibleModule, action: str, paths: list[str], texts: dict[str, str]) -> None:
    run, unit = module.run_command, unit_of(module.params["name"])
    kept = (module.params["state_dir"], module.params["name"])
    if action == "keep":
        _plans.keep(*kept, module.params["last_good"])
    elif action == "install":
        _units.install(paths, module.params["source"], texts)
        _units.systemctl(run, "daemon-reload")
    elif action == "remove":
        _units.remove(paths)
        _units.systemctl(run, "daemon-reload")
    elif action == DISABLE:
        _units.hold(run, module.params["name"], DISABLE)
    elif action == "forget":
        _plans.forget(*kept)
        _units.forget(module.params["name"])
    elif action in ("enable", "forgo"):
        _units.systemctl(run, "enable" if action == "enable" else "disable", "--quiet", unit)
    else:
        _units.systemctl(run, action, unit)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        module.exit_json(**converge(module))
    except SparkError as error:
        module.fail_json(**error.as_result())


ARGUMENTS: dict[str, t.Any] = {
    "name": {"type": "str", "default": "sglang"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "enabled": {"type": "bool", "default": True},
    "last_good": {"type": "dict"},
    "state_dir": {"type": "path", "default": "/etc/dgxspark-sglang"},
    "source": {"type": "path"},
    "digest": {"type": "str", "default": ""},
}


if __name__ == "__main__":
    main()

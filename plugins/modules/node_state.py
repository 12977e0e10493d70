# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change a node in a way that can be taken back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_state
short_description: Change a node in a way that can be taken back
version_added: 0.1.0
description:
  - Brings files, packages, units and more into a wanted state in one call. A journal keeps what was there before.
  - What is no longer asked for is put back, and O(state=restored) puts everything back. What somebody else has changed
    since stays as it is, and is told.
  - When one step fails, the steps before it are undone, and the task fails with the words of the program that refused.
  - With O(guard), the node takes the changes back by itself unless a later task confirms them, over the connection.
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
attributes:
  check_mode:
    support: full
    details:
      - Except that O(files[].validate) is not asked, because the new file is not written anywhere.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  owner:
    description: Whose changes these are. Each owner has a journal of its own.
    type: str
    required: true
  state:
    description:
      - V(present) makes the node as asked for.
      - V(confirmed) keeps what an earlier task did under a guard. It fails when the node has taken it back already.
      - V(returned) takes back at once what an earlier task did under a guard.
      - V(restored) puts back everything that the journal of this owner knows.
    type: str
    choices: [present, confirmed, returned, restored]
    default: present
  state_dir:
    description: The folder on the node that keeps the journals, readable by root alone.
    type: path
    default: /etc/dgxspark-sglang
  guard:
    description: Seconds until the node takes this task's changes back, unless confirmed. Not for packages and blocks.
    type: int
    default: 0
  files:
    description: Whole files.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
      content:
        description: All of its text.
        type: str
        default: ""
      merge:
        description: Keys that a JSON file must have among its own, in place of O(files[].content).
        type: dict
      mode:
        description: Its mode, as four octal digits.
        type: str
        default: "0644"
      owner:
        description: Its owner.
        type: str
        default: root
      group:
        description: Its group. The login group of the owner when not given.
        type: str
        default: ""
      unless:
        description: A command that makes the file unnecessary when the node has it before the packages are installed.
        type: str
        default: ""
      validate:
        description: A program and its arguments that judges the new content; C(%s) stands for the file.
        type: list
        elements: str
        default: []
      notify:
        description: Commands that make programs read the file, each a list; run once, after all files are written.
        type: list
        elements: list
        default: []
  secrets:
    description: Whole files that only root can read, and whose text is shown nowhere. The journal keeps it, for root.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      content:
        description: All of its text.
        type: str
        required: true
      notify:
        description: Commands that make programs read the file, as for O(files[].notify).
        type: list
        elements: list
        default: []
  blocks:
    description: A marked block in a text file that others write, too.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file. It is made when it is missing.
        type: path
        required: true
      content:
        description: The lines of the block.
        type: str
        required: true
      mode:
        description: Mode of a file that is made.
        type: str
        default: "0644"
      owner:
        description: Owner of a file that is made.
        type: str
        default: root
      group:
        description: Group of a file that is made. The login group of the owner when not given.
        type: str
        default: ""
  folders:
    description: Folders, with those above them that are missing. What is there stays as it is.
    type: list
    elements: dict
    default: []
    suboptions:
      paths:
        description: The folders.
        type: list
        elements: path
        required: true
      mode:
        description: Its mode, as four octal digits.
        type: str
        default: "0755"
      owner:
        description: Its owner.
        type: str
        default: root
      group:
        description: Its group. The login group of the owner when not given.
        type: str
        default: ""
  keys:
    description: Key pairs for ssh (ed25519, without passphrase). An existing one is kept.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The private key's file.
        type: path
        required: true
      user:
        description: Its owner.
        type: str
        required: true
      comment:
        description: The comment in the public key.
        type: str
        default: ""
  packages:
    description: Packages to install from the node's own sources.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The package.
        type: str
        required: true
      unless:
        description: A command that makes the package unnecessary when the node has it from elsewhere.
        type: str
        default: ""
  members:
    description: Users in groups.
    type: list
    elements: dict
    default: []
    suboptions:
      user:
        description: The user.
        type: str
        required: true
      group:
        description: The group, which must exist.
        type: str
        required: true
  units:
    description: Units of systemd.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The unit.
        type: str
        required: true
      enabled:
        description: Whether it starts at boot. Left as it is when not given.
        type: bool
      active:
        description: Whether it runs. Left as it is when not given.
        type: bool
  default_target:
    description: What systemd boots into, for example C(multi-user.target). Left as it is when empty.
    type: str
    default: ""
  holds:
    description: Shell patterns of installed packages that no upgrade may replace.
    type: list
    elements: str
    default: []
  sysctls:
    description: Settings of the running kernel. To have them after a reboot, write a file, too.
    type: dict
    default: {}
  links:
    description: Network links that a file of netplan configures, and what they have once it is applied.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The link.
        type: str
        required: true
      mtu:
        description: Its MTU in bytes.
        type: int
        required: true
      addresses:
        description: All of its global addresses, with prefix length.
        type: list
        elements: str
        required: true
  rules:
    description: Rules of ufw, worded as C(ufw show added) prints them, without the leading C(ufw).
    type: list
    elements: str
    default: []
  firewall:
    description: Whether ufw is enabled. Left as it is when not given.
    type: bool
requirements:
  - systemd
  - apt, ufw, netplan and openssh-client for what is asked of each
"""

EXAMPLES = r"""
- name: Let the operator use Docker
  dgxspark.sglang.node_state:
    owner: host
    members:
      - {user: spark, group: docker}
  become: true

- name: Give the first rail its address, and go back when nobody confirms it within 90 s
  dgxspark.sglang.node_state:
    owner: fabric
    guard: 90
    files:
      - path: /etc/netplan/60-dgxspark-sglang.yaml
        mode: "0600"
        content: "{{ netplan }}"
        notify: [[netplan, apply]]
    links:
      - {name: enp1s0f1np1, mtu: 9000, addresses: [192.168.100.11/24]}
  become: true

- name: Keep it
  dgxspark.sglang.node_state:
    owner: fabric
    state: confirmed
  become: true

- name: Put everything back
  dgxspark.sglang.node_state:
    owner: fabric
    state: restored
  become: true
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: success
  type: list
  elements: str
  sample: [add member spark:docker]
left:
  description: What was not put back, and why.
  returned: success
  type: list
  elements: str
  sample: []
undone:
  description: Whether everything is as it was before the task that failed.
  returned: failure of a step
  type: bool
guarded:
  description: Whether the node takes the changes back unless they are confirmed.
  returned: success
  type: bool
  sample: false
diff:
  description: Each change, before and after.
  returned: success
  type: list
  elements: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils.edges._guard import Guard, carry_out
from ..module_utils.edges._journal import Journal
from ..module_utils.edges._system import System
from ..module_utils.host._commands import difference, sentence
from ..module_utils.host._options import SPEC, wanted
from ..module_utils.host._reversible import Change, decide, resolve


def converge(module: AnsibleModule) -> dict[str, t.Any]:
    params, effects = module.params, not module.check_mode
    journal = Journal(params["state_dir"], params["owner"])
    guard = Guard(module.run_command, journal)
    if params["state"] == "confirmed":
        return {**_result(), "changed": guard.confirm(effects)}
    if params["state"] == "returned":
        return {**_result(), "changed": guard.go_back(effects)}
    if effects:
        guard.begin()
    system, entries = System(module.run_command, params["owner"]), journal.read()
    known = {entry.key for entry in entries}
    items = wanted(params, system, known) if params["state"] == "present" else []
    seen = {key: system.look(*key) for key in {*known, *(item.key for item in items)}}
    items = [resolve(item, seen[item.key]) for item in items]
    course = decide(items, seen, entries)
    if effects:
        for item in items:
            if item.options.get("validate") and seen[item.key] != item.want:
                system.validate(item.name, item.want["content"], item.options["validate"])
        carry_out(course, entries, system.perform, journal, guard, params["guard"])
    return {**_result(course.changes, [*course.left, *system.left]), "guarded": effects and guard.armed()}


def _result(changes: t.Sequence[Change] = (), left: t.Sequence[str] = ()) -> dict[str, t.Any]:
    return {
        "changed": bool(changes),
        "actions": [sentence(change) for change in changes],
        "left": list(left),
        "guarded": False,
        "diff": [difference(change) for change in changes],
    }


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    try:
        module.exit_json(**converge(module))
    except SparkError as error:
        module.fail_json(**error.as_result())


if __name__ == "__main__":
    main()

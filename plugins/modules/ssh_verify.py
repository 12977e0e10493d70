# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Try to reach other nodes by ssh, without a password and with known host keys."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_verify
short_description: Try to reach other nodes by ssh
version_added: 0.1.0
description:
  - Logs in to every target as the user that runs the task (use it without become), to all nodes at the same time, never
    asks for anything, and accepts no unknown host key.
  - Only keys in files count, no agent, since programs on the node have none.
  - A way that does not work is an answer, not a failure of the task, so that all nodes can be judged together.
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
  - dgxspark.sglang.attributes.read_only
options:
  targets:
    description: The ways to try.
    type: list
    elements: dict
    required: true
    suboptions:
      node:
        description: The node that is meant.
        type: str
        required: true
      host:
        description: Its name or address, as one would write it after C(ssh).
        type: str
        required: true
  timeout:
    description: Seconds after which a way has failed.
    type: int
    default: 10
requirements:
  - openssh-client
seealso:
  - module: dgxspark.sglang.ssh_look
"""

EXAMPLES = r"""
- name: Try every way to the other node
  dgxspark.sglang.ssh_verify:
    targets:
      - {node: spark-02, host: spark-02}
      - {node: spark-02, host: 192.168.100.12}
  become: false
  register: verified
"""

RETURN = r"""
reached:
  description: The hosts that let us in.
  returned: success
  type: list
  elements: str
  sample: [spark-02]
failed_ways:
  description: The ways that do not work.
  returned: success
  type: list
  elements: dict
  contains:
    node:
      description: The node that was meant.
      type: str
      sample: spark-02
    host:
      description: The name or address that was tried.
      type: str
      sample: 192.168.100.12
    words:
      description: The last words of ssh.
      type: str
      sample: "ssh: connect to host 192.168.100.12 port 22: Connection timed out"
    meaning:
      description: What they mean.
      type: str
      sample: that address does not answer
    hint:
      description: What to do next.
      type: str
"""

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.edges._ssh_try import log_in
from ..module_utils.ssh._words import Attempt, failure

# Logins that one node tries on another at the same time.
_AT_ONCE = 2
# An agent or a password would prove nothing about the keys in files.
_OPTIONS = ("IdentityAgent=none", "PasswordAuthentication=no", "KbdInteractiveAuthentication=no")


def attempt(target: dict[str, str], timeout: int) -> Attempt:
    return Attempt(target["node"], target["host"], *log_in(target["host"], timeout, _OPTIONS))


def verify(targets: list[dict[str, str]], timeout: int) -> dict[str, t.Any]:
    nodes = dict.fromkeys(target["node"] for target in targets)
    # From the tenth connection that has not logged in yet, sshd drops some (MaxStartups): four nodes make eight.
    free = {node: threading.BoundedSemaphore(_AT_ONCE) for node in nodes}

    def tried(target: dict[str, str]) -> Attempt:
        with free[target["node"]]:
            return attempt(target, timeout)

    with ThreadPoolExecutor(max_workers=max(len(targets), 1)) as pool:
        attempts = list(pool.map(tried, targets))
    return {
        "reached": [one.host for one in attempts if one.reached],
        "failed_ways": [failure(one) for one in attempts if not one.reached],
    }


def main() -> None:
    target = {"node": {"type": "str", "required": True}, "host": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "required": True, "options": target},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **verify(**module.params))


if __name__ == "__main__":
    main()

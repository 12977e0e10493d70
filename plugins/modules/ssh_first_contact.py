# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_first_contact
short_description: Let the controller's key in on nodes that only know a password yet
version_added: 0.1.0
description:
  - Runs on the controller, once for all nodes of the play (those of C(--limit)). Nodes that Ansible can log in to by
    key already are left alone, those behind an alias or a jump host of the ssh configuration, too.
  - Before a password is sent to a node, its host key must be known to the controller, or be the one in
    O(fingerprints), or be confirmed by a person, who is shown all fingerprints and asked once. Confirmed keys are added
    to O(known_hosts). One wrong host key stops all nodes.
  - The password is C(ansible_password) of each node, else that of C(--ask-pass), else it is asked for, once. It is sent
    over the verified connection alone; no file, command line, result or log gets it.
  - Without a terminal nothing is asked; the task fails and says what to pass in.
  - The public key is added to C(~/.ssh/authorized_keys) of the node's user, and a login with it must succeed.
  - User, port, key file and arguments of ssh are those of Ansible's ssh connection. The connection by password is a
    direct one, without a jump host.
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
attributes:
  check_mode:
    support: full
    details:
      - Host keys are looked at and judged. Nobody is asked, and nothing is sent.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  known_hosts:
    description:
      - The controller's file of known hosts. When empty, the one that the arguments of Ansible's ssh name
        (C(UserKnownHostsFile)), or C(~/.ssh/known_hosts).
    type: path
    default: ""
  public_key:
    description:
      - The controller's public key. When empty, the one beside C(ansible_ssh_private_key_file), or
        C(~/.ssh/id_ed25519.pub).
    type: path
    default: ""
  fingerprints:
    description: Node to the fingerprint of its host key, as C(ssh-keygen -lf) prints it there.
    type: dict
    default: {}
requirements:
  - paramiko (on the controller)
  - openssh-client (on the controller)
"""

EXAMPLES = r"""
- name: Let this machine's key in
  dgxspark.sglang.ssh_first_contact:
    fingerprints:
      spark-01: SHA256:jWlv8oKTQmO2VYpGzLcJ0mEnz3mHqyiJeX9FzWcK1rY
"""

RETURN = r"""
contacts:
  description: Every node of the play.
  returned: always
  type: dict
  sample:
    spark-01:
      state: installed
      host: 10.0.0.11
      user: spark
      fingerprint: SHA256:jWlv8oKTQmO2VYpGzLcJ0mEnz3mHqyiJeX9FzWcK1rY
"""

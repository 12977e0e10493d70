# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets that exist in an inventory only, and rollouts over them: the real playbook, without any node.

Where a node would be asked, a stand-in tells what the inventory says of it. What the waves do is seen in the order of
what is printed: the results of one task are, before those of the next.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .tree import REPO

PROFILES = {1: "gpt-oss-20b", 2: "gpt-oss-120b", 4: "glm47-nvfp4"}
# In place of a look at the nodes: a cluster has what the inventory says that it serves.
LOOK = """
- name: Look
  ansible.builtin.set_fact:
    rollout_change:
      now: "{{ fleet_serves | default('') }}"
      wanted: "{{ server_model }}"
      why: "{{ '' if fleet_serves | default('') == server_model else 'another model' }}"
"""
# In place of a bring-up: a node says that it was here, and ends as the inventory says.
BRING_UP = """
- name: Begin
  ansible.builtin.debug:
    msg: "BEGIN {{ spark_cluster }} {{ inventory_hostname }}"

- name: Serve
  block:
    - name: Be lost
      ansible.builtin.ping:
      vars:
        ansible_connection: lost
      when: fleet_end | default('') == 'lost'

    - name: Refuse
      ansible.builtin.fail:
        msg: "{{ inventory_hostname }} is broken.\\n  Next step: mend it."
      when: fleet_end | default('') == 'broken'

    - name: Judge all nodes of the cluster together
      ansible.builtin.assert:
        that: groups[spark_cluster] | map('extract', hostvars, 'fleet_end') | select('defined') | length == 0
        fail_msg: A node of the cluster failed.
        quiet: true
  always:
    - name: End
      ansible.builtin.debug:
        msg: "END {{ spark_cluster }} {{ inventory_hostname }}"
"""
CONNECTION = """
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = "name: lost\\nshort_description: Nobody answers\\ndescription: Nobody answers.\\nauthor: none"


class Connection(ConnectionBase):
    transport = "lost"

    def _connect(self):
        raise AnsibleConnectionFailure("nobody answers")

    exec_command = put_file = fetch_file = lambda self, *arguments, **options: self._connect()

    def close(self):
        pass
"""
SAID = re.compile(r"\b(BEGIN|END) (\S+) (\S+)")


@dataclass(frozen=True)
class Fleet:
    """An inventory of clusters of these sizes. `variables`: of a cluster, `hosts`: of a node, beyond the usual ones."""

    sizes: t.Mapping[str, int]
    variables: t.Mapping[str, t.Mapping[str, t.Any]] = field(default_factory=dict)
    hosts: t.Mapping[str, t.Mapping[str, t.Any]] = field(default_factory=dict)

    def inventory(self) -> dict[str, t.Any]:
        children = {}
        for cluster, size in self.sizes.items():
            names = [f"{cluster}-{number}" for number in range(1, size + 1)]
            usual = {"spark_cluster": cluster, "spark_head": names[0], "server_model": PROFILES[size]}
            children[cluster] = {
                "vars": {**usual, **self.variables.get(cluster, {})},
                "hosts": {name: dict(self.hosts.get(name, {})) for name in names},
            }
        # Nobody asks these nodes, and no key is needed to say so.
        return {"sparks": {"children": children, "vars": {"server_open": True}}}


@dataclass(frozen=True)
class Run:
    """What a run printed, and how it ended."""

    code: int
    output: str

    def table(self, column: str) -> dict[str, list[str]]:
        """Return the rows of the last table that has such a column: first cell -> the other cells."""
        lines = [line.strip() for line in self.output.splitlines()]
        start = max(number for number, line in enumerate(lines) if line.startswith("CLUSTER ") and column in line)
        rows = [re.split(r" {2,}", line) for line in lines[start + 1 :]]
        last = next((number for number, row in enumerate(rows) if len(row) < 4), len(rows))
        return {row[0]: row[1:] for row in rows[:last]}

    @property
    def said(self) -> list[tuple[str, str]]:
        """BEGIN or END, and the cluster, in the order in which its nodes said so."""
        return [(found[1], found[2]) for found in SAID.finditer(self.output)]


def play(folder: Path, fleet: Fleet, *arguments: str, standing_in: bool = False) -> Run:
    """Run rollout.yml of this checkout with the ansible-core that runs the tests, over a fleet."""
    (folder / "hosts.yml").write_text(yaml.safe_dump(fleet.inventory()), encoding="utf-8")
    playbook = REPO / "playbooks/rollout.yml"
    if standing_in:
        playbook = folder / "playbooks/rollout.yml"
        shutil.copytree(REPO / "playbooks", playbook.parent, dirs_exist_ok=True)
        (playbook.parent / "tasks/rollout_look.yml").write_text(LOOK, encoding="utf-8")
        (playbook.parent / "tasks/bring_up.yml").write_text(BRING_UP, encoding="utf-8")
        (folder / "lost.py").write_text(CONNECTION, encoding="utf-8")
    env = {
        **os.environ,
        "ANSIBLE_CONFIG": str(REPO / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(REPO / ".collections"),
        "ANSIBLE_CONNECTION_PLUGINS": str(folder),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORKS": "8",
    }
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", folder / "hosts.yml", playbook, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env, cwd=folder)
    return Run(done.returncode, done.stdout + done.stderr)

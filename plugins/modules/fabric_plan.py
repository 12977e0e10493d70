# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fabric_plan
short_description: Decide what every node of a cluster is to have on its rails
version_added: 0.1.0
description:
  - Runs on the controller. Takes what the nodes showed of themselves and what the inventory says, chooses the rails of
    every node and their addresses, and tells what is to be changed.
  - Refuses what can't work, with every reason of the whole cluster at once, each with the value found, the value needed
    and the next step. The interface that Ansible reaches a node by, or that has its default route, is never a rail.
  - A netplan file of somebody else that already says just what is wanted is left alone.
  - Reads C(groups), and from every node of the cluster C(ansible_host), C(spark_fabric_addresses),
    C(fabric_interfaces), and the registered result C(fabric_looked).
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
  - dgxspark.sglang.attributes.read_only
options:
  cluster:
    description: The cluster, which is an inventory group. A node without one is a cluster of its own.
    type: str
    default: ""
  topology:
    description: How the nodes are cabled. V(auto) is a cable for two nodes and a switch for more.
    type: str
    choices: [auto, direct, switch, ring]
    default: auto
  mtu:
    description: The MTU of the rails in bytes.
    type: int
    default: 9000
  hotplug:
    description: Whether NVIDIA's hot-plug service may take the ConnectX-7 off the PCI bus while no peer answers.
    type: bool
    default: false
  take_over:
    description: Whether netplan files of somebody else that speak of the rails may be moved away.
    type: bool
    default: false
seealso:
  - module: dgxspark.sglang.fabric_look
  - module: dgxspark.sglang.fabric_ping
  - module: dgxspark.sglang.node_state
"""

EXAMPLES = r"""
- name: Decide for the whole cluster
  dgxspark.sglang.fabric_plan:
    cluster: alpha
  register: fabric_planned
"""

RETURN = r"""
mine:
  description: This node's part.
  returned: success
  type: dict
  contains:
    rails:
      description: The rails in order, with C(interface), C(device) (empty without RDMA), C(address) and C(prefix).
      type: list
      elements: dict
      sample: [{interface: enp1s0f1np1, device: rocep1s0f1, address: 192.168.100.11, prefix: 24}]
    addresses:
      description: The addresses of the rails.
      type: list
      elements: str
      sample: [192.168.100.11, 192.168.101.11]
    files:
      description: The O(dgxspark.sglang.node_state#module:files) that the node is to have.
      type: list
      elements: dict
    links:
      description: The O(dgxspark.sglang.node_state#module:links) that the node is to have.
      type: list
      elements: dict
    unused:
      description: Addresses that the node does not have yet, see M(dgxspark.sglang.fabric_look).
      type: list
      elements: dict
    pings:
      description: Whom the node must reach, see M(dgxspark.sglang.fabric_ping).
      type: list
      elements: dict
    rejected:
      description: RDMA functions that are no rails, with C(device) and C(reason).
      type: list
      elements: dict
    notes:
      description: What may get in the way.
      type: list
      elements: str
nodes:
  description: The parts of all nodes of the cluster by name.
  returned: success
  type: dict
hint:
  description: What to do next.
  returned: failure
  type: str
"""

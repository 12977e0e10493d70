# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at one node: Docker, image, the instance's container, ports, interfaces, rails and memory."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_probe
short_description: Look at one node before a server is planned on it
version_added: 0.1.0
description:
  - Returns what a plan needs to know of a node, in one quick call that changes nothing.
  - A fault of the node (Docker not running, no permission on its socket, no Docker SDK) is part of the answer, not a
    failure of the task, so that all nodes of a cluster can be judged together.
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
  - dgxspark.sglang.attributes.read_only
options:
  name:
    description: The instance, which is the name of its container.
    type: str
    default: sglang
  image:
    description: The image whose local ID is asked for.
    type: str
    default: ""
  ports:
    description: The ports whose owners are asked for.
    type: list
    elements: int
    default: []
  state_dir:
    description: The folder that keeps the last good plan of each instance.
    type: path
    default: /etc/dgxspark-sglang
  health:
    description: Whether to ask each of our servers for its health (it generates one token; up to 25 s when it hangs).
    type: bool
    default: false
requirements:
  - iproute2
  - docker (Python SDK, without it the answer says C(sdk_missing))
seealso:
  - module: dgxspark.sglang.sglang_plan
  - module: dgxspark.sglang.sglang_server
"""

EXAMPLES = r"""
- name: Look at the node
  dgxspark.sglang.node_probe:
    image: lmsysorg/sglang:v0.5.23
    ports: [30000, 50000]
  become: true
  register: looked
"""

RETURN = r"""
probe:
  description: The node as it is now.
  returned: success
  type: dict
  contains:
    docker_error:
      description: Why Docker can't be used here; empty when it can.
      type: str
      sample: ""
    sdk_missing:
      description: Whether the Docker SDK for Python is missing.
      type: bool
      sample: false
    gpu_runtime:
      description: Whether Docker can give a container the GPU.
      type: bool
      sample: true
    image_id:
      description: The local ID of the image; empty when it is not here.
      type: str
      sample: sha256:5a9d1c1f1a0b7f9c0f8f0e0c1f4f4a0d3d3c2b1a0f9e8d7c6b5a49382716050f
    image_digests:
      description: The registry digests of the image, which are the same on every node.
      type: list
      elements: str
    container:
      description: The instance's container; empty when there is none.
      type: dict
    containers:
      description: Every container of this collection on the node, with C(health) (an HTTP status) when asked for.
      type: list
      elements: dict
    ports:
      description: Port (as text) to C(pid), C(process), C(container) and C(unit) (of systemd) of its listener.
      type: dict
    keepers:
      description:
        - Instance to what systemd says of its keeper (M(dgxspark.sglang.sglang_keeper)), with C(state), C(active),
          C(enabled) and its own C(words). Empty on a node where nothing is kept.
      type: dict
      sample: {sglang: {active: true, enabled: true, state: active, words: Serves.}}
    interfaces:
      description: Interfaces with C(name), C(addresses), C(mtu), C(up), and the C(rdma_device) behind each.
      type: list
      elements: dict
    memory:
      description:
        - Bytes of C(total) and C(available) memory. On GB10 this is the GPU's memory, too.
        - C(held) is what the instance's container holds and would give back, -1 where that can't be told.
        - C(others) is what each other running container of this collection holds, by its name.
      type: dict
      sample: {total: 130663727104, available: 121333940224, held: 0, others: {}}
    state:
      description: The C(path) of O(state_dir), and how many bytes are free there, C(room).
      type: dict
      sample: {path: /etc/dgxspark-sglang, room: 812345196544}
    last_good:
      description: What last passed the gate on this node; empty when nothing did.
      type: dict
    plans:
      description: The instances of which this node has a last good plan, kept or stopped.
      type: list
      elements: str
      sample: [sglang]
"""

import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils.edges import _held, _host, _units
from ..module_utils.edges._docker import HAVE_DOCKER, Docker
from ..module_utils.edges._files import free_bytes
from ..module_utils.edges._http import Api
from ..module_utils.edges._plans import last_good, planned
from ..module_utils.server._container import Observed


def probe(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    listeners = _host.listeners(params["ports"])
    found: dict[str, t.Any] = {
        "docker_error": "",
        "sdk_missing": not HAVE_DOCKER,
        "gpu_runtime": False,
        "image_id": "",
        "image_digests": [],
        "container": {},
        "containers": [],
        "ports": {str(port): {**owner, "container": ""} for port, owner in listeners.items()},
        "interfaces": [asdict(interface) for interface in _host.interfaces(module.run_command)],
        "memory": {**_host.memory(), "held": 0, "others": {}},
        "state": {"path": params["state_dir"], "room": free_bytes(params["state_dir"], reserved=True)},
        "last_good": last_good(params["state_dir"], params["name"]),
        "plans": list(planned(params["state_dir"])),
        "keepers": {name: asdict(_units.look(module.run_command, name)) for name in _units.kept(module.run_command)},
    }
    try:
        engine = Docker()
    except SparkError as error:
        return {**found, "docker_error": str(error)}
    container = engine.container(params["name"])
    ours = engine.ours()
    for owner in found["ports"].values():
        owner["container"] = engine.name_of(owner["container_id"]) if owner["container_id"] else ""
    return {
        **found,
        "gpu_runtime": engine.gpu_runtime(),
        "image_id": engine.image_id(params["image"]) if params["image"] else "",
        "image_digests": engine.image_digests(params["image"]) if params["image"] else [],
        "container": container.public() if container else {},
        "containers": [with_health(item.public(), params["health"]) for item in ours],
        "memory": {**found["memory"], **held_by(module, container, ours)},
    }


def held_by(module: AnsibleModule, container: Observed | None, ours: list[Observed]) -> dict[str, t.Any]:
    """Return what the instance's container holds in bytes (-1: it can't be told), and what each other of ours holds."""
    running = [item for item in ours if item.running]
    held = _held.by_container(module.run_command) if running else {}
    mine = container.id if container else ""
    others = {item.public()["name"]: max(0, held.get(item.id, 0)) for item in running if item.id != mine}
    return {"held": held.get(mine, 0), "others": others}


def with_health(container: dict[str, t.Any], asked: bool) -> dict[str, t.Any]:
    serves = asked and container["running"] and container["rank"] == "0"
    api = Api("", int(container["port"]), tls=container["tls"] == "true") if serves else None
    return {**container, "health": api.health()} if api else container


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "sglang"},
            "image": {"type": "str", "default": ""},
            "ports": {"type": "list", "elements": "int", "default": []},
            "state_dir": {"type": "path", "default": "/etc/dgxspark-sglang"},
            "health": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, probe=probe(module))
    except SparkError as error:
        module.fail_json(**error.as_result())


if __name__ == "__main__":
    main()

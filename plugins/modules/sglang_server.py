# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge the container of one rank on one node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sglang_server
short_description: Run one rank of an SGLang server in Docker
version_added: 0.1.0
description:
  - Makes one container on one node be what the options say. The whole of it is compared at once, so a flag or an
    environment variable that is removed is a change like one that is added.
  - Never waits for other ranks; M(dgxspark.sglang.sglang_gate) does, on all nodes at once.
  - Everything that can be checked is checked before a running container is stopped, and the replacement is created
    before the old container is stopped.
  - The container uses the host's network and IPC, has an init, and is not privileged.
  - Where M(dgxspark.sglang.sglang_keeper) keeps the container, the keeper is held before anything is touched, which
    stops the container, and is not even started at boot once the container is to be stopped or absent.
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - Except for O(state=restarted).
options:
  name:
    description: The instance, which is the name of its container.
    type: str
    default: sglang
  state:
    description:
      - V(started) runs it as described, and touches nothing when it does so already.
      - V(restarted) the same, and starts it anew in any case.
      - V(stopped) stops the container and keeps it; V(absent) removes it and its secrets.
    type: str
    choices: [started, stopped, restarted, absent]
    default: started
  image:
    description: The image, by tag or digest. It must be on the node; M(dgxspark.sglang.sglang_image) pulls it.
    type: str
  image_id:
    description: The exact image to run, whatever O(image) points at by now.
    type: str
    default: ""
  model:
    description: The profile's name, kept as a label for people.
    type: str
    default: ""
  model_path:
    description: The model's folder on the node. It is mounted read-only below C(/models).
    type: path
  args:
    description:
      - SGLang's own flags, with underscores for hyphens (C(mem_fraction_static) is C(--mem-fraction-static)).
      - V(true) gives the bare flag, V(false) and V(null) leave it out, a list gives all its values behind one flag, a
        dictionary gives JSON.
    type: dict
    default: {}
  env:
    description: Environment of the engine. Values must be text.
    type: dict
    default: {}
  mounts:
    description: Further folders or files of the node to mount.
    type: list
    elements: dict
    default: []
    suboptions:
      source:
        description: Path on the node.
        type: path
        required: true
      target:
        description: Path in the container.
        type: path
        required: true
      read_only:
        description: Whether the engine may not write there.
        type: bool
        default: true
  cache_dir:
    description: Folder of the node for the engine's compiled kernels; empty for none.
    type: path
  gpus:
    description: V(all) gives the container the GPU, V(none) does not (an engine on CPU).
    type: str
    choices: [all, none]
    default: all
  rdma:
    description: Whether to give the container C(/dev/infiniband) and the right to pin memory.
    type: bool
    default: false
  memory:
    description: Cap of the container's memory in bytes, 0 for none. What the GPU allocates is not counted.
    type: int
    default: 0
  restart_policy:
    description:
      - What Docker does when the engine ends. C(on-failure) is not offered, because a failed SGLang can exit with 0.
    type: str
    choices: [unless-stopped, always, "no"]
    default: unless-stopped
  stop_timeout:
    description: Seconds that the engine gets to finish its requests before it is killed.
    type: int
    default: 60
  cluster:
    description: The cluster's name.
    type: str
    default: ""
  generation:
    description: What all ranks of one start have in common. When it changes, every rank is replaced.
    type: str
    default: ""
  state_dir:
    description: Folder on the node for secrets and for the last good plan.
    type: path
    default: /etc/dgxspark-sglang
  api_key:
    description: The key that clients must send. It reaches the engine in a file of mode 0600.
    type: str
  admin_api_key:
    description: The key for SGLang's control routes (0.5.9 and newer). It reaches the engine in a file of mode 0600.
    type: str
  hf_token:
    description: A Hugging Face token. It reaches the engine in a file of mode 0600.
    type: str
  tls_pem:
    description:
      - Private key and certificates in PEM format, for O(args) with C(ssl_certfile). They reach the engine in a file of
        mode 0600. With C(enable_ssl_refresh) others are a change of that file, and the engine runs on.
      - Without it, a plan that speaks TLS has the one that a plan without TLS has put aside on the node. It is there
        until M(dgxspark.sglang.sglang_keeper) keeps a plan.
    type: str
requirements:
  - docker (Python SDK)
seealso:
  - module: dgxspark.sglang.sglang_plan
  - module: dgxspark.sglang.sglang_gate
"""

EXAMPLES = r"""
- name: Serve a model on one node
  dgxspark.sglang.sglang_server:
    image: lmsysorg/sglang:v0.5.23
    model_path: /home/spark/ai/models/qwen3/qwen3-32b-nvfp4
    args:
      served_model_name: qwen3-32b
      host: 0.0.0.0
      port: 30000
      mem_fraction_static: 0.75
      kv_cache_dtype: fp8_e4m3
    api_key: "{{ vault_api_key }}"
  become: true

- name: Run rank 1 of two
  dgxspark.sglang.sglang_server:
    image: lmsysorg/sglang:v0.5.23
    model_path: /home/spark/ai/models/gpt-oss-120b
    rdma: true
    args:
      port: 30000
      tp_size: 2
      nnodes: 2
      node_rank: 1
      dist_init_addr: 192.168.100.11:50000
    env:
      SGLANG_HOST_IP: 192.168.100.12
      GLOO_SOCKET_IFNAME: enp1s0f1np1
      NCCL_IB_HCA: "=rocep1s0f1,roceP2p1s0f1"
  become: true

- name: Stop it and keep the container
  dgxspark.sglang.sglang_server:
    state: stopped
  become: true
"""

RETURN = r"""
actions:
  description:
    - What was done, or would be done in check mode. V(renew) writes secret files and lets the engine run on.
    - V(hold) stops the keeper until it is started again or the node boots, V(disable) for good.
  returned: success
  type: list
  elements: str
  sample: [create, stop, remove, rename, start]
command:
  description: The engine's command line. It holds no secret.
  returned: when O(state) is V(started) or V(restarted)
  type: list
  elements: str
  sample: [python3, -m, sglang.launch_server, --model-path, /models/gpt-oss-120b, --port, "30000"]
digest:
  description: Digest of everything that was compared.
  returned: success
  type: str
  sample: 3f1b9c2a7d6e5f40
container:
  description: The container as it is afterwards; empty when there is none.
  returned: success
  type: dict
  sample: {id: 8f2c7d1e9a0b, status: running, running: true, started_at: "2026-11-21T02:03:04.5Z", restart_count: 0}
seconds:
  description: How long it took to C(stop) what ran, and to C(start) what replaces it; 0 where there was nothing to do.
  returned: success, and when an action failed
  type: dict
  sample: {stop: 7.912, start: 0.604}
touched:
  description: Whether something was stopped or replaced before it failed.
  returned: failure
  type: bool
hint:
  description: What to do next.
  returned: failure
  type: str
diff:
  description: The container's spec before and after, without secrets.
  returned: success
  type: dict
"""

import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils.edges import _host, _units
from ..module_utils.edges._docker import HAVE_DOCKER, NO_SDK_HINT, Docker
from ..module_utils.edges._files import read_private, write_private
from ..module_utils.edges._rank import act, api_port, former_pem
from ..module_utils.keeper._unit import DISABLE, HOLD, with_keeper
from ..module_utils.server._container import RDMA_DEVICES, ContainerSpec, build, decide, diff, refuse_foreign
from ..module_utils.server._downtime import seconds_of
from ..module_utils.server._secrets import TLS_PEM, former_dir, secret_dir, secret_files, speaks_tls, used

UP = ("started", "restarted")


def converge(module: AnsibleModule) -> dict[str, t.Any]:
    params, state = module.params, module.params["state"]
    pem = params["tls_pem"] or former_pem(params["state_dir"], params["name"])
    secrets = used(params["args"], {**params, "tls_pem": pem})
    unseen = module.check_mode and not HAVE_DOCKER
    if unseen:
        module.warn(f"Docker was not asked: {NO_SDK_HINT} Assuming that no server of this collection is here.")
    engine = None if unseen else Docker()
    observed = engine.container(params["name"]) if engine else None
    refuse_foreign(params["name"], observed)
    wanted = wanted_spec(module, engine, secrets) if state in UP else None
    stale = read_private(secret_dir(params["state_dir"], params["name"])) != secret_files(secrets)
    actions, changes = decide(state, wanted, observed, stale), diff(state, wanted, observed, stale)
    keeper = _units.look(module.run_command, params["name"])
    actions = with_keeper(actions, state not in UP, keeper.active, keeper.enabled)
    if engine and wanted and actions:
        preflight(wanted, module, engine, secrets)
    spent: dict[str, float] = {}
    if engine and not module.check_mode:
        spent = perform(module, engine, actions, wanted, secrets)
        observed = engine.container(params["name"])
    return {
        "changed": bool(actions),
        "actions": list(actions),
        "command": list(wanted.command) if wanted else [],
        "digest": wanted.digest() if wanted else "",
        "container": observed.public() if observed else {},
        "seconds": seconds_of(spent),
        "diff": changes,
    }


def wanted_spec(module: AnsibleModule, engine: Docker | None, secrets: dict[str, str]) -> ContainerSpec:
    params = module.params
    reference = params["image_id"] or params["image"]
    image_id = engine.image_id(reference) if engine else ""
    if not image_id and not module.check_mode:
        raise SparkError(f"Image {reference} is not on this node.", "pull it first with dgxspark.sglang.sglang_image.")
    return build(params, image_id, secrets)


def preflight(wanted: ContainerSpec, module: AnsibleModule, engine: Docker, secrets: dict[str, str]) -> None:
    """Refuse what can't work while the old container still runs. In check mode image and model may be yet to come."""
    params = module.params
    if speaks_tls(params["args"]) and "tls_pem" not in secrets:
        what = "This plan speaks TLS (ssl_certfile), and there is no key and certificate for it."
        raise SparkError(what, "set server_tls_certificate and server_tls_key.")
    if not os.path.isdir(params["model_path"]) and not module.check_mode:
        raise SparkError(f"The model folder {params['model_path']} does not exist.", "copy the model there first.")
    if wanted.gpus == "all" and not engine.gpu_runtime():
        raise SparkError(
            "Docker knows no NVIDIA runtime, so the container would get no GPU.",
            "install nvidia-container-toolkit and restart Docker (DGX OS ships it), or set gpus: none.",
        )
    if wanted.rdma and not os.path.isdir(RDMA_DEVICES):
        raise SparkError(
            f"This node has no {RDMA_DEVICES}.", "check the ConnectX-7 card and its driver, or set rdma: false."
        )
    port = api_port(params)
    for owner in _host.listeners([port]).values():
        container = engine.name_of(owner["container_id"]) if owner["container_id"] else ""
        if container != wanted.name:
            who = f"container {container}" if container else f"{owner['process']} (pid {owner['pid']})"
            raise SparkError(f"Port {port} is taken by {who}.", "stop it, or choose another port.")


def perform(
    module: AnsibleModule,
    engine: Docker,
    actions: tuple[str, ...],
    wanted: ContainerSpec | None,
    secrets: dict[str, str],
) -> dict[str, float]:
    """Carry the actions out, and return how many seconds each took. A keeper that is held stops its container."""
    params, name = module.params, module.params["name"]
    spent: dict[str, float] = {}
    # The folder must be there to be mounted; its files change only once Docker has accepted the replacement.
    os.makedirs(secret_dir(params["state_dir"], name) if secrets else params["state_dir"], mode=0o700, exist_ok=True)
    former = read_private(secret_dir(params["state_dir"], name)).get(TLS_PEM, "")
    if former and wanted and "tls_pem" not in secrets:  # should this plan fail, the one before needs its certificate
        write_private(former_dir(params["state_dir"], name), {TLS_PEM: former})
    touched = False
    try:
        for action in actions:
            if action != "create" and wanted and secrets:
                write_private(secret_dir(params["state_dir"], name), secret_files(secrets))
            touched = touched or action in (HOLD, DISABLE, "stop", "remove", "start")
            begin = time.monotonic()
            if action in (HOLD, DISABLE):
                _units.hold(module.run_command, name, action)
            act(engine, action, wanted, params)
            spent[action] = time.monotonic() - begin
    except SparkError as error:
        error.facts |= {"touched": touched, "seconds": seconds_of(spent)}
        raise
    if params["state"] == "absent" or (wanted and not secrets):
        write_private(secret_dir(params["state_dir"], name), {})
    if params["state"] == "absent":
        write_private(former_dir(params["state_dir"], name), {})
    return spent


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True, required_if=REQUIRED_IF)
    try:
        module.exit_json(**converge(module))
    except SparkError as error:
        module.fail_json(**{"touched": False, **error.as_result()})


ARGUMENTS: dict[str, t.Any] = {
    "name": {"type": "str", "default": "sglang"},
    "state": {"type": "str", "choices": ["started", "stopped", "restarted", "absent"], "default": "started"},
    "image": {"type": "str"},
    "image_id": {"type": "str", "default": ""},
    "model": {"type": "str", "default": ""},
    "model_path": {"type": "path"},
    "args": {"type": "dict", "default": {}},
    "env": {"type": "dict", "default": {}},
    "mounts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "source": {"type": "path", "required": True},
            "target": {"type": "path", "required": True},
            "read_only": {"type": "bool", "default": True},
        },
    },
    "cache_dir": {"type": "path"},
    "gpus": {"type": "str", "choices": ["all", "none"], "default": "all"},
    "rdma": {"type": "bool", "default": False},
    "memory": {"type": "int", "default": 0},
    "restart_policy": {"type": "str", "choices": ["unless-stopped", "always", "no"], "default": "unless-stopped"},
    "stop_timeout": {"type": "int", "default": 60},
    "cluster": {"type": "str", "default": ""},
    "generation": {"type": "str", "default": ""},
    "state_dir": {"type": "path", "default": "/etc/dgxspark-sglang"},
    "api_key": {"type": "str", "no_log": True},
    "admin_api_key": {"type": "str", "no_log": True},
    "hf_token": {"type": "str", "no_log": True},
    "tls_pem": {"type": "str", "no_log": True},
}
REQUIRED_IF = [(("state", state, ("image", "model_path"))) for state in UP]


if __name__ == "__main__":
    main()

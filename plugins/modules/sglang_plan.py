# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sglang_plan
short_description: Decide everything about a server before anything is touched
version_added: 0.1.0
description:
  - Runs on the controller. Takes the inventory, the catalogue, and what the nodes showed of themselves, and returns the
    plan of the cluster, ranks, fabric environment, launch arguments, container options and the checks of the gate.
  - Refuses what can't work, with every reason at once, each with the value found, the value needed and the next step.
  - Reads C(groups), and from every node of the cluster C(spark_head), C(spark_fabric_addresses), C(ansible_host), and
    the registered results C(server_looked), C(model_looked), C(server_beside), C(image_pulled) and C(moe_configured).
  - A cluster may have several instances, the main one, which the other options describe, and those of O(instances). One
    of them is planned, and the memory of those that are brought up before it is part of its account.
  - In check mode and with C(-v) the plan is shown in a few lines.
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
  - dgxspark.sglang.attributes.read_only
options:
  stage:
    description: V(draft) needs no look at the nodes; V(plan) does.
    type: str
    choices: [draft, plan]
    default: draft
  strict:
    description: Whether what a bring-up prepares must be there, image, model and rails. Never asked for in check mode.
    type: bool
    default: true
  catalogue:
    description: Folder of the controller with C(models/*.yml), C(images.yml) and C(flags/*.json).
    type: path
    required: true
  cluster:
    description: The cluster, which is an inventory group.
    type: str
    default: ""
  instance:
    description:
      - The name of the server and of its containers. One of O(instances), or else the main one's name.
      - Where the cluster has no such instance, the first that the run brings up is planned.
    type: str
    default: sglang
  instances:
    description:
      - Further servers of the cluster, name to what is different of each; see C(server_instances) of the role server.
      - What is not given there is as it is for the main one, except C(model), C(nodes), C(start_timeout) and
        C(mem_fraction_static). A C(watch_port) is 10000 above its C(port), a C(dist_port) 20000.
    type: dict
    default: {}
  only:
    description: The one instance that this run brings up, instead of the main one and all that are always on.
    type: str
    default: ""
  only_model:
    description: The model that O(only) is to serve instead of its own. Without O(only), the instance that has it.
    type: str
    default: ""
  model:
    description: The profile to serve. Where there are O(instances), a cluster without a main one has none.
    type: str
    default: ""
  models:
    description: Profiles of the user, over those of the catalogue.
    type: dict
    default: {}
  images:
    description: Images of the user, over those of the catalogue.
    type: dict
    default: {}
  image:
    description: An image by tag or digest instead of the profile's.
    type: str
    default: ""
  sglang:
    description: The SGLang version in O(image).
    type: str
    default: ""
  port:
    description: The API's port.
    type: int
    default: 30000
  dist_port:
    description: The port on the head at which the ranks meet.
    type: int
    default: 50000
  watch_port:
    description: The port at which the keepers of several nodes ask each other, see M(dgxspark.sglang.sglang_keeper).
    type: int
    default: 40000
  nodes:
    description: How many nodes to use, 0 for as many as the profile can.
    type: int
    default: 0
  gpus:
    description: Whether containers get the GPU.
    type: str
    choices: [all, none]
    default: all
  transport:
    description: How NCCL talks.
    type: str
    choices: [rdma, socket]
    default: rdma
  args:
    description: SGLang's flags, over the profile's.
    type: dict
    default: {}
  env:
    description: Environment of the engine, over the profile's.
    type: dict
    default: {}
  model_root:
    description: Folder of the models on every node.
    type: str
    required: true
  encodings_dir:
    description: Folder of the tiktoken files on every node, for models that need them.
    type: str
    default: ""
  cache_dir:
    description: Folder of compiled kernels on every node.
    type: str
    default: ""
  state_dir:
    description: Folder of secrets and last good plans on every node.
    type: str
    default: /etc/dgxspark-sglang
  mounts:
    description: Further mounts, see M(dgxspark.sglang.sglang_server).
    type: list
    elements: dict
    default: []
  memory:
    description: Cap of a container's memory in bytes, 0 for none.
    type: int
    default: 0
  stop_timeout:
    description: Seconds that the engine gets to finish its requests.
    type: int
    default: 60
  start_timeout:
    description: Seconds until a start has failed, 0 to derive it from the model's size.
    type: int
    default: 0
  patience:
    description: Seconds without a healthy answer after which its keeper starts a serving instance again.
    type: int
    default: 120
  restarts:
    description: Failed starts in a row after which its keeper gives up.
    type: int
    default: 3
  access:
    description:
      - Who gets at the API. A server needs a key, or the word that it is meant to be O(access.open).
      - Only checksums of secrets are part of the plan.
    type: dict
    default: {}
    suboptions:
      api_key:
        description: The key of the API.
        type: str
      api_key_file:
        description: A file of the controller that has it. Relative paths count from the folder of the inventory.
        type: str
      admin_api_key:
        description: The key of the control routes.
        type: str
      admin_api_key_file:
        description: A file of the controller that has it.
        type: str
      hf_token:
        description: The Hugging Face token.
        type: str
      hf_token_file:
        description: A file of the controller that has it.
        type: str
      open:
        description: Whether a server without a key is meant.
        type: bool
        default: false
      tls_certificate:
        description: A file of the controller with the certificate and its chain, in PEM format.
        type: str
      tls_key:
        description: A file of the controller with its key, without a passphrase.
        type: str
seealso:
  - module: dgxspark.sglang.node_probe
  - module: dgxspark.sglang.sglang_server
"""

EXAMPLES = r"""
- name: Check a request against the catalogue
  dgxspark.sglang.sglang_plan:
    catalogue: "{{ role_path }}/files"
    cluster: alpha
    model: gpt-oss-120b
    model_root: /home/spark/ai/models
  register: drafted
"""

RETURN = r"""
draft:
  description: What must be looked at on the nodes.
  returned: success
  type: dict
  contains:
    instance:
      description: The instance that is planned.
      type: str
    start:
      description: V(always) or V(on-demand).
      type: str
    model:
      description: The profile that it serves.
      type: str
    instances:
      description: The instances that this run brings up, in order.
      type: list
      elements: str
    before:
      description: Those that it brings up before this one, with C(instance) and C(model_path), to be looked at.
      type: list
      elements: dict
    ports:
      description: Node to setting to port that must be free there.
      type: dict
    all_ports:
      description: The same of all instances of the cluster.
      type: dict
    api_ports:
      description: The ports of all instances' APIs.
      type: list
      elements: int
    model_paths:
      description: The model folders of all instances.
      type: list
      elements: str
    refused:
      description: Other instances that can't be served, with C(instance), C(reason) and C(hint).
      type: list
      elements: dict
  sample:
    instance: sglang
    start: always
    model: gpt-oss-120b
    instances: [sglang]
    before: []
    image: lmsysorg/sglang:v0.5.23
    model_path: /home/spark/ai/models/gpt-oss/gpt-oss-120b
    source: {repo: openai/gpt-oss-120b, revision: "", encodings: [o200k_base]}
    args: {mem_fraction_static: 0.75}
    tp_size: 2
    sglang: 0.5.23
    memory_fraction: 0.75
    ports: {spark-01: {server_port: 30000, server_dist_port: 50000}, spark-02: {server_port: 30000}}
    nodes: [spark-01, spark-02]
plan:
  description:
    - The whole cluster's plan, with C(ranks), C(generation), C(endpoint), and C(lines) for people.
    - C(memory) has the C(terms) of a rank in bytes, the C(tokens) that its KV cache holds, and how many C(requests) of
      the whole C(context) these are.
  returned: when O(stage=plan)
  type: dict
mine:
  description: This node's part, with the options of C(server) and C(gate); empty when the node is idle.
  returned: when O(stage=plan)
  type: dict
hint:
  description: What to do next.
  returned: failure
  type: str
"""

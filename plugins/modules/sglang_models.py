# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sglang_models
short_description: Tell which models a cluster could serve
version_added: 0.1.0
description:
  - Runs on the controller. Judges every profile of the catalogue as M(dgxspark.sglang.sglang_plan) would judge it, for
    the nodes and settings of the cluster. Where a model is not on a node yet, the size of its download counts.
  - Reads C(groups), and from every node of the cluster C(spark_head), C(spark_fabric_addresses), and the registered
    results C(server_looked) (M(dgxspark.sglang.node_probe)) and C(server_models_looked)
    (M(dgxspark.sglang.model_inventory) with RV(paths), C(detail) and C(served)).
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
  - dgxspark.sglang.attributes.read_only
options:
  stage:
    description: V(list) says where the nodes must look; V(judge) is for when they have.
    type: str
    choices: [list, judge]
    default: list
  catalogue:
    description: Folder of the controller with C(models/*.yml), C(images.yml) and C(flags/*.json).
    type: path
    required: true
  cluster:
    description: The cluster, which is an inventory group.
    type: str
    default: ""
  instance:
    description: The server that another model would replace.
    type: str
    default: sglang
  models:
    description: Profiles of the user, over those of the catalogue.
    type: dict
    default: {}
  images:
    description: Images of the user, over those of the catalogue.
    type: dict
    default: {}
  image:
    description: An image by tag or digest instead of the profiles'.
    type: str
    default: ""
  sglang:
    description: The SGLang version in O(image).
    type: str
    default: ""
  nodes:
    description: How many nodes to use, 0 for as many as a profile can.
    type: int
    default: 0
  gpus:
    description: Whether containers get the GPU.
    type: str
    choices: [all, none]
    default: all
  args:
    description: SGLang's flags, over the profiles'.
    type: dict
    default: {}
  env:
    description: Environment of the engine, over the profiles'.
    type: dict
    default: {}
  model_root:
    description: Folder of the models on every node.
    type: str
    required: true
seealso:
  - module: dgxspark.sglang.sglang_plan
  - plugin: dgxspark.sglang.model_offer
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read the catalogue
  dgxspark.sglang.sglang_models:
    catalogue: "{{ role_path }}/files"
    cluster: alpha
    model_root: /home/spark/ai/models
  register: catalogue
"""

RETURN = r"""
paths:
  description: Where the nodes must look, in this order.
  returned: when O(stage=list)
  type: list
  elements: str
  sample: [/home/spark/ai/models/gpt-oss/gpt-oss-120b, /home/spark/ai/models/gpt-oss/gpt-oss-120b.partial]
models:
  description:
    - Every profile with its C(name), C(repo), the numbers of C(nodes) that it runs on, C(bytes) on disk or of its
      download (0 for unknown), what it C(needs), and the C(caution) of one who tries it.
    - C(fits) is V(yes), V(no) or V(unknown), on so many C(ranks). A C(reason) says why not, and C(nearest) what does.
    - C(disk) says for each node whether it is V(whole), V(partial), V(no) or V(not known); C(served) who serves it now.
  returned: when O(stage=judge)
  type: list
  elements: dict
  sample:
    - name: gpt-oss-120b
      repo: openai/gpt-oss-120b
      nodes: [1, 2]
      bytes: 65250000000
      needs: [30.4 GiB a node]
      fits: "yes"
      ranks: 2
      reason: ""
      nearest: ""
      caution: ""
      disk: {spark-01: whole, spark-02: whole}
      served: ["sglang:30000"]
remarks:
  description: What is true of all models or of a node, for example why a node could not be looked at.
  returned: when O(stage=judge)
  type: list
  elements: str
"""

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at the models of a node: what they are, what they lack, and who serves them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: model_inventory
short_description: Tell which models a node has, whether they are whole, and who serves them
version_added: 0.1.0
description:
  - Reads C(config.json), the safetensors index and the headers of the shards. Weights are never read.
  - A folder is complete when it has a readable C(config.json), every shard that its index or its shards' names promise,
    every safetensors file has the size that its own header says, and everything is as its manifest says if it has one.
  - An incomplete folder is part of the answer, not a failure of the task. A folder named C(*.partial) is still being
    made, and never complete.
  - Nothing is ever deleted. What is neither served nor needed is told with its size, so that people can decide.
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
  - dgxspark.sglang.attributes.read_only
options:
  paths:
    description: Model folders. Each has an entry in the result, in this order, also when it does not exist.
    type: list
    elements: path
    default: []
  roots:
    description:
      - Folders that are searched for models. Every folder with weights, or with the C(config.json) of a model, is one;
        what is in a model's folder belongs to it.
      - A root that does not exist has no models.
    type: list
    elements: path
    default: []
  depth:
    description: How many folders below a root a model may be.
    type: int
    default: 4
  caches:
    description:
      - Caches of the Hugging Face hub's client (C(~/.cache/huggingface), or the folder C(hub) in it). Every revision of
        a repository is a model; its links into the cache's blobs count as files.
    type: list
    elements: path
    default: []
  served:
    description:
      - Whether to look at the containers of the node and to ask the APIs of our servers for their models. That takes
        3 seconds at most for each server.
    type: bool
    default: false
  needed:
    description:
      - Model folders that are not called unused when O(served), whether they are here or not.
      - Without this option it is not known what is needed, and nothing is called unused.
    type: list
    elements: path
  detail:
    description:
      - Whether to return C(config) and C(weights), too. Only for O(paths), not for what is found by searching.
    type: bool
    default: false
  state_dir:
    description: The folder that keeps the last good plan and the API key of each instance.
    type: path
    default: /etc/dgxspark-sglang
requirements:
  - docker (Python SDK, only for O(served))
seealso:
  - module: dgxspark.sglang.sglang_plan
  - plugin: dgxspark.sglang.model_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look into a model folder
  dgxspark.sglang.model_inventory:
    paths:
      - /home/spark/ai/models/qwen3/qwen3-32b-nvfp4
  register: models

- name: Find every model, and who serves it
  dgxspark.sglang.model_inventory:
    roots: [/home/spark/ai/models]
    caches: [/home/spark/.cache/huggingface]
    served: true
  become: true
  register: inventory_looked
"""

RETURN = r"""
models:
  description: One entry for each of O(paths), in the same order, then one for each model found, root by root.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The folder.
      type: str
      sample: /home/spark/ai/models/qwen3/qwen3-32b-nvfp4
    name:
      description: Its path below the root, or the name of its repository in a cache; empty for one of O(paths).
      type: str
      sample: qwen3/qwen3-32b-nvfp4
    complete:
      description: Whether an engine could load it.
      type: bool
      sample: true
    partial:
      description: Whether it is still being made.
      type: bool
      sample: false
    problems:
      description: What it lacks, in words.
      type: list
      elements: str
      sample: []
    notes:
      description: What to know before it is served; C(what) and C(hint).
      type: list
      elements: dict
      sample: []
    architecture:
      description: The first architecture of C(config.json).
      type: str
      sample: Qwen3ForCausalLM
    parameters:
      description: How many parameters its weights hold, from the headers of its shards; 0 when not all can be read.
      type: int
      sample: 32762123264
    dtype:
      description: The data type of C(config.json).
      type: str
      sample: bfloat16
    quantization:
      description: Method and detail of the quantisation; empty when there is none.
      type: str
      sample: modelopt/NVFP4
    precision:
      description: What quantised weights are; C(fp4), C(fp8), C(int4), C(int8) or C(mixed).
      type: str
      sample: fp4
    format:
      description: C(safetensors), C(bin) or C(gguf); empty when there are no weights.
      type: str
      sample: safetensors
    bytes:
      description: Size in bytes of the weights that are there.
      type: int
      sample: 20937965568
    disk_bytes:
      description: Size in bytes of everything in the folder. What two revisions in a cache share counts for both.
      type: int
      sample: 20954342912
    shards:
      description: How many weight files there are, or should be.
      type: int
      sample: 4
    missing:
      description: Shards that are promised, by the index or by the names of the others, and not there.
      type: list
      elements: str
      sample: []
    truncated:
      description: Shards whose size is not what their header says.
      type: list
      elements: str
      sample: []
    context:
      description: Context length in tokens that C(config.json) tells; 0 when it does not.
      type: int
      sample: 40960
    moe:
      description: Number of C(experts), C(topk), C(intermediate) size and C(shared) experts; empty for a dense model.
      type: dict
      sample: {}
    repo:
      description: The repository, where the folder's manifest or a cache tells.
      type: str
      sample: nvidia/Qwen3-32B-NVFP4
    revision:
      description: The commit, where the manifest, the cache or the hub's client tells.
      type: str
      sample: 0123456789abcdef0123456789abcdef01234567
    config:
      description: C(config.json), when O(detail).
      type: dict
    weights:
      description: Bytes of the weights by group, when O(detail).
      type: dict
    served_by:
      description: C(instance:port) of our servers that have this folder, running or not. Only with O(served).
      type: list
      elements: str
    mounted_by:
      description: Names of containers that are not ours and have this folder. Only with O(served).
      type: list
      elements: str
    needed:
      description: Whether it is one of O(needed). Only with O(served).
      type: bool
    kept:
      description: Whether a last good plan goes back to it. Only with O(served).
      type: bool
    unused:
      description:
        - Whether nothing of all that is the case. Only with O(served).
        - Never true without O(needed), or when Docker could not be asked.
      type: bool
servers:
  description: Our servers on this node, with C(instance), C(cluster), C(rank), C(port), C(status), C(profile), C(path)
    (the model's folder), C(names) (what the API calls its models), C(api) (how it answers) and C(tls) (whether it
    speaks https).
  returned: when O(served)
  type: list
  elements: dict
docker_error:
  description: Why Docker can't be asked; empty when it can.
  returned: when O(served)
  type: str
  sample: ""
"""

import os
import typing as t
from dataclasses import asdict, replace

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils.edges import _models, _serving
from ..module_utils.model._folder import ModelFolder, judge
from ..module_utils.model._inventory import use


def places(params: dict[str, t.Any]) -> list[_models.Place]:
    """Return where to look: the given folders as they are, then what is found and not among them."""
    given = [_models.Place(path.rstrip("/") or "/") for path in params["paths"]]
    found = [place for root in params["roots"] for place in _models.find(root, params["depth"])]
    # In a cache a repository is one folder down, and what it holds is not searched.
    found += [place for cache in params["caches"] for place in _models.find(_models.hub(cache), 1)]
    known = {place.path for place in given}
    return [*given, *{place.path: place for place in found if place.path not in known}.values()]


def judged(place: _models.Place, detail: bool) -> ModelFolder:
    listing = _models.listing(place)
    folder = judge(listing)
    return replace(folder, config=listing.config or {}, weights=_models.weights(listing)) if detail else folder


def look(params: dict[str, t.Any]) -> dict[str, t.Any]:
    if params["detail"] and (params["roots"] or params["caches"]):
        raise SparkError("detail is for folders that are named.", "give paths, and neither roots nor caches.")
    try:
        models = [asdict(judged(place, params["detail"])) for place in places(params)]
    except OSError as error:
        hint = "correct its permissions, or use become: true."
        raise SparkError(f"A model folder can't be read: {error}", hint) from error
    if not params["served"]:
        return {"models": models}
    known, docker_error = _serving.look(params["state_dir"], params["needed"])
    models = [{**model, **use(os.path.realpath(model["path"]), known)} for model in models]
    servers = [asdict(server) for server in known.servers]
    return {"models": models, "servers": servers, "docker_error": docker_error}


def main() -> None:
    folders = {"type": "list", "elements": "path", "default": []}
    spec = {
        **{name: folders for name in ("paths", "roots", "caches")},
        "needed": {"type": "list", "elements": "path"},
        "depth": {"type": "int", "default": 4},
        "served": {"type": "bool", "default": False},
        "detail": {"type": "bool", "default": False},
        "state_dir": {"type": "path", "default": "/etc/dgxspark-sglang"},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    try:
        module.exit_json(changed=False, **look(module.params))
    except SparkError as error:
        module.fail_json(**error.as_result())


if __name__ == "__main__":
    main()

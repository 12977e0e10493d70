# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tiles of the fused MoE kernel for one launch, as files of one node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: moe_config
short_description: Install tile configs of SGLang's fused MoE kernel that run on GB10, and prove them
version_added: 0.1.0
description:
  - Reads C(config.json) of a model, and writes the files that SGLang's Triton kernel for experts looks for in a launch,
    under the exact names that the version asks for.
  - The tiles come from the user's tuned files, else from tuned files of the collection, else from a rule by how many
    tokens an expert gets. What can't run on GB10 is left out, with the reason (RV(rejected)).
  - A folder is named after its contents. A changed config is another folder, so a server that mounts it is changed too,
    and the folder of the last good plan stays. Folders that no container and no last good plan mention are removed.
  - Where another kernel serves the experts, or the model has none, nothing is installed (RV(reason)).
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
options:
  state:
    description:
      - V(present) installs the files.
      - V(verified) changes nothing. It compiles every entry for sm_121 with the compiler and the kernel of O(image),
        which needs no GPU, and fails when one would not run.
      - V(absent) removes every folder that no container mentions.
    type: str
    choices: [present, verified, absent]
    default: present
  model_path:
    description: The model's folder on the node. Needed except for O(state=absent).
    type: path
  tp_size:
    description: Over how many ranks the model is split.
    type: int
    default: 1
  sglang:
    description: The version of SGLang in the image.
    type: str
    default: ""
  triton:
    description: The version of Triton in the image. Without it nothing is installed.
    type: str
    default: ""
  args:
    description: The launch's arguments, by SGLang's names with underscores. Those of speculative decoding add batches.
    type: dict
    default: {}
  tuned:
    description: Tuned files, the best first among those of one source.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Path of the file. Its last folder tells the Triton that it was tuned with (C(triton_3_5_0)).
        type: str
        required: true
      content:
        description: Its text.
        type: str
        required: true
      source:
        description: Whose it is. The user's come first.
        type: str
        choices: [user, shipped]
        default: user
  tuned_dirs:
    description: Folders of the controller with tuned files of the user, in whatever subfolders.
    type: list
    elements: path
    default: []
  shipped_dirs:
    description: The same for files of the collection.
    type: list
    elements: path
    default: []
  dir:
    description: The folder on the node for the folders.
    type: path
    default: /var/lib/dgxspark-sglang/moe
  state_dir:
    description: The folder on the node with the last good plans.
    type: path
    default: /etc/dgxspark-sglang
  instance:
    description: The name of the container whose files the diff starts from.
    type: str
    default: sglang
  image:
    description: The image to compile in, which must be on the node. Needed for O(state=verified).
    type: str
    default: ""
  program:
    description: The program that compiles there, as text. Needed for O(state=verified).
    type: str
    default: ""
  limit:
    description: Seconds that the compilation may take.
    type: int
    default: 900
requirements:
  - docker (Python SDK), for O(state=verified) and O(state=absent). With O(state=present) it tells what is in use.
seealso:
  - module: dgxspark.sglang.sglang_server
"""

EXAMPLES = r"""
- name: Install what GLM-4.7 asks for on four nodes
  dgxspark.sglang.moe_config:
    model_path: /home/spark/ai/models/glm/glm-4.7-fp8
    tp_size: 4
    sglang: 0.5.23
    triton: 3.9.0
    args:
      speculative_algorithm: EAGLE
      speculative_num_steps: 3
      speculative_eagle_topk: 2
      speculative_num_draft_tokens: 8
    tuned_dirs: [tuned]
  become: true
  register: configured

- name: Prove it with the compiler in the image
  dgxspark.sglang.moe_config:
    state: verified
    model_path: /home/spark/ai/models/glm/glm-4.7-fp8
    tp_size: 4
    sglang: 0.5.23
    triton: 3.9.0
    image: lmsysorg/sglang:v0.5.23
    program: "{{ lookup('ansible.builtin.file', 'compile_moe.py') }}"
  become: true
"""

RETURN = r"""
folder:
  description: The folder on the node, for SGLANG_MOE_CONFIG_DIR; empty when nothing is installed.
  returned: success
  type: str
  sample: /var/lib/dgxspark-sglang/moe/3f9c0a1b2c4d
digest:
  description: The name of the folder, the same on every node with the same inputs.
  returned: success
  type: str
reason:
  description: Why nothing is installed; empty when something is.
  returned: success
  type: str
  sample: NVFP4 experts go to FlashInfer's or the Marlin kernel
files:
  description: The files, each with C(path) below the folder, C(source) (V(user), V(shipped) or V(rule)), C(origin),
    C(entries), C(shared_bytes) (the largest of its entries) and C(numbers).
  returned: success
  type: list
  elements: dict
rejected:
  description: What was not used, with C(file), C(entry) (its batch, or empty for the file) and C(reason).
  returned: success
  type: list
  elements: dict
notes:
  description: What is good to know, in words.
  returned: success
  type: list
  elements: str
removed:
  description: Folders that were removed because nothing mentions them.
  returned: success
  type: list
  elements: str
entries:
  description: With O(state=verified), each different entry with C(file), C(batches), C(config), C(shared_bytes) (what
    the compiler says) and C(expected_bytes).
  returned: success
  type: list
  elements: dict
compiler:
  description: With O(state=verified), the version of Triton that compiled.
  returned: success
  type: str
  sample: 3.9.0
kernel_sha256:
  description: With O(state=verified), the checksum of SGLang's file with the kernel.
  returned: success
  type: str
diff:
  description: The files before and after, as JSON with a line for each entry.
  returned: success
  type: dict
hint:
  description: What to do next.
  returned: failure
  type: str
"""

import json
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils.edges import _folders, _program
from ..module_utils.edges._docker import Docker
from ..module_utils.edges._files import text_of
from ..module_utils.edges._models import experts
from ..module_utils.edges._plans import planned
from ..module_utils.moe import _choose
from ..module_utils.moe._proof import proof
from ..module_utils.moe._shape import Shape
from ..module_utils.moe._tuned import Tuned

_NOTHING: dict[str, t.Any] = {"removed": [], "entries": [], "compiler": "", "kernel_sha256": ""}


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    if params["state"] == "absent":
        return clear(module)
    shape = experts(params["model_path"], params["tp_size"], params["args"])
    tuned = [Tuned(item["source"], item["name"], item["content"]) for item in params["tuned"]]
    chosen = _choose.choose(shape, params["sglang"], params["triton"], tuned, params["args"])
    folder = os.path.join(params["dir"], chosen.digest()) if chosen.files else ""
    result = {"changed": False, **_NOTHING, **chosen.as_result(), "folder": folder}
    if params["state"] == "verified":
        proven = verify(params, shape, chosen) if isinstance(shape, Shape) and chosen.files else {}
        return {**result, **proven, "diff": {"before": "", "after": ""}}
    return {**result, **install(module, chosen, folder)}


def install(module: AnsibleModule, chosen: _choose.Chosen, folder: str) -> dict[str, t.Any]:
    root, wanted = module.params["dir"], chosen.contents()
    engine = engine_or_none()
    missing = bool(wanted) and _folders.contents(folder) != wanted
    before = _served(engine, root, module.params["instance"]) if missing or not wanted else wanted
    if missing and not module.check_mode:
        _folders.make(root, chosen.digest(), wanted)
    removed = prune(module, engine, keep=chosen.digest())
    diff = {"before": _choose.shown(before), "after": _choose.shown(wanted)}
    return {"changed": missing or bool(removed), "removed": removed, "diff": diff}


def engine_or_none() -> Docker | None:
    """Files need no Docker; without it nobody can tell which of the older ones are still in use."""
    try:
        return Docker()
    except SparkError:
        return None


def clear(module: AnsibleModule) -> dict[str, t.Any]:
    removed = prune(module, Docker(), last_good=False)
    nothing = _choose.Chosen(reason="removed").as_result()
    diff = {"before": "".join(f"{name}\n" for name in removed), "after": ""}
    return {**_NOTHING, **nothing, "folder": "", "changed": bool(removed), "removed": removed, "diff": diff}


def prune(module: AnsibleModule, engine: Docker | None, keep: str = "", last_good: bool = True) -> list[str]:
    """Remove the folders that nobody mentions, and return their names. Without Docker all of them stay."""
    if engine is None:
        return []
    root = module.params["dir"]
    plans = planned(module.params["state_dir"]).values() if last_good else ()
    mentions = "\n".join([*(item.spec or "" for item in engine.ours()), *map(text_of, plans)])
    idle = [name for name in _folders.held(root) if name != keep and os.path.join(root, name) not in mentions]
    for name in idle if not module.check_mode else ():
        _folders.remove(root, name)
    return idle


def verify(params: dict[str, t.Any], shape: Shape, chosen: _choose.Chosen) -> dict[str, t.Any]:
    """Return what the compiler in the image says. Raises SparkError when it does not say that every entry runs."""
    if not params["image"] or not params["program"]:
        raise SparkError("There is no image or no program to compile with.", "set image and program.")
    engine, cases = Docker(), _choose.cases(shape, chosen)
    image_id = engine.image_id(params["image"])
    if not image_id:
        raise SparkError(f"Image {params['image']} is not on this node.", "bring it with sglang_image first.")
    output = _program.run(engine, image_id, params["program"], json.dumps(cases), params["limit"])
    return proof(cases, output, params["image"], params["triton"])


def _served(engine: Docker | None, root: str, name: str) -> dict[str, str]:
    """Return the files that the instance's container has now."""
    found = engine.container(name) if engine else None
    text = (found.spec or "") if found else ""
    mounted = [folder for folder in _folders.held(root) if os.path.join(root, folder) in text]
    return _folders.contents(os.path.join(root, mounted[0])) if mounted else {}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True, required_if=NEEDED)
    try:
        module.exit_json(**run(module))
    except SparkError as error:
        module.fail_json(**error.as_result())
    except OSError as error:
        hint = "use become: true, or another dir."
        refusal = SparkError(f"{module.params['dir']} can't be written: {error}.", hint)
        module.fail_json(**refusal.as_result())


NEEDED = [("state", "present", ["model_path"]), ("state", "verified", ["model_path", "image", "program"])]
ARGUMENTS: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "verified", "absent"], "default": "present"},
    "model_path": {"type": "path"},
    "tp_size": {"type": "int", "default": 1},
    "sglang": {"type": "str", "default": ""},
    "triton": {"type": "str", "default": ""},
    "args": {"type": "dict", "default": {}},
    "tuned": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "content": {"type": "str", "required": True},
            "source": {"type": "str", "choices": ["user", "shipped"], "default": "user"},
        },
    },
    "tuned_dirs": {"type": "list", "elements": "path", "default": []},
    "shipped_dirs": {"type": "list", "elements": "path", "default": []},
    "dir": {"type": "path", "default": "/var/lib/dgxspark-sglang/moe"},
    "state_dir": {"type": "path", "default": "/etc/dgxspark-sglang"},
    "instance": {"type": "str", "default": "sglang"},
    "image": {"type": "str", "default": ""},
    "program": {"type": "str", "default": ""},
    "limit": {"type": "int", "default": 900},
}

if __name__ == "__main__":
    main()

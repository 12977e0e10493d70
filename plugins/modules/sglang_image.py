# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring one image to one node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sglang_image
short_description: Pull an SGLang image and tell which SGLang it holds
version_added: 0.1.0
description:
  - Pulls an image by tag or digest, and returns its ID and the versions of SGLang and Triton that are installed in it.
  - There is no progress to see while it pulls. The role P(dgxspark.sglang.image#role) pulls once in a cluster, and
    shows how far the image is on its way to the other nodes.
  - All ranks of a cluster must run the same image ID; M(dgxspark.sglang.sglang_plan) refuses anything else.
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
      - With O(pull=always) an image changes when its tag was moved in the registry.
options:
  name:
    description: The image, by tag (C(lmsysorg/sglang:v0.5.23)) or digest (C(lmsysorg/sglang@sha256:...)).
    type: str
    required: true
  pull:
    description:
      - When to ask the registry. V(missing) only when the image is not on the node, V(always) at every run, to pull
        when the tag was moved.
      - V(never) fails when the image is not on the node.
    type: str
    choices: [missing, always, never]
    default: missing
  local:
    description:
      - Whether no registry has the image, since a node of the cluster builds it. It is then never asked for there,
        whatever O(pull) says, and must be on the node; in check mode it may still have to be built.
    type: bool
    default: false
  sent:
    description:
      - Whether another node has sent the image, or in check mode would have sent it by now. Such an image is not looked
        for in check mode, and not counted as pulled.
    type: bool
    default: false
  versions:
    description: Whether to read the versions in the image, which runs its Python for a moment. For an engine of SGLang.
    type: bool
    default: true
requirements:
  - docker (Python SDK)
seealso:
  - module: dgxspark.sglang.sglang_server
"""

EXAMPLES = r"""
- name: Pull the image
  dgxspark.sglang.sglang_image:
    name: lmsysorg/sglang:v0.5.23
  become: true
  register: pulled
"""

RETURN = r"""
image_id:
  description: The image's ID on this node; empty in check mode when it is not here yet.
  returned: success
  type: str
  sample: sha256:5a9d1c1f1a0b7f9c0f8f0e0c1f4f4a0d3d3c2b1a0f9e8d7c6b5a49382716050f
sglang:
  description: The version of SGLang in the image; empty when it has none, or is not here yet.
  returned: success
  type: str
  sample: 0.5.23
triton:
  description: The version of Triton in the image, as it says itself; empty when it has none, or is not here yet.
  returned: success
  type: str
  sample: 3.5.0
digests:
  description: The digests of the registry for this image, also where another node has sent it.
  returned: success
  type: list
  elements: str
actions:
  description: What was done, or would be done in check mode.
  returned: success
  type: list
  elements: str
  sample: [pull]
diff:
  description: The image ID before and after. In check mode the ID after a pull is not known.
  returned: success
  type: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils.edges._docker import HAVE_DOCKER
from ..module_utils.edges._images import Images


def converge(module: AnsibleModule) -> dict[str, t.Any]:
    name, pull = module.params["name"], module.params["pull"]
    local = module.params["local"]
    if module.check_mode and not HAVE_DOCKER:
        module.warn("The Docker SDK is not installed yet, so Docker was not asked. Assuming the image is not here.")
        return _expected(local)
    engine = Images()
    before = after = engine.image_id(name)
    if module.check_mode and module.params["sent"]:
        same = {"image_id": before}
        return _result(before, {}, [], [], {"before": same, "after": same})
    if local and not before:
        if module.check_mode:
            return _expected(local)
        raise SparkError(
            f"Image {name} is not on this node, and no registry has it.",
            "set image_spread: true: the node that built it sends it to those that keep images in the same way.",
        )
    wanted = not before or (pull == "always" and not local and engine.outdated(name))
    if wanted and pull == "never":
        raise SparkError(f"Image {name} is not on this node and may not be pulled.", "load it, or set image_pull.")
    if wanted and not module.check_mode:
        after = engine.pull(name)
    would_pull = module.check_mode and wanted
    changed = after != before or would_pull
    shown = "known after the pull" if would_pull else after
    diff = {"before": {"image_id": before}, "after": {"image_id": shown}}
    versions = engine.versions(after) if after and module.params["versions"] else {}
    digests = [] if would_pull else engine.image_digests(name)
    return _result("" if would_pull else after, versions, digests, ["pull"] if changed else [], diff)


def _expected(local: bool) -> dict[str, t.Any]:
    """Return what check mode tells of an image that is not here: who builds it, or sends it, tells that itself."""
    known = "known after the build" if local else "known after the pull"
    diff = {"before": {"image_id": ""}, "after": {"image_id": known}}
    return _result("", {}, [], [] if local else ["pull"], diff)


def _result(
    image_id: str, versions: dict[str, str], digests: list[str], actions: list[str], diff: dict[str, t.Any]
) -> dict[str, t.Any]:
    known = {part: versions.get(part, "") for part in ("sglang", "triton")}
    changed = bool(actions)
    return {"changed": changed, "image_id": image_id, **known, "digests": digests, "actions": actions, "diff": diff}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "pull": {"type": "str", "choices": ["missing", "always", "never"], "default": "missing"},
            "local": {"type": "bool", "default": False},
            "sent": {"type": "bool", "default": False},
            "versions": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**converge(module))
    except SparkError as error:
        module.fail_json(**error.as_result())


if __name__ == "__main__":
    main()

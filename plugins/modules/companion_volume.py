# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell what a volume of Docker holds, or delete it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: companion_volume
short_description: Tell what a volume of Docker holds, or delete it
version_added: 0.1.0
description:
  - Tells how much a volume holds, so that people know what they would lose.
  - Deletes it on request, unless a container has it that is not about to go.
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
  name:
    description: The volume.
    type: str
    required: true
  state:
    description: V(looked) only tells, V(absent) deletes it and all that is in it.
    type: str
    choices: [looked, absent]
    default: looked
  leaving:
    description: Containers that may have it, because they are removed before the volume is.
    type: list
    elements: str
    default: []
requirements:
  - docker (Python SDK)
"""

EXAMPLES = r"""
- name: Tell what would be lost
  dgxspark.sglang.companion_volume:
    name: open-webui
  become: true
  register: companion_volume

- name: Delete it
  dgxspark.sglang.companion_volume:
    name: open-webui
    state: absent
  become: true
"""

RETURN = r"""
volume:
  description: The volume before the task; C(there), C(path), C(bytes), C(files), and C(users), the containers that
    have it.
  returned: success
  type: dict
told:
  description: The same as a sentence.
  returned: success
  type: str
  sample: The volume open-webui holds 1.2 GiB in 412 files (/var/lib/docker/volumes/open-webui/_data).
diff:
  description: The volume before and after.
  returned: success
  type: dict
"""

import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils.companion._volume import refuse_in_use, sentence
from ..module_utils.edges._companion import remove_volume, volume


def converge(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    found = volume(params["name"])
    goes = params["state"] == "absent" and found.there
    if goes:
        # In check mode the containers that would be gone by now are still there.
        refuse_in_use(found, params["leaving"] if module.check_mode else ())
        if not module.check_mode:
            remove_volume(params["name"])
    told = sentence(found)
    after = sentence(type(found)(found.name)) if goes else told
    diff = {"before": f"{told}\n", "after": f"{after}\n"}
    return {"changed": goes, "volume": asdict(found), "told": told, "diff": diff}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["looked", "absent"], "default": "looked"},
            "leaving": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**converge(module))
    except SparkError as error:
        module.fail_json(**error.as_result())


if __name__ == "__main__":
    main()

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let Ollama fetch the models that it is to have."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_pull
short_description: Let Ollama fetch the models that it is to have
version_added: 0.1.0
description:
  - Asks a running Ollama for its models, and lets it fetch those that are missing, one after the other.
  - A model that it has is not fetched again, whatever its tag points at by now; nothing is ever removed.
  - When a download breaks off, the next run goes on where it was.
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
attributes:
  check_mode:
    support: full
    details:
      - Where Ollama does not run yet, every model is one that would be fetched.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  models:
    description: The models, by the names that Ollama's library gives them. Without a tag V(latest) is meant.
    type: list
    elements: str
    required: true
  host:
    description: The address at which Ollama listens.
    type: str
    default: 0.0.0.0
  port:
    description: The port at which it listens.
    type: int
    default: 11434
  patience:
    description: Seconds without a word until a download has failed.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Have a small model at hand
  dgxspark.sglang.ollama_pull:
    models: ["qwen3:8b"]
"""

RETURN = r"""
models:
  description: What it has afterwards, or would have.
  returned: success
  type: list
  elements: str
  sample: ["qwen3:8b"]
fetched:
  description: What was fetched, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: []
diff:
  description: The models before and after.
  returned: success
  type: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils.companion._ollama import missing
from ..module_utils.edges._companion import Ollama


def converge(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    server = Ollama(params["host"], params["port"], params["patience"])
    known = server.models()
    if known is None and not module.check_mode:
        what = f"Ollama does not answer at port {params['port']}."
        raise SparkError(what, "start it (ollama.yml does), and read journalctl -u ollama.service")
    before = known or []
    wanted = missing(params["models"], before)
    for model in [] if module.check_mode else wanted:
        server.pull(model)
    after = sorted([*before, *wanted])
    diff = {"before": "".join(f"{name}\n" for name in sorted(before)), "after": "".join(f"{name}\n" for name in after)}
    return {"changed": bool(wanted), "models": after, "fetched": wanted, "diff": diff}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "models": {"type": "list", "elements": "str", "required": True},
            "host": {"type": "str", "default": "0.0.0.0"},
            "port": {"type": "int", "default": 11434},
            "patience": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**converge(module))
    except SparkError as error:
        module.fail_json(**error.as_result())


if __name__ == "__main__":
    main()

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until a service beside the server serves, or tell why it does not."""

from __future__ import annotations

DOCUMENTATION = r"""
module: companion_gate
short_description: Wait until a service beside the server serves
version_added: 0.1.0
description:
  - Passes when the service's unit runs, its health path answers 200, and where a model is named, C(/v1/models) lists it
    and one real generation has tokens.
  - Fails as soon as the unit has ended, even if systemd starts it again, and when it runs for longer than O(limit) and
    does not serve; both with its last words from the journal, and what they mean where that is known.
  - On the controller the wait is shown while it lasts.
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
  - dgxspark.sglang.attributes.read_only
options:
  name:
    description: The service, which is the name of its unit.
    type: str
    required: true
  host:
    description: The address at which it listens.
    type: str
    default: 0.0.0.0
  port:
    description: The node's port at which it answers.
    type: int
    required: true
  health:
    description: The path that answers 200 when it is well.
    type: str
    required: true
  model:
    description: The model that an engine must serve. Empty for a service that is no engine.
    type: str
    default: ""
  api_key:
    description: The key that it wants.
    type: str
  limit:
    description: Seconds since the start of its process until it has failed.
    type: int
    default: 300
  hold:
    description: Seconds that one look on the node lasts when nothing happens. Set by the action.
    type: float
    default: 0
requirements:
  - systemd
seealso:
  - module: dgxspark.sglang.companion_check
"""

EXAMPLES = r"""
- name: Wait for Open WebUI
  dgxspark.sglang.companion_gate:
    name: open-webui
    port: 8080
    health: /health
  become: true
"""

RETURN = r"""
finished:
  description: Whether it serves. The action asks until it does.
  returned: success
  type: bool
  sample: true
phase:
  description: What is waited for, or V(serves).
  returned: success
  type: str
  sample: serves
log_tail:
  description: Its last words.
  returned: failure
  type: list
  elements: str
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils._text import redact
from ..module_utils.companion._gate import end_error, ended, judge, late_error
from ..module_utils.edges import _companion
from ..module_utils.edges._http import Api

_EVERY = 1.0  # seconds between two looks
_TAIL = 25  # lines of last words


def wait(module: AnsibleModule) -> dict[str, t.Any]:
    """Look until it serves or has ended, at most `hold` seconds."""
    params = module.params
    name, key = f"{params['name']}.service", params["api_key"] or ""
    api, end = Api(params["host"], params["port"], key), time.monotonic() + params["hold"]

    def words() -> list[str]:
        return [redact(line, [key]) for line in _companion.words(module.run_command, name, _TAIL)]

    while True:
        (unit,) = _companion.units(module.run_command, [name])
        if ended(unit):
            raise end_error(unit, words())
        verdict = judge(params["health"], params["model"], _companion.answers(api, params["health"], params["model"]))
        now = time.monotonic()
        if verdict.passed:
            return {"finished": True, "phase": verdict.phase}
        if now >= end:
            if unit.started and now - unit.started > params["limit"]:
                raise late_error(unit, verdict.phase, params["limit"], words())
            return {"finished": False, "phase": verdict.phase}
        time.sleep(_EVERY)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "host": {"type": "str", "default": "0.0.0.0"},
            "port": {"type": "int", "required": True},
            "health": {"type": "str", "required": True},
            "model": {"type": "str", "default": ""},
            "api_key": {"type": "str", "no_log": True},
            "limit": {"type": "int", "default": 300},
            "hold": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **wait(module))
    except SparkError as error:
        module.fail_json(**error.as_result())


if __name__ == "__main__":
    main()

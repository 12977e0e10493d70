# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take the lock of a cluster on its head, or give it back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_lock
short_description: Let one run at a time work on a cluster
version_added: 0.1.0
description:
  - Keeps a small file on the head of a cluster that says which run works on it. A second run is refused, and told who
    has it, since when, what for and until when.
  - Of several that try at once exactly one gets it. The run that has it may take it again, which extends it.
  - A lock whose run was on this controller and is gone is taken over at once, one that has expired as well; both with a
    warning. After a reboot of the head there is none.
  - In check mode nothing is taken, and a lock of another run is a warning.
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
    support: partial
    details:
      - The run that has the lock extends it when it takes it again.
options:
  cluster:
    description: The cluster, which is an inventory group.
    type: str
    required: true
  state:
    description:
      - V(held) takes the lock, or fails when another run has it.
      - V(released) gives it back. That of another run stays.
    type: str
    choices: [held, released]
    default: held
  purpose:
    description: What for, told to those who are refused after the name of the playbook.
    type: str
    default: ""
  expires:
    description: Seconds after which another run need not respect it.
    type: int
    default: 14400
  force:
    description: Whether to take it from a run that may be alive.
    type: bool
    default: false
  folder:
    description: The folder on the node for locks, which is empty after a reboot.
    type: path
    default: /run/dgxspark-sglang
  holder:
    description: The run that asks. Set by the action.
    type: dict
    default: {}
    suboptions:
      user:
        description: Who started it.
        type: str
      host:
        description: The controller.
        type: str
      pid:
        description: The ID of its main process.
        type: int
      birth:
        description: When that process began.
        type: str
      place:
        description: Where that ID means something.
        type: str
      run:
        description: A name that no other run has.
        type: str
  gone:
    description: The name of a run that has ended without giving its lock back. Set by the action.
    type: str
    default: ""
seealso:
  - plugin: dgxspark.sglang.lock_refusal
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Take the cluster for this run
  dgxspark.sglang.cluster_lock:
    cluster: alpha
    purpose: new cables
  become: true

- name: Give it back
  dgxspark.sglang.cluster_lock:
    cluster: alpha
    state: released
  become: true
"""

RETURN = r"""
held:
  description: Whether this run has the lock, or would have it in check mode.
  returned: success
  type: bool
  sample: true
lock:
  description:
    - The lock as it is afterwards, or would be in check mode; empty when there is none. Times are seconds since 1970 by
      the clock of the node.
  returned: success, and when another run has it
  type: dict
  sample:
    cluster: alpha
    holder: {user: anna, host: laptop, pid: 4711, birth: "88123", place: "", run: ansible-local-4711x2k8}
    purpose: site.yml
    since: 1795226584
    expires: 1795240984
hint:
  description: What to do next.
  returned: failure
  type: str
diff:
  description: The lock before and after.
  returned: success
  type: dict
"""

import contextlib
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils.edges._locks import LockFile
from ..module_utils.server._lock import Decision, Holder, Lock, give_back, public, take


def converge(module: AnsibleModule) -> dict[str, t.Any]:
    params, now = module.params, int(time.time())
    file = LockFile(params["folder"], params["cluster"])
    if params["expires"] < 1:
        raise SparkError(f"The lock would expire after {params['expires']} s.", "set lock_expires to some hours.")
    with contextlib.nullcontext() if module.check_mode else file.alone():
        before = file.text()
        decision = decide(params, before, now)
        if decision.text != before and not module.check_mode:
            file.write(decision.text)
    if decision.refusal and not module.check_mode:
        raise SparkError([decision.refusal], lock=public(decision.text))
    told = f"{decision.refusal.what} Without --check this run is refused." if decision.refusal else decision.warning
    if told:
        module.warn(told)
    return {
        "changed": decision.text != before,
        "held": decision.held,
        "lock": public(decision.text),
        "diff": {"before": public(before), "after": public(decision.text)},
    }


def decide(params: dict[str, t.Any], text: str, now: int) -> Decision:
    holder = Holder(**params["holder"])
    if params["state"] == "released":
        return give_back(text, holder.run)
    wanted = Lock(params["cluster"], holder, params["purpose"], now, now + params["expires"])
    return take(text, wanted, now, params["force"], params["gone"])


def main() -> None:
    texts = {name: {"type": "str"} for name in ("user", "host", "birth", "place", "run")}
    spec = {
        "cluster": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["held", "released"], "default": "held"},
        "purpose": {"type": "str", "default": ""},
        "expires": {"type": "int", "default": 14400},
        "force": {"type": "bool", "default": False},
        "folder": {"type": "path", "default": "/run/dgxspark-sglang"},
        "holder": {"type": "dict", "default": {}, "options": {**texts, "pid": {"type": "int"}}},
        "gone": {"type": "str", "default": ""},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    try:
        module.exit_json(**converge(module))
    except SparkError as error:
        module.fail_json(**error.as_result())


if __name__ == "__main__":
    main()

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at one rank of a starting server, from its own node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sglang_gate
short_description: Wait until a server is proven to serve, on all its nodes at once
version_added: 0.1.0
description:
  - Run on every node of a cluster at once. On the controller it shows the progress of each rank, and ends on all nodes
    as soon as every rank has passed, any rank has died, or the time is up. It is never green for lack of time.
  - The checks are, in this order, C(container) (on every rank the container that was started, running, of the planned
    image and generation), C(health), C(certificate) (with TLS, the one that was given), C(identity) (model name, model
    path, TP and version as planned), C(generation) (one real answer with tokens), C(transport) (NCCL over RDMA on the
    planned rails, on every rank that has rails) and C(moe) (a rank that was given MoE configs does not say that it
    looked for others).
  - A failed gate is an answer, not a failed task, so that all ranks can be judged together; see
    P(dgxspark.sglang.server_story#filter).
author:
  - The dgxspark.sglang authors (@dgxspark)
extends_documentation_fragment:
  - dgxspark.sglang.attributes
  - dgxspark.sglang.attributes.read_only
options:
  name:
    description: The instance, which is the name of its container.
    type: str
    default: sglang
  rank:
    description: The rank of this node.
    type: int
    default: 0
  nnodes:
    description: How many ranks there are.
    type: int
    default: 1
  cluster:
    description: The cluster, by whose name the ranks find each other on the controller.
    type: str
    default: ""
  generation:
    description: The generation that the container must have.
    type: str
    required: true
  image_id:
    description: The image ID that the container must have.
    type: str
    required: true
  started_at:
    description: When the container was started. A later start means that the rank died meanwhile.
    type: str
    required: true
  host:
    description: The address that the API listens on.
    type: str
    default: 0.0.0.0
  port:
    description: The API's port.
    type: int
    default: 30000
  api_key:
    description: The key that the API wants.
    type: str
  tls:
    description: Whether this rank's API speaks https. Only that of rank 0 can.
    type: bool
    default: false
  certificate:
    description: The SHA-256 fingerprint of the certificate that the API must show; empty without O(tls).
    type: str
    default: ""
  served_model_name:
    description: The model name that C(/v1/models) must list.
    type: str
    required: true
  model_path:
    description: The model path, inside the container, that the server must report.
    type: str
    required: true
  tp_size:
    description: The TP size that the server must report.
    type: int
    default: 1
  sglang:
    description: The SGLang version that the server must report; empty for any.
    type: str
    default: ""
  embedding:
    description: Whether the model makes embeddings instead of text.
    type: bool
    default: false
  rails:
    description: The RDMA devices that NCCL must use; empty when sockets were asked for.
    type: list
    elements: str
    default: []
  moe_files:
    description: The names of the MoE configs that were installed for the model.
    type: list
    elements: str
    default: []
  limit:
    description: Seconds until the gate gives up.
    type: int
    default: 900
  hold:
    description: Seconds that one look on the node lasts when nothing happens. Set by the action.
    type: float
    default: 0
  seen:
    description: The phase that was seen last, a look ends when it changes; V(passed) to watch for a death alone. Set
      by the action.
    type: str
    default: ""
requirements:
  - docker (Python SDK)
seealso:
  - module: dgxspark.sglang.sglang_server
"""

EXAMPLES = r"""
- name: Wait for the server
  dgxspark.sglang.sglang_gate:
    generation: "{{ started.container.generation }}"
    image_id: "{{ started.container.image_id }}"
    started_at: "{{ started.container.started_at }}"
    served_model_name: qwen3-32b
    model_path: /models/qwen3-32b-nvfp4
    limit: 600
  become: true
  register: gate
"""

RETURN = r"""
report:
  description: This rank's part of the verdict.
  returned: success
  type: dict
  contains:
    node:
      description: The node's inventory name.
      type: str
      sample: spark-01
    rank:
      description: The rank.
      type: int
      sample: 0
    state:
      description: V(passed), V(failed) or V(waiting).
      type: str
      sample: failed
    step:
      description: The check that failed or is being waited for; V(unreachable) when the node could not be looked at.
      type: str
      sample: container
    reason:
      description: What was found.
      type: str
      sample: rank 1 ended (exit code 137).
    hint:
      description: What to do next.
      type: str
    log_tail:
      description: The engine's last words, without secrets.
      type: list
      elements: str
    finished_at:
      description: When the container ended; empty while it runs.
      type: str
    echo:
      description: Whether another rank's failure can be behind this one.
      type: bool
phase:
  description: How far the start is, by the log.
  returned: success
  type: str
  sample: loading weights 3/12 shards
elapsed:
  description: Seconds since the gate began.
  returned: success
  type: float
  sample: 41.2
"""

import time
import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import SparkError
from ..module_utils._text import redact
from ..module_utils.edges._docker import Docker
from ..module_utils.edges._http import Api
from ..module_utils.server import _gate
from ..module_utils.server._container import Observed
from ..module_utils.server._phases import STARTING, Phase, phase_of

_EVERY = 0.25  # seconds between two looks at the container
_ASK_EVERY = 1.0  # seconds between two looks at its log and API
_TAIL = 25  # lines of last words
_FOREVER = 10 * 365 * 86400


def look(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Look at the rank until its state or phase changes, at most `hold` seconds."""
    lists = ("rails", "moe_files")
    expected = _gate.Expectation(
        **{key: params[key] for key in _gate.Expectation.__dataclass_fields__ if key not in lists},
        rails=tuple(params["rails"]),
        moe_files=tuple(params["moe_files"]),
    )
    engine, end, asked = Docker(), time.monotonic() + params["hold"], 0.0
    verdict, phase = _gate.Verdict(_gate.WAITING), Phase(STARTING, 0)
    while True:
        found = engine.container(expected.name)
        if _gate.judge_container(expected, found, []):
            dead = _gate.judge_container(expected, found, last_words(engine, expected, found))
            return answer(expected, dead or verdict, phase, found, params["api_key"])
        # A rank that has passed waits for the others: only its death would be news.
        if params["seen"] == _gate.PASSED:
            verdict = _gate.Verdict(_gate.PASSED)
        elif time.monotonic() - asked >= _ASK_EVERY:
            log = engine.log(expected.name, expected.started_at, params["limit"])
            phase, verdict = phase_of(log), judge(expected, params, log)
            if verdict.state != _gate.WAITING or str(phase) != params["seen"]:
                return answer(expected, verdict, phase, found, params["api_key"])
            asked = time.monotonic()
        if time.monotonic() >= end:
            return answer(expected, verdict, phase, found, params["api_key"])
        time.sleep(_EVERY)


def judge(expected: _gate.Expectation, params: dict[str, t.Any], log: list[str]) -> _gate.Verdict:
    api = Api(params["host"], params["port"], params["api_key"] or "", params["tls"])
    if expected.rank == 0:
        verdict = _gate.judge_answers(expected, api.answers(expected.served_model_name, params["embedding"]))
    else:
        verdict = _gate.judge_worker(expected, api.health())
    for told in (_gate.judge_transport, _gate.judge_moe) if verdict.state == _gate.PASSED else ():
        verdict = told(expected, log) if verdict.state == _gate.PASSED else verdict
    return _gate.suspect(verdict, log[-_TAIL:])


def last_words(engine: Docker, expected: _gate.Expectation, found: Observed | None) -> list[str]:
    lines = engine.log(expected.name, expected.started_at, _FOREVER)
    if found and found.started_at > expected.started_at:  # started again: what the next start says is not the cause
        lines = lines[: len(lines) - len(engine.log(expected.name, found.started_at, _FOREVER))] or lines
    return lines[-_TAIL:]


def answer(
    expected: _gate.Expectation, verdict: _gate.Verdict, phase: Phase, found: Observed | None, key: str | None
) -> dict[str, t.Any]:
    report = _gate.Report(
        node="",
        rank=expected.rank,
        state=verdict.state,
        step=verdict.step,
        reason=redact(verdict.reason, [key or ""]),
        hint=redact(verdict.hint, [key or ""]),
        log_tail=tuple(redact(line, [key or ""]) for line in verdict.evidence),
        finished_at=found.finished_at if found and _gate.ended(expected, found) else "",
        echo=verdict.echo,
    )
    return {"report": asdict(report), "phase": str(phase)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "sglang"},
            "rank": {"type": "int", "default": 0},
            "nnodes": {"type": "int", "default": 1},
            "cluster": {"type": "str", "default": ""},
            "generation": {"type": "str", "required": True},
            "image_id": {"type": "str", "required": True},
            "started_at": {"type": "str", "required": True},
            "host": {"type": "str", "default": "0.0.0.0"},
            "port": {"type": "int", "default": 30000},
            "api_key": {"type": "str", "no_log": True},
            "tls": {"type": "bool", "default": False},
            "certificate": {"type": "str", "default": ""},
            "served_model_name": {"type": "str", "required": True},
            "model_path": {"type": "str", "required": True},
            "tp_size": {"type": "int", "default": 1},
            "sglang": {"type": "str", "default": ""},
            "embedding": {"type": "bool", "default": False},
            "rails": {"type": "list", "elements": "str", "default": []},
            "moe_files": {"type": "list", "elements": "str", "default": []},
            "limit": {"type": "int", "default": 900},
            "hold": {"type": "float", "default": 0},
            "seen": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **look(module.params))
    except SparkError as error:
        module.fail_json(**error.as_result())


if __name__ == "__main__":
    main()

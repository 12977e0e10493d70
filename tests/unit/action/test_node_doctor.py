# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.dgxspark.sglang.plugins.action.node_doctor import ActionModule


def run(monkeypatch: pytest.MonkeyPatch, answer: dict[str, t.Any]) -> dict[str, t.Any]:
    """Run the action: it is 100.0 before and 102.0 after the node has answered."""
    times = iter([100.0, 102.0])
    monkeypatch.setattr(ActionBase, "run", lambda *args: {})
    monkeypatch.setattr(ActionModule, "_execute_module", lambda self, **given: answer)
    monkeypatch.setattr(time, "time", lambda: next(times))
    return ActionModule.__new__(ActionModule).run(task_vars={})


def test_the_clock_of_the_node_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    doctor = {"clock": {"began": 110.5, "ended": 111.5, "synchronized": "yes"}}
    assert run(monkeypatch, {"changed": False, "doctor": doctor}) == {
        "changed": False,
        "doctor": doctor,
        "clock": {"offset": 10.0, "uncertainty": 0.5},
    }


def test_a_failure_of_the_module_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, {"failed": True, "msg": "no sudo"}) == {"failed": True, "msg": "no sudo"}

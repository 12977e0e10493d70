# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate looks until a service serves, and tells its end at once."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._gate import Answers
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._systemd import Unit
from ansible_collections.dgxspark.sglang.plugins.modules import companion_gate

KEY = "sk-of-vllm"
STARTING = Unit("vllm.service", "active", "running", started=1000.0)
AGAIN = Unit("vllm.service", "activating", "auto-restart", result="exit-code", status=1, started=1000.0)


def wait(
    monkeypatch: pytest.MonkeyPatch, looks: list[tuple[Unit, Answers]], age: float = 0.0, **params: t.Any
) -> tuple[dict[str, t.Any], float]:
    """Return the module's answer, and the seconds that it took, on a clock that only its pauses move."""
    left = iter(looks)
    now = {"look": next(left), "time": 1000.0 + age}

    def sleep(seconds: float) -> None:
        now["time"] += seconds
        now["look"] = next(left)

    monkeypatch.setattr(companion_gate, "time", types.SimpleNamespace(monotonic=lambda: now["time"], sleep=sleep))
    edge = companion_gate._companion
    monkeypatch.setattr(edge, "units", lambda run, names: (now["look"][0],))
    monkeypatch.setattr(edge, "answers", lambda api, health, model: now["look"][1])
    monkeypatch.setattr(edge, "words", lambda run, unit, count: [f"args: api_key={KEY}", "CUDA out of memory"])
    given = {"name": "vllm", "host": "0.0.0.0", "port": 8000, "health": "/health", "model": "tiny", "api_key": KEY}
    module = types.SimpleNamespace(params={**given, "limit": 600, "hold": 5.0, **params}, run_command=None)
    answer = companion_gate.wait(t.cast(t.Any, module))
    return answer, now["time"] - 1000.0 - age


def test_it_ends_as_soon_as_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [(STARTING, Answers()), (STARTING, Answers(200, ("tiny",))), (STARTING, Answers(200, ("tiny",), 4))]
    assert wait(monkeypatch, looks) == ({"finished": True, "phase": "serves"}, 2.0)


def test_a_look_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, seconds = wait(monkeypatch, [(STARTING, Answers())] * 20)
    assert (answer, seconds) == ({"finished": False, "phase": "/health answers nothing"}, 5.0)
    assert wait(monkeypatch, [(STARTING, Answers())], hold=0)[1] == 0.0


def test_an_end_is_told_at_once_and_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SparkError, match="has ended") as caught:
        wait(monkeypatch, [(STARTING, Answers()), (AGAIN, Answers())])
    assert KEY not in str(caught.value)
    assert caught.value.facts["log_tail"][1] == "CUDA out of memory"


def test_it_is_late_only_after_a_whole_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that has run for hours may be busy for a moment."""
    served = [(STARTING, Answers(503)), (STARTING, Answers(200, ("tiny",), 4))]
    assert wait(monkeypatch, served, age=7200)[0]["finished"]
    with pytest.raises(SparkError, match="does not serve within 10 min 00 s: /health answers 503"):
        wait(monkeypatch, [(STARTING, Answers(503))] * 20, age=7200)


def test_what_has_not_begun_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    begins = Unit("vllm.service", "activating", "start-pre")
    assert not wait(monkeypatch, [(begins, Answers())] * 20, age=7200)[0]["finished"]

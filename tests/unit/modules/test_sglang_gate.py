# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._container import LABEL, Observed
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._gate import FAILED, WAITING, Expectation, Verdict
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._phases import Phase
from ansible_collections.dgxspark.sglang.plugins.modules import sglang_gate
from ansible_collections.dgxspark.sglang.tests.unit.builders import IMAGE_ID

START, AGAIN = "2026-11-21T02:00:00Z", "2026-11-21T02:05:00Z"
EXPECTED = Expectation("sglang", 1, 2, "gggg", IMAGE_ID, START, "tiny", "/models/tiny", 2, "0.5.23")
RUNNING = Observed(
    "8f2c7d1e9a0b",
    "{}",
    "running",
    IMAGE_ID,
    START,
    finished_at="2026-11-20T00:00:00Z",
    labels={LABEL + "generation": "gggg"},
)
PARAMS: dict[str, t.Any] = {
    "name": "sglang",
    "rank": 1,
    "nnodes": 2,
    "generation": "gggg",
    "image_id": IMAGE_ID,
    "started_at": START,
    "host": "0.0.0.0",
    "port": 30000,
    "api_key": None,
    "tls": False,
    "certificate": "",
    "served_model_name": "tiny",
    "model_path": "/models/tiny",
    "tp_size": 2,
    "sglang": "0.5.23",
    "embedding": False,
    "rails": [],
    "moe_files": [],
    "limit": 900,
    "hold": 0,
    "seen": "",
}


class Engine:
    """An engine with the interface of Docker: one container and the log of each of its starts."""

    def __init__(self, found: Observed | None, logs: dict[str, list[str]]) -> None:
        self.found, self.logs = found, logs

    def container(self, name: str) -> Observed | None:
        return self.found

    def log(self, name: str, since: str, seconds: int) -> list[str]:
        return [line for start in sorted(self.logs) if start >= since for line in self.logs[start]]


def words(found: Observed | None, logs: dict[str, list[str]]) -> list[str]:
    return sglang_gate.last_words(t.cast(t.Any, Engine(found, logs)), EXPECTED, found)


def test_the_last_words_are_the_end_of_the_log() -> None:
    log = [f"line {number}" for number in range(100)]
    assert words(replace(RUNNING, status="exited"), {START: log}) == log[-25:]


def test_the_words_of_a_second_start_are_not_the_cause_of_the_first_death() -> None:
    logs = {START: ["started", "CUDA out of memory"], AGAIN: ["started", "all is well"]}
    assert words(replace(RUNNING, started_at=AGAIN), logs) == ["started", "CUDA out of memory"]


def test_a_container_that_is_gone_has_no_log() -> None:
    assert words(None, {}) == []


def look(monkeypatch: pytest.MonkeyPatch, found: Observed | None, log: list[str], **changes: t.Any) -> dict[str, t.Any]:
    monkeypatch.setattr(sglang_gate, "Docker", lambda: Engine(found, {START: log}))
    return sglang_gate.look({**PARAMS, **changes})


def test_a_dead_rank_is_reported_with_its_last_words_and_the_time_of_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = replace(RUNNING, status="exited", exit_code=137, finished_at=AGAIN)
    log = ["server_args=ServerArgs(api_key='sk-1')", "Bearer sk-1", "torch.OutOfMemoryError: CUDA out of memory."]
    assert look(monkeypatch, dead, log, api_key="sk-1") == {
        "report": {
            "node": "",
            "rank": 1,
            "state": "failed",
            "step": "container",
            "reason": "rank 1 ended (exit code 137)."
            " The GPU's share of the unified memory is too small for weights and KV cache."
            " Everything on the node counts against the same 121 GiB, other servers and the desktop included.",
            "hint": "lower context_length or max_running_requests, stop other instances, or use more nodes."
            " See docs/troubleshooting.md#out-of-memory.",
            "log_tail": (
                "server_args=ServerArgs(api_key=********)",
                "Bearer ********",
                "torch.OutOfMemoryError: CUDA out of memory.",
            ),
            "finished_at": AGAIN,
            "echo": False,
        },
        "phase": "starting the container",
    }


def test_a_rank_that_has_passed_watches_for_a_death_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found = look(monkeypatch, RUNNING, [], seen="passed")
    assert (found["report"]["state"], found["report"]["finished_at"]) == ("passed", "")


def test_a_waiting_rank_reports_no_end() -> None:
    """What Docker keeps as the end of the start before is not this one's."""
    verdict = Verdict(WAITING, "health", "/health answers 503")
    found = sglang_gate.answer(EXPECTED, verdict, Phase("loading weights", 3, "1/4 shards"), RUNNING, None)
    assert (found["report"]["finished_at"], found["phase"]) == ("", "loading weights 1/4 shards")


def test_a_rank_that_failed_while_it_runs_reports_no_end() -> None:
    """The documentation promises it, and the cluster's verdict looks for the first end."""
    found = sglang_gate.answer(EXPECTED, Verdict(FAILED, "identity", "x"), Phase("ready", 7), RUNNING, None)
    assert found["report"]["finished_at"] == ""

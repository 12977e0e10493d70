# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time
import types
import typing as t
from dataclasses import asdict
from pathlib import Path

import pytest
from ansible import constants
from ansible.plugins.action import ActionBase
from ansible_collections.dgxspark.sglang.plugins.action import sglang_gate
from ansible_collections.dgxspark.sglang.plugins.action.sglang_gate import ActionModule, Board
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._gate import FAILED, PASSED, WAITING, Report


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path), raising=False)
    return tmp_path


def report(node: str, state: str = PASSED) -> dict[str, t.Any]:
    return asdict(Report(node, 0, state))


def test_ranks_read_what_the_others_posted(folder: Path) -> None:
    Board("alpha", "sglang", "task").post(report("spark-01"))
    assert Board("alpha", "sglang", "task").reports() == [Report("spark-01", 0, PASSED, log_tail=t.cast(t.Any, []))]


def test_a_later_report_of_a_node_replaces_its_earlier_one(folder: Path) -> None:
    board = Board("alpha", "sglang", "task")
    board.post(report("spark-01"))
    board.post(report("spark-01", FAILED))
    assert [(item.node, item.state) for item in board.reports()] == [("spark-01", FAILED)]


@pytest.mark.parametrize(
    "other", [("beta", "sglang", "task"), ("alpha", "ondemand", "task"), ("alpha", "sglang", "other task")]
)
def test_another_cluster_instance_or_gate_has_a_board_of_its_own(folder: Path, other: tuple[str, ...]) -> None:
    Board("alpha", "sglang", "task").post(report("spark-01"))
    assert Board(*other).reports() == []


def test_a_report_that_is_being_written_is_not_read(folder: Path) -> None:
    board = Board("alpha", "sglang", "task")
    (board.folder / ".spark-01.4711").write_text("{", encoding="utf-8")
    assert board.reports() == []


def test_a_board_is_for_its_owner_alone(folder: Path) -> None:
    assert Board("alpha").folder.stat().st_mode & 0o777 == 0o700


@pytest.fixture
def gate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, t.Any]]:
    """Return a function that runs the gate of spark-01, rank 0 of two, which always sees the same."""
    monkeypatch.setattr(ActionBase, "run", lambda *args: {})
    monkeypatch.setattr(sglang_gate, "_PEERS_EVERY", 0.01)

    def run(ask: t.Callable[[], dict[str, t.Any]], limit: float) -> dict[str, t.Any]:
        made = ActionModule.__new__(ActionModule)
        args = {"name": "sglang", "cluster": "alpha", "rank": 0, "nnodes": 2, "limit": limit}
        made._task = t.cast(t.Any, types.SimpleNamespace(args=args, _uuid="task"))
        monkeypatch.setattr(made, "_ask_node", ask, raising=True)
        return made.run(task_vars={"inventory_hostname": "spark-01"})

    return run


Gate = t.Callable[..., dict[str, t.Any]]


def seen(state: str, step: str = "", reason: str = "") -> dict[str, t.Any]:
    return {"report": asdict(Report("spark-01", 0, state, step, reason)), "phase": "loading weights"}


def test_who_has_passed_is_not_to_blame_for_a_rank_that_does_not_come(gate: Gate) -> None:
    result = gate(lambda: seen(PASSED), limit=0)
    assert result["report"] == seen(PASSED)["report"]
    assert [(item.node, item.state) for item in Board("alpha", "sglang", "task").reports()] == [("spark-01", PASSED)]


def test_who_has_not_passed_within_the_limit_has_failed(gate: Gate) -> None:
    result = gate(lambda: seen(WAITING, "health", "/health answers 503"), limit=0)
    assert result["report"] == {
        **seen(FAILED, "health")["report"],
        "reason": "not ready within 0 s; last seen: loading weights, /health answers 503",
        "hint": "read its log; when it only needs longer, raise server_start_timeout.",
    }


def test_who_is_late_says_what_its_last_words_would_mean(gate: Gate) -> None:
    looked = seen(WAITING, "health", "/health answers nothing. The ranks never met.")
    looked["report"] |= {"hint": "open TCP.", "log_tail": ["last"], "echo": True}
    report = gate(lambda: looked, limit=0)["report"]
    assert (report["state"], report["hint"], report["log_tail"], report["echo"]) == (
        FAILED,
        "open TCP.",
        ["last"],
        True,
    )
    assert report["reason"].endswith("last seen: loading weights, /health answers nothing. The ranks never met.")


def test_a_look_that_hangs_beyond_the_limit_is_a_failure(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sglang_gate, "_LAST_LOOK", 0.05)
    over, begin = threading.Event(), time.monotonic()

    def hang() -> dict[str, t.Any]:
        over.wait(30)
        return {}

    result = gate(hang, limit=0.05)
    over.set()
    assert (result["report"], result["elapsed"] < 20) == (
        {
            **seen(FAILED, "unreachable", "its node does not answer.")["report"],
            "hint": "check its power and network.",
            "log_tail": [],
        },
        True,
    )
    assert time.monotonic() - begin >= 0.1

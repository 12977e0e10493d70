# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import asdict
from pathlib import Path

import pytest
from ansible import constants
from ansible_collections.dgxspark.sglang.plugins.action.sglang_gate import Board
from ansible_collections.dgxspark.sglang.plugins.module_utils._gate import FAILED, PASSED, Report


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

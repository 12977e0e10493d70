# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a container and its log come to."""

from __future__ import annotations

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.diagnosis._match import KILLED
from ansible_collections.dgxspark.sglang.plugins.module_utils.nccl._outcome import late, outcome
from ansible_collections.dgxspark.sglang.tests.unit.builders import observed

BEGIN, END = 'SWEEP {"event": "begin", "nccl": ""}', 'SWEEP {"event": "end"}'
POINT = 'SWEEP {"collective": "all_reduce", "bytes": 8, "time_us": 20.0, "busbw": 0.1, "wrong": 0}'


@pytest.mark.parametrize(
    ("status", "exit_code", "log", "finished", "error"),
    [
        ("running", 0, [BEGIN], False, ""),
        ("created", 0, [], False, ""),
        ("exited", 0, [BEGIN, POINT, END], True, ""),
        ("exited", 1, [BEGIN, "boom"], True, "The measurement ended with exit code 1."),
        ("exited", 1, [BEGIN, POINT, END], True, "The measurement ended with exit code 1."),
        ("exited", 0, [BEGIN, POINT], True, "The measurement ended with exit code 0."),
        ("dead", 137, [BEGIN], True, KILLED.why),
    ],
)
def test_only_an_end_with_its_last_word_is_good(
    status: str, exit_code: int, log: list[str], finished: bool, error: str
) -> None:
    found = outcome(observed(status=status, exit_code=exit_code), log, "none")
    assert (found["finished"], found["error"]) == (finished, error)
    assert bool(found["hint"]) == bool(error)


def test_last_words_are_not_numbers() -> None:
    assert outcome(observed(), [BEGIN, POINT, "boom"], "all")["log_tail"] == [BEGIN, "boom"]
    assert len(outcome(observed(), ["word"] * 100, "all")["log_tail"]) == 25


def test_the_result_has_the_same_keys_without_a_container() -> None:
    assert outcome(None, [], "all").keys() == outcome(observed(), [BEGIN], "all").keys()


def test_what_runs_too_long_is_over_and_has_failed() -> None:
    found = late(outcome(observed(), [BEGIN], "all"), 240.0)
    assert (found["finished"], found["error"]) == (True, "The measurement did not end within 240 s.")


def test_the_age_is_that_of_the_start() -> None:
    assert observed(started_at="1970-01-01T00:01:00.123456789Z").age(100.0) == 40.0

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._recovery import Fallback, Outcome, fallback


def good(generation: str = "good", nnodes: int = 2) -> dict[str, t.Any]:
    return {"generation": generation, "model": "tiny", "nnodes": nnodes}


STARTED = Outcome(started=True, touched=True, step="health")
NOTHING = "nothing has passed the gate here before"
PART = "only 1 of 2 ranks of the last good plan are known"
SAME = "the plan that failed is the one that was good before"
UNTOUCHED = Fallback(False, "nothing was touched: what ran before runs on", halt=False)
ALONE = Fallback(False, "it runs as planned and was left alone", halt=False)
BOTH = {"a": good(), "b": good()}
BACK = Fallback(True, "", "good", "tiny", ("a", "b"))


@pytest.mark.parametrize(
    ("last_good", "failed", "expected"),
    [
        pytest.param(BOTH, "new", BACK, id="every rank is known"),
        pytest.param({"a": {}, "b": {}}, "new", Fallback(False, NOTHING), id="none ever"),
        pytest.param({}, "new", Fallback(False, NOTHING), id="no node"),
        pytest.param({"a": good(), "b": {}}, "new", Fallback(False, PART), id="a rank is unknown"),
        pytest.param({"a": good(), "b": good("older")}, "new", Fallback(False, PART), id="the ranks are of two plans"),
        pytest.param(BOTH, "good", Fallback(False, SAME), id="what was just started and failed is not tried again"),
        pytest.param(
            {"a": good(nnodes=1), "b": {}},
            "new",
            Fallback(True, "", "good", "tiny", ("a",)),
            id="the other node was idle",
        ),
        pytest.param(
            {"a": good("newer", 1), "b": good("old")},
            "new",
            Fallback(True, "", "newer", "tiny", ("a",)),
            id="only a plan of which all ranks are known",
        ),
    ],
)
def test_what_a_cluster_can_go_back_to(last_good: dict[str, dict[str, t.Any]], failed: str, expected: Fallback) -> None:
    assert fallback(last_good, failed, STARTED) == expected


@pytest.mark.parametrize("step", ["container", "health"])
def test_what_was_found_dead_or_unhealthy_starts_again(step: str) -> None:
    assert fallback(BOTH, "good", Outcome(started=True, touched=False, step=step)) == BACK


@pytest.mark.parametrize("step", ["identity", "generation", "transport", ""])
def test_what_runs_and_was_not_touched_is_left_alone(step: str) -> None:
    assert fallback(BOTH, "good", Outcome(started=True, touched=False, step=step)) == ALONE


@pytest.mark.parametrize("failed", ["good", "new"])
def test_a_node_that_can_not_be_looked_at_is_no_reason_to_touch_what_runs(failed: str) -> None:
    assert fallback(BOTH, failed, Outcome(started=True, touched=False, step="unreachable")) == ALONE


@pytest.mark.parametrize("step", ["identity", "generation", "transport", "moe", "certificate"])
def test_what_an_interrupted_run_has_left_and_does_not_pass_makes_room_for_what_did(step: str) -> None:
    untouched = Outcome(started=True, touched=False, step=step)
    assert fallback(BOTH, "new", untouched) == BACK
    assert fallback({"a": {}, "b": {}}, "new", untouched) == ALONE  # nothing better is known
    assert fallback({"a": good(), "b": {}}, "new", untouched) == ALONE


@pytest.mark.parametrize("last_good", [BOTH, {"a": {}, "b": {}}, {"a": good(), "b": {}}], ids=["known", "none", "part"])
@pytest.mark.parametrize("failed", ["good", "new"])
def test_where_nothing_was_touched_there_is_nothing_to_go_back_to(
    last_good: dict[str, dict[str, t.Any]], failed: str
) -> None:
    assert fallback(last_good, failed, Outcome(started=False, touched=False)) == UNTOUCHED


@pytest.mark.parametrize("step", ["container", "health", "identity", "generation", "transport", ""])
@pytest.mark.parametrize("started", [True, False])
def test_what_was_touched_is_taken_back_wherever_it_failed(started: bool, step: str) -> None:
    assert fallback(BOTH, "new", Outcome(started, touched=True, step=step)) == BACK
    assert fallback(BOTH, "good", Outcome(started, touched=True, step=step)) == Fallback(False, SAME)


def test_without_a_way_back_what_is_left_is_stopped() -> None:
    assert Fallback(False, NOTHING).halt is True

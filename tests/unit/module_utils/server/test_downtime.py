# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a start cost, by the times that the nodes reported."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._downtime import Downtime, downtime, seconds_of

Result = dict[str, t.Any] | None


def started(stop: float, start: float) -> Result:
    return {"actions": ["whatever"], "seconds": {"stop": stop, "start": start}}


def gate(elapsed: float) -> Result:
    return {"report": {}, "elapsed": elapsed}


FAILED: Result = {"failed": True, "msg": "Docker refuses.", "touched": True, "seconds": {"stop": 6.0, "start": 0.2}}


@pytest.mark.parametrize(
    ("spent", "expected"),
    [
        pytest.param({}, {"stop": 0.0, "start": 0.0}, id="nothing was done"),
        pytest.param(
            {"create": 100.0, "stop": 8.0, "remove": 1.0, "rename": 0.25, "start": 2.0},
            {"stop": 8.0, "start": 3.25},
            id="a replacement is made while the old one serves",
        ),
        pytest.param({"renew": 9.0}, {"stop": 0.0, "start": 0.0}, id="renewed secrets stop nothing"),
        pytest.param({"hold": 7.0, "stop": 0.5, "start": 1.0}, {"stop": 7.5, "start": 1.0}, id="its keeper stopped it"),
        pytest.param({"disable": 7.0, "remove": 1.0}, {"stop": 7.0, "start": 1.0}, id="for good"),
        pytest.param({"stop": 1.23456}, {"stop": 1.235, "start": 0.0}, id="in milliseconds"),
    ],
)
def test_which_actions_count_as_what(spent: dict[str, float], expected: dict[str, float]) -> None:
    assert seconds_of(spent) == expected


@pytest.mark.parametrize(
    ("ranks", "gates", "others", "expected"),
    [
        pytest.param([started(0, 0)] * 2, [gate(3.0)] * 2, [], Downtime(), id="nothing was touched"),
        pytest.param(
            [started(8, 2), started(5, 3)],
            [gate(240), gate(241)],
            [],
            Downtime(8, 3, 241, served=True),
            id="the slowest rank counts",
        ),
        pytest.param([started(0, 3)], [gate(60)], [], Downtime(0, 3, 60), id="a first start"),
        pytest.param(
            [started(0, 3)], [gate(60)], [started(9, 1)], Downtime(9, 3, 60, served=True), id="the server moved away"
        ),
        pytest.param([started(0, 0)], [gate(2)], [started(9, 1)], Downtime(), id="an idle node was cleared beside it"),
        pytest.param(
            [FAILED, started(5, 3)], [gate(99)] * 2, [], Downtime(6, 3, 0, served=True), id="one could not start"
        ),
        pytest.param([None, started(5, 3)], [gate(99)] * 2, [], Downtime(5, 3, 0, served=True), id="one was not asked"),
        pytest.param(
            [started(5, 3)] * 2, [None, gate(99)], [], Downtime(5, 3, 99, served=True), id="one was silent at the gate"
        ),
        pytest.param([{"unreachable": True}], [None], [], Downtime(), id="unreachable"),
    ],
)
def test_what_a_start_cost(ranks: list[Result], gates: list[Result], others: list[Result], expected: Downtime) -> None:
    results = {f"rank-{number}": result for number, result in enumerate(ranks)}
    idle = {f"idle-{number}": result for number, result in enumerate(others)}
    assert downtime({**results, **idle}, dict(zip(results, gates, strict=True))) == expected


@pytest.mark.parametrize(
    ("found", "text"),
    [
        pytest.param(Downtime(), "", id="nothing"),
        pytest.param(
            Downtime(8.4, 3.2, 240.9, served=True),
            "the endpoint was down 4 min 12 s: stop 8 s, start 3 s, load 4 min 01 s",
            id="down",
        ),
        pytest.param(Downtime(0, 3, 61), "it took 1 min 04 s to start: start 3 s, load 1 min 01 s", id="first start"),
    ],
)
def test_it_is_told_in_one_clause(found: Downtime, text: str) -> None:
    assert str(found) == text


def test_a_failed_start_and_the_way_back_are_one_downtime() -> None:
    assert Downtime(8, 3, 60, served=True) + Downtime(1, 2, 100) == Downtime(9, 5, 160, served=True)

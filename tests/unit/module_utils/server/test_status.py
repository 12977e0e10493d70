# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._status import keepers, reasons, rows_of, table
from ansible_collections.dgxspark.sglang.tests.unit.builders import probe_result

NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=datetime.timezone.utc)
FREE = "110.0 GiB"
SERVER = {
    "name": "sglang",
    "cluster": "alpha",
    "rank": "0",
    "status": "running",
    "running": True,
    "restart_count": 0,
    "model": "glm47",
    "health": 200,
    "started_at": "2026-11-21T09:50:00.123456789Z",
    "finished_at": "0001-01-01T00:00:00Z",
}


def rows(looked: t.Mapping[str, t.Any] | None) -> list[tuple[str, ...]]:
    return rows_of("spark-01", "alpha", looked, NOW)


def row(**changes: t.Any) -> tuple[str, ...]:
    (only,) = rows(probe_result(containers=[{**SERVER, **changes}]))
    return only


def test_a_healthy_server() -> None:
    expected = ("alpha", "spark-01", "sglang", "0", "running", "glm47", "healthy", "2 h 10 min", FREE)
    assert row() == expected


@pytest.mark.parametrize(
    ("looked", "state", "memory"),
    [
        pytest.param(None, "not looked at", "-", id="not looked at"),
        pytest.param({"failed": True, "msg": "x"}, "not looked at", "-", id="the look failed"),
        pytest.param({"unreachable": True}, "unreachable", "-", id="unreachable"),
        pytest.param(probe_result(docker_error="down"), "no Docker", FREE, id="no Docker"),
        pytest.param(probe_result(), "no server", FREE, id="no server"),
    ],
)
def test_a_node_without_a_server_has_one_row_that_says_why(
    looked: t.Mapping[str, t.Any] | None, state: str, memory: str
) -> None:
    assert rows(looked) == [("alpha", "spark-01", "-", "-", state, "-", "-", "-", memory)]


@pytest.mark.parametrize(
    ("looked", "expected"),
    [
        pytest.param(None, ["spark-01: it was not asked"], id="not looked at"),
        pytest.param({"failed": True, "msg": "no ip.\n"}, ["spark-01: no ip."], id="the look failed"),
        pytest.param({"unreachable": True, "msg": "timeout"}, ["spark-01: timeout"], id="unreachable"),
        pytest.param(probe_result(docker_error="Docker is down."), ["spark-01: Docker is down."], id="no Docker"),
        pytest.param(probe_result(), [], id="no server"),
        pytest.param(probe_result(containers=[SERVER]), [], id="a server"),
    ],
)
def test_why_a_row_says_so_little(looked: t.Mapping[str, t.Any] | None, expected: list[str]) -> None:
    assert reasons("spark-01", looked) == expected


@pytest.mark.parametrize(
    ("health", "expected"), [(200, "healthy"), (503, "not ready (503)"), (0, "no answer"), (401, "HTTP 401")]
)
def test_health_in_words(health: int, expected: str) -> None:
    assert row(health=health)[6] == expected


def test_a_worker_has_no_health_of_its_own() -> None:
    worker = {key: value for key, value in SERVER.items() if key != "health"}
    assert rows(probe_result(containers=[{**worker, "rank": "1"}]))[0][6] == "-"


def test_a_stopped_server_shows_since_when() -> None:
    stopped = row(status="exited", running=False, finished_at="2026-11-21T11:59:18.5Z")
    assert (stopped[4], stopped[7]) == ("exited", "42 s")


def test_a_server_that_never_ran_has_no_since() -> None:
    assert row(status="created", running=False)[7] == "-"


def test_restarts_are_shown() -> None:
    assert row(restart_count=3)[4] == "running (3 restarts)"


def test_a_server_without_a_profile_shows_no_model() -> None:
    assert row(model="")[5] == "-"


def test_two_instances_have_a_row_each_by_name() -> None:
    found = rows(probe_result(containers=[SERVER, {**SERVER, "name": "ondemand"}]))
    assert [item[2] for item in found] == ["ondemand", "sglang"]


def test_columns_are_aligned_and_lines_have_no_trailing_blanks() -> None:
    assert table([("alpha", "1"), ("b", "22")], ("NAME", "N")) == "NAME   N\nalpha  1\nb      22"


KEEPER = {"active": True, "enabled": True, "state": "active", "words": "Serves."}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "spark-01 sglang: Serves."),
        (
            {"active": False, "state": "failed", "words": "Gave up."},
            "spark-01 sglang: Gave up. (the keeper is failed)",
        ),
        (
            {"active": False, "enabled": False, "state": "inactive", "words": ""},
            "spark-01 sglang: the keeper has said nothing (the keeper is inactive) (does not start at boot)",
        ),
    ],
    ids=["serves", "failed", "stopped"],
)
def test_what_a_keeper_says_is_shown(changes: dict[str, t.Any], expected: str) -> None:
    assert keepers("spark-01", probe_result(keepers={"sglang": {**KEEPER, **changes}})) == [expected]


def test_where_nothing_is_kept_nobody_says_anything() -> None:
    assert keepers("spark-01", probe_result()) == keepers("spark-01", None) == []

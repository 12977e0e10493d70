# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module: what it writes, and what it leaves."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.modules import cluster_lock

NOW = 1795226584.25
Result = dict[str, t.Any]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The node's clock, which stands still."""
    clock = SimpleNamespace(now=NOW)
    monkeypatch.setattr(cluster_lock.time, "time", lambda: clock.now)
    return clock


@pytest.fixture
def ask(tmp_path: Path, clock: SimpleNamespace) -> t.Callable[..., Result]:
    """Run the module for a run of this name; it keeps its warnings under a key of their own."""

    def converge(run: str = "first", check_mode: bool = False, **changes: t.Any) -> Result:
        warnings: list[str] = []
        holder = {"user": run, "host": "laptop", "pid": 1, "birth": "", "place": "", "run": run}
        params = {
            "cluster": "alpha",
            "state": "held",
            "purpose": "",
            "expires": 3600,
            "force": False,
            "folder": f"{tmp_path}/run",
            "holder": holder,
            "gone": "",
            **changes,
        }
        module = SimpleNamespace(params=params, check_mode=check_mode, warn=warnings.append)
        return {**cluster_lock.converge(t.cast(t.Any, module)), "warnings": warnings}

    return converge


def files(tmp_path: Path) -> list[str]:
    """Return the locks that there are."""
    return sorted(path.name for path in tmp_path.rglob("*.lock"))


def test_a_lock_is_taken(ask: t.Callable[..., Result], tmp_path: Path) -> None:
    result = ask()
    lock = {
        "cluster": "alpha",
        "holder": {"user": "first", "host": "laptop", "pid": 1, "birth": "", "place": "", "run": "first"},
        "purpose": "",
        "since": 1795226584,
        "expires": 1795230184,
    }
    assert result == {
        "changed": True,
        "held": True,
        "lock": lock,
        "diff": {"before": {}, "after": lock},
        "warnings": [],
    }
    assert files(tmp_path) == ["alpha.lock"]


def test_another_run_is_refused_and_told_who_has_it(ask: t.Callable[..., Result]) -> None:
    held = ask()["lock"]
    with pytest.raises(SparkError) as caught:
        ask("second")
    result = caught.value.as_result()
    assert result["reason"].startswith("Cluster alpha is locked by first@laptop")
    assert (result["lock"], bool(result["hint"])) == (held, True)


def test_exactly_one_of_many_that_try_at_once_gets_it(ask: t.Callable[..., Result]) -> None:
    begin = threading.Barrier(8)

    def race(number: int) -> bool:
        begin.wait()
        try:
            return bool(ask(f"run-{number}")["held"])
        except SparkError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(race, range(8))) == [False] * 7 + [True]


def test_the_same_run_extends_it(ask: t.Callable[..., Result], clock: SimpleNamespace) -> None:
    first = ask()["lock"]
    clock.now += 100
    again = ask()
    assert (again["changed"], again["lock"]) == (True, {**first, "expires": first["expires"] + 100})


def test_a_lock_is_given_back_and_then_free(ask: t.Callable[..., Result], tmp_path: Path) -> None:
    ask()
    released = ask(state="released")
    assert (released["changed"], released["held"], released["lock"], files(tmp_path)) == (True, False, {}, [])
    assert ask("second")["held"] is True


def test_to_give_back_what_is_not_there_changes_nothing(ask: t.Callable[..., Result]) -> None:
    assert ask(state="released")["changed"] is False


def test_somebody_elses_lock_is_not_given_back(ask: t.Callable[..., Result]) -> None:
    held = ask()["lock"]
    released = ask("second", state="released", force=True, gone="first")
    assert (released["changed"], released["lock"], released["warnings"]) == (False, held, [])


@pytest.mark.parametrize(
    ("more", "later"),
    [
        pytest.param({"gone": "first"}, 0, id="its run is gone"),
        pytest.param({"force": True}, 0, id="by force"),
        pytest.param({}, 3600, id="it has expired"),
    ],
)
def test_a_lock_is_taken_over_with_a_warning(
    ask: t.Callable[..., Result], clock: SimpleNamespace, more: Result, later: int
) -> None:
    ask()
    clock.now += later
    taken = ask("second", **more)
    assert (taken["lock"]["holder"]["run"], len(taken["warnings"])) == ("second", 1)


def test_locks_of_two_clusters_have_nothing_to_do_with_each_other(ask: t.Callable[..., Result]) -> None:
    assert (ask()["held"], ask("second", cluster="beta")["held"]) == (True, True)


@pytest.mark.parametrize("state", ["held", "released"])
def test_check_mode_writes_nothing(ask: t.Callable[..., Result], tmp_path: Path, state: str) -> None:
    would = ask(check_mode=True, state=state)
    assert (would["changed"], would["held"], list(tmp_path.iterdir())) == (state == "held", state == "held", [])


def test_check_mode_gives_nothing_back(ask: t.Callable[..., Result], tmp_path: Path) -> None:
    ask()
    would = ask(check_mode=True, state="released")
    assert (would["changed"], would["lock"], files(tmp_path)) == (True, {}, ["alpha.lock"])


def test_check_mode_warns_of_a_lock_of_another_run(ask: t.Callable[..., Result]) -> None:
    held = ask()["lock"]
    would = ask("second", check_mode=True)
    assert (would["changed"], would["held"], would["lock"]) == (False, False, held)
    (warning,) = would["warnings"]
    assert warning.startswith("Cluster alpha is locked by first@laptop")
    assert warning.endswith(" Without --check this run is refused.")


def test_a_lock_that_would_be_over_at_once_is_refused(ask: t.Callable[..., Result]) -> None:
    with pytest.raises(SparkError, match="would expire after 0 s"):
        ask(expires=0)

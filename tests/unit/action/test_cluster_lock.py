# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller knows: who this run is, and whether another run is still there."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from types import SimpleNamespace

import pytest
from ansible import constants, context
from ansible_collections.dgxspark.sglang.plugins.action import cluster_lock

ME = {"user": "anna", "host": "laptop", "pid": 1, "birth": "5", "place": "here", "run": "mine"}
OTHER = {**ME, "run": "theirs"}


class Action(cluster_lock.ActionModule):
    """The action without a connection: the module's answers are given, and what it was asked is kept."""

    def __init__(self, answers: list[dict[str, t.Any]], **args: t.Any) -> None:
        self._task = SimpleNamespace(args={"cluster": "alpha", **args})
        self.answers = answers
        self.asked: list[dict[str, t.Any]] = []

    def _execute_module(
        self, module_args: dict[str, t.Any], task_vars: t.Any = None, **rest: t.Any
    ) -> dict[str, t.Any]:
        self.asked.append(module_args)
        return self.answers[len(self.asked) - 1]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_lock.ActionBase, "run", lambda self, tmp=None, task_vars=None: {})
    monkeypatch.setattr(cluster_lock, "this_run", lambda: ME)
    monkeypatch.setattr(cluster_lock, "playbooks", lambda: "site.yml")


REFUSED = {"failed": True, "msg": "locked", "lock": {"holder": OTHER}}
TAKEN = {"changed": True, "held": True, "lock": {"holder": ME}}


def test_the_module_is_told_who_asks_and_what_for() -> None:
    action = Action([TAKEN])
    assert action.run() == TAKEN
    assert action.asked == [{"cluster": "alpha", "purpose": "site.yml", "holder": ME}]


def test_a_purpose_that_was_given_is_told_after_the_playbook() -> None:
    action = Action([TAKEN], purpose="new cables")
    action.run()
    assert action.asked[0]["purpose"] == "site.yml, new cables"


def test_the_lock_of_a_run_that_is_gone_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_lock, "gone", lambda holder: holder == OTHER)
    action = Action([REFUSED, TAKEN])
    assert action.run() == TAKEN
    assert [asked.get("gone") for asked in action.asked] == [None, "theirs"]


def test_in_check_mode_that_is_told_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_lock, "gone", lambda holder: True)
    action = Action([{"changed": False, "held": False, "lock": {"holder": OTHER}}, TAKEN])
    assert action.run() == TAKEN


@pytest.mark.parametrize(
    ("answer", "dead", "state"),
    [
        pytest.param(REFUSED, False, "held", id="who has it is alive"),
        pytest.param(TAKEN, True, "held", id="this run has it"),
        pytest.param({"failed": True, "msg": "no sudo"}, True, "held", id="it could not be asked"),
        pytest.param({"unreachable": True, "msg": "timeout"}, True, "held", id="unreachable"),
        pytest.param({"changed": False, "lock": {}}, True, "held", id="nobody has it"),
        pytest.param({"changed": False, "lock": {"holder": OTHER}}, True, "released", id="only giving back"),
    ],
)
def test_everything_else_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, t.Any], dead: bool, state: str
) -> None:
    monkeypatch.setattr(cluster_lock, "gone", lambda holder: dead)
    action = Action([answer], state=state)
    assert (action.run(), len(action.asked)) == (answer, 1)


def holder(pid: int, **changes: t.Any) -> dict[str, t.Any]:
    return {**ME, "pid": pid, "birth": cluster_lock.birth(pid), "place": cluster_lock.place(), **changes}


@pytest.fixture
def ended() -> int:
    """The ID of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_a_run_whose_process_is_there_is_alive() -> None:
    assert not cluster_lock.gone(holder(os.getpid()))


def test_a_run_whose_process_has_ended_is_gone(ended: int) -> None:
    assert cluster_lock.gone(holder(ended, birth="5"))


def test_another_process_with_the_same_id_is_another_run() -> None:
    assert cluster_lock.gone(holder(os.getpid(), birth="5"))


def test_of_a_run_in_another_place_nothing_is_known(ended: int) -> None:
    assert not cluster_lock.gone(holder(ended, place="another boot"))


def test_a_process_that_is_hidden_in_proc_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(cluster_lock.os, "kill", kill)
    monkeypatch.setattr(cluster_lock, "birth", lambda pid: "")
    assert not cluster_lock.gone({**ME, "place": cluster_lock.place()})


def test_where_nobody_tells_when_a_process_began_its_id_has_to_do(monkeypatch: pytest.MonkeyPatch, ended: int) -> None:
    monkeypatch.setattr(cluster_lock, "birth", lambda pid: "")
    assert [cluster_lock.gone(holder(pid)) for pid in (os.getpid(), ended)] == [False, True]


def test_a_process_that_nobody_has_taken_note_of_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.read()  # it has closed its output: it ends
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    dead = cluster_lock.gone(holder(process.pid, birth="5"))
    process.stdout.close()
    process.wait()
    assert dead


def test_this_run_is_the_parent_of_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = cluster_lock.this_run()
    assert (found["pid"], found["run"]) == (os.getppid(), os.path.basename(constants.DEFAULT_LOCAL_TMP))
    assert not cluster_lock.gone(found)


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(cluster_lock.getpass, "getuser", nobody)
    assert cluster_lock.user() == str(os.getuid())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"args": ["playbooks/site.yml", "dgxspark.sglang.stop"]}, "site.yml, dgxspark.sglang.stop"),
        pytest.param({"args": "sparks"}, ""),
        pytest.param({}, ""),
    ],
    ids=["playbooks", "a pattern of hosts", "nothing"],
)
def test_what_a_run_is_for_is_its_playbooks(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, t.Any], expected: str
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(context, "CLIARGS", given)
    assert cluster_lock.playbooks() == expected

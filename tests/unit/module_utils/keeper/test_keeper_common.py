# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a keeper that begins makes of what it finds, and of what an earlier one remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._common import act, fallen, resume, sentence, turn
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._types import (
    ABSENT,
    ADOPTING,
    FAILED,
    FOREIGN,
    LEAVING,
    OTHER,
    OTHER_UP,
    PAUSING,
    RUNNING,
    SERVING,
    START,
    STARTING,
    STOPPED,
    UNKNOWN,
    UP,
    WAITING,
    Action,
    Memory,
    Own,
    Seen,
)
from ansible_collections.dgxspark.sglang.tests.unit.keepers import GENERATION, settings

SERVED = Memory(GENERATION, SERVING, epoch="e", start="1", served=5.0, failures=2, said="Serves.")


@pytest.mark.parametrize(
    ("rank", "status", "state", "start"),
    [
        (0, UP, ADOPTING, "1"),
        (1, UP, RUNNING, "1"),
        (0, STOPPED, WAITING, ""),
        (1, ABSENT, WAITING, ""),
        (0, OTHER_UP, WAITING, ""),
    ],
)
def test_without_a_memory_a_running_container_is_taken_over(rank: int, status: str, state: str, start: str) -> None:
    found = resume(settings(rank), None, Own(status, "1"), 9.0)
    assert (found.state, found.start, found.epoch, found.born, found.since) == (state, start, "", 9.0, 9.0)


def test_the_memory_of_the_container_that_runs_is_kept() -> None:
    assert resume(settings(0), SERVED, Own(UP, "1"), 9.0) == replace(SERVED, born=9.0, said="")


def test_a_start_that_was_asked_for_and_happened_meanwhile_is_recognised() -> None:
    starting = Memory(GENERATION, STARTING, epoch="e", before="1")
    assert resume(settings(0), starting, Own(UP, "2"), 9.0).start == "2"
    assert resume(settings(0), starting, Own(STOPPED, "1"), 9.0) == replace(starting, born=9.0)


def test_a_container_that_ended_meanwhile_is_seen_to_have_ended() -> None:
    found = resume(settings(0), SERVED, Own(STOPPED, "1", "2", "ended (exit code 1)"), 9.0)
    assert (found.state, fallen(found, Seen(own=Own(STOPPED, "1", "2", "ended")))) == (SERVING, "ended")


def test_a_container_that_a_run_has_started_meanwhile_is_taken_over() -> None:
    found = resume(settings(0), SERVED, Own(UP, "2"), 9.0)
    assert (found.state, found.start, found.epoch, found.failures) == (ADOPTING, "2", "", 2)


@pytest.mark.parametrize("state", [LEAVING, FAILED])
def test_who_had_left_or_given_up_begins_afresh(state: str) -> None:
    found = resume(settings(0), replace(SERVED, state=state, start=""), Own(STOPPED), 9.0)
    assert (found.state, found.epoch) == (WAITING, "")


def test_the_memory_of_another_plan_is_nobody_s() -> None:
    found = resume(settings(0), replace(SERVED, generation="other"), Own(UP, "1"), 9.0)
    assert (found.state, found.failures) == (ADOPTING, 0)


def test_a_pause_goes_on() -> None:
    pausing = Memory(GENERATION, PAUSING, until=70.0, failures=1)
    assert resume(settings(0), pausing, Own(STOPPED), 9.0) == replace(pausing, born=9.0)


@pytest.mark.parametrize(
    ("memory", "seen", "expected"),
    [
        pytest.param(SERVED, Seen(own=Own(UP, "1")), "", id="runs"),
        pytest.param(SERVED, Seen(own=Own(UNKNOWN)), "", id="Docker does not answer"),
        pytest.param(SERVED, Seen(own=Own(STOPPED, "1"), busy=True), "", id="an action is under way"),
        pytest.param(SERVED, Seen(own=Own(STOPPED, "1", words="ended")), "ended", id="ended"),
        pytest.param(SERVED, Seen(own=Own(UP, "2")), "somebody started its container again", id="started again"),
        pytest.param(SERVED, Seen(own=Own(ABSENT)), "its container was removed", id="removed"),
        pytest.param(SERVED, Seen(own=Own(OTHER_UP)), "its container was replaced by one of another plan", id="other"),
        pytest.param(
            SERVED, Seen(own=Own(OTHER)), "its container was replaced by one of another plan", id="other ended"
        ),
        pytest.param(
            SERVED,
            Seen(own=Own(FOREIGN)),
            "its container was replaced by one that this collection did not make",
            id="foreign",
        ),
        pytest.param(replace(SERVED, epoch="", start=""), Seen(own=Own(STOPPED, "1", words="x")), "", id="had none"),
        pytest.param(
            replace(SERVED, start="", before="1"), Seen(own=Own(STOPPED, "1", words="x")), "", id="not started yet"
        ),
        pytest.param(
            replace(SERVED, start="", before="1"),
            Seen(own=Own(STOPPED, "2", words="ended at once")),
            "ended at once",
            id="started and ended between two looks",
        ),
        pytest.param(
            replace(SERVED, start="", before="1"),
            Seen(own=Own(STOPPED, "1"), fault="Docker refuses"),
            "Docker refuses",
            id="could not be started",
        ),
    ],
)
def test_a_rank_has_fallen_when_what_it_had_is_gone(memory: Memory, seen: Seen, expected: str) -> None:
    assert fallen(memory, seen) == expected


def test_an_action_is_asked_for_once_and_again_after_a_while() -> None:
    memory, actions = act(replace(SERVED, since=10.0), Seen(), Action(START), 10.0)
    assert (memory.tried, actions) == (10.0, (Action(START),))
    assert act(memory, Seen(), Action(START), 14.0) == (memory, ())
    assert act(memory, Seen(busy=True), Action(START), 99.0) == (memory, ())
    assert act(memory, Seen(), Action(START), 15.0)[1] == (Action(START),)


def test_the_log_has_each_word_once() -> None:
    first = turn(SERVED, "Waits.", event="It ended.")
    assert first.lines == ("It ended.", "Waits.")
    assert turn(first.memory, "Waits.").lines == ()
    quiet = turn(first.memory, "Starts: 3/12 shards.", aloud=False)
    assert (quiet.lines, quiet.words) == ((), "Starts: 3/12 shards.")


def test_a_sentence_ends_once() -> None:
    assert (sentence("It ended"), sentence("It ended.")) == ("It ended.", "It ended.")

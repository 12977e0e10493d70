# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who has a cluster, by what its lock says."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._lock import (
    Decision,
    Holder,
    Lock,
    give_back,
    parse_lock,
    public,
    read_lock,
    take,
)

ANNA = Holder("anna", "laptop", 4711, "88123", "boot-1 pid:[1]", "ansible-local-4711aa")
BEN = Holder("ben", "ci-3", 99, "5", "boot-2 pid:[1]", "ansible-local-99bb")
SINCE = 1795226584  # 2026-11-21 02:03:04 UTC
HELD = Lock("alpha", ANNA, "site.yml", SINCE, SINCE + 14400)
NOW = SINCE + 725
WANTED = Lock("alpha", BEN, "switch_model.yml", NOW, NOW + 3600)
WHO = (
    "anna@laptop (process 4711) since 2026-11-21 02:03 UTC (12 min 05 s ago),"
    " until 2026-11-21 06:03 UTC at the latest: site.yml"
)


def without(text: str, *keys: str) -> str:
    """Return a lock's text without one of its keys."""
    raw = json.loads(text)
    place = raw
    for key in keys[:-1]:
        place = place[key]
    del place[keys[-1]]
    return json.dumps(raw)


def test_what_is_written_is_read() -> None:
    assert read_lock(HELD.text()) == HELD


def test_what_a_newer_version_adds_does_not_make_a_lock_unreadable() -> None:
    raw = {**json.loads(HELD.text()), "colour": "red"}
    raw["holder"]["shoe"] = 42
    assert read_lock(json.dumps(raw)) == HELD


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="no file"),
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="no dictionary"),
        pytest.param("null", id="nothing"),
        pytest.param(without(HELD.text(), "since"), id="a key is missing"),
        pytest.param(without(HELD.text(), "holder", "run"), id="a key of the holder is missing"),
        pytest.param(json.dumps({**json.loads(HELD.text()), "holder": "anna"}), id="the holder is a text"),
        pytest.param(json.dumps({**json.loads(HELD.text()), "expires": "tomorrow"}), id="a time is a text"),
        pytest.param(json.dumps({**json.loads(HELD.text()), "cluster": 7}), id="the cluster is a number"),
    ],
)
def test_what_is_no_lock_is_none(text: str) -> None:
    assert (read_lock(text), parse_lock(text, NOW), public(text)) == (None, None, {})


@pytest.mark.parametrize(("now", "found"), [(NOW, HELD), (HELD.expires - 1, HELD), (HELD.expires, None)])
def test_a_lock_is_in_force_until_it_expires(now: float, found: Lock | None) -> None:
    assert parse_lock(HELD.text(), now) == found


@pytest.mark.parametrize(
    ("text", "more", "now", "warning"),
    [
        pytest.param("", {}, NOW, "", id="nobody has it"),
        pytest.param("{", {}, NOW, "The lock of cluster alpha could not be read, and was replaced.", id="unreadable"),
        pytest.param(
            HELD.text(),
            {"gone": ANNA.run},
            NOW,
            f"An interrupted run left its lock: cluster alpha was locked by {WHO}. Its process is gone.",
            id="its run is gone",
        ),
        pytest.param(
            HELD.text(),
            {},
            SINCE + 14400,
            "A lock was not given back and has expired: cluster alpha was locked by"
            f" {WHO.replace('12 min 05 s', '4 h 00 min')}.",
            id="it has expired",
        ),
        pytest.param(
            HELD.text(),
            {"force": True},
            NOW,
            f"A lock was taken by force: cluster alpha was locked by {WHO}. Should that run be alive, two are at work.",
            id="by force",
        ),
    ],
)
def test_a_lock_that_can_be_had_is_taken(text: str, more: dict[str, t.Any], now: float, warning: str) -> None:
    assert take(text, WANTED, now, **more) == Decision(WANTED.text(), True, warning)


@pytest.mark.parametrize("gone", ["", BEN.run, "ansible-local-1cc"])
def test_a_lock_of_another_run_is_a_refusal_that_says_who_and_what_to_do(gone: str) -> None:
    decision = take(HELD.text(), WANTED, NOW, gone=gone)
    assert (decision.text, decision.held, decision.warning) == (HELD.text(), False, "")
    assert str(decision.refusal) == (
        f"Cluster alpha is locked by {WHO}.\n"
        "  Next step: wait until that run has ended, or add -e lock_force=true when you know that it is dead."
    )


def test_another_run_of_the_same_process_of_the_same_user_is_another_run() -> None:
    assert take(HELD.text(), replace(WANTED, holder=replace(ANNA, run="ansible-local-4711cc")), NOW).refusal


def test_a_clock_that_was_put_back_makes_no_negative_time() -> None:
    assert "(0 s ago)" in HELD.told(SINCE - 100)


def test_the_same_run_extends_its_lock() -> None:
    again = Lock("alpha", ANNA, "", NOW, NOW + 14400)
    assert take(HELD.text(), again, NOW) == Decision(replace(HELD, expires=NOW + 14400).text(), True)


def test_the_same_run_may_tell_another_purpose() -> None:
    again = Lock("alpha", ANNA, "loading", NOW, NOW + 14400)
    lock = read_lock(take(HELD.text(), again, NOW).text)
    assert lock == Lock("alpha", ANNA, "loading", SINCE, NOW + 14400)


def test_the_same_run_extends_a_lock_that_has_expired() -> None:
    late = HELD.expires + 5
    decision = take(HELD.text(), Lock("alpha", ANNA, "", late, late + 60), late)
    assert (decision.held, decision.warning) == (True, "")


@pytest.mark.parametrize(
    ("text", "run", "left"),
    [
        pytest.param(HELD.text(), ANNA.run, "", id="its own"),
        pytest.param(HELD.text(), BEN.run, HELD.text(), id="somebody else's"),
        pytest.param("", ANNA.run, "", id="there is none"),
        pytest.param("{", ANNA.run, "{", id="not readable"),
    ],
)
def test_a_run_gives_back_what_is_its_own(text: str, run: str, left: str) -> None:
    assert give_back(text, run) == Decision(left, False)

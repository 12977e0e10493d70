# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judgement of the faults: a half cluster and a false word are found, and a record becomes what the page says."""

from __future__ import annotations

import re
import sys
import types
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.tests.faults import catalogue, record
from ansible_collections.dgxspark.sglang.tests.faults.fault import (
    CLEANLY_STOPPED,
    ENDS,
    REFUSED,
    SERVING_AGAIN,
    SERVING_AS_BEFORE,
    STAND_IN,
)
from ansible_collections.dgxspark.sglang.tests.faults.invariant import Look, Rank, Unit, reached, violations
from ansible_collections.dgxspark.sglang.tests.unit.builders import REPO

NAMES = ("spark-01", "spark-02")


def rank(node: str, **changes: t.Any) -> Rank:
    serving = Rank(node, True, True, False, "g1", "at-10", "g1", Unit("active", "running", status="Serves."))
    return replace(serving, **changes)


def look(tokens: int = 8, **changes: t.Any) -> Look:
    """Return a pair that serves, with `changes` of both nodes."""
    return Look(tuple(rank(node, **changes) for node in NAMES), tokens, "" if tokens else "refused")


def other(base: Look, **changes: t.Any) -> Look:
    """Return the same with changes of the worker alone."""
    return replace(base, ranks=(base.ranks[0], replace(base.ranks[1], **changes)))


SERVING = look()
STOPPED = look(0, running=False, started_at="at-10", unit=Unit("inactive", "dead"))
AGAIN = look(started_at="at-99")


def test_a_serving_cluster_and_a_stopped_one_have_nothing_against_them() -> None:
    assert violations(SERVING) == violations(STOPPED) == []
    assert (SERVING.serving, SERVING.stopped, STOPPED.serving, STOPPED.stopped) == (True, False, False, True)


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (replace(other(SERVING, running=False), tokens=0), "half a cluster: spark-01 runs, spark-02 does not"),
        (other(SERVING, generation="g2"), "different generations run"),
        (replace(SERVING, tokens=0, error="HTTP 503"), "every rank runs, and there is no completion: HTTP 503"),
        (replace(STOPPED, tokens=8), "no rank runs, and the API gives a completion"),
        (other(SERVING, paused=True), "paused: spark-02"),
        (other(SERVING, reachable=False), "can't be looked at: spark-02"),
        (other(SERVING, kept="g0"), "the nodes keep different last good plans"),
        (other(STOPPED, kept="g0"), "the nodes keep different last good plans"),
        (look(kept="g0"), "generation g1 serves, and g0 is kept as last good"),
        (other(SERVING, locks=("pair.lock",)), "a lock is left on spark-02: pair.lock"),
        (other(SERVING, unit=Unit("failed", "failed")), "the cluster serves, and the keeper of spark-02 says failed"),
        (other(SERVING, unit=Unit()), "the cluster serves, and the keeper of spark-02 says no keeper"),
        (
            other(STOPPED, unit=Unit("active", "running", status="Serves.")),
            "the cluster is stopped, and the keeper of spark-02 says active/running: Serves.",
        ),
    ],
)
def test_what_must_never_be_is_found(found: Look, word: str) -> None:
    assert any(word in wrong for wrong in violations(found)), violations(found)


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        (SERVING, {SERVING_AS_BEFORE, REFUSED}),
        (AGAIN, {SERVING_AGAIN}),
        (other(SERVING, started_at="at-99"), set()),  # one rank alone was started again
        (STOPPED, {CLEANLY_STOPPED}),
        (replace(STOPPED, tokens=8), set()),
        (other(STOPPED, reachable=False), set()),
        (replace(AGAIN, tokens=0), set()),
        (other(AGAIN, unit=Unit("inactive", "dead")), set()),
        (other(AGAIN, unit=Unit("active", "running", status="Starts; the head is starting.")), set()),
        (
            other(SERVING, unit=Unit("active", "running", status="Runs; the head is serving.")),
            {SERVING_AS_BEFORE, REFUSED},
        ),
    ],
)
def test_an_end_is_reached_when_all_of_it_is_there(now: Look, ends: set[str]) -> None:
    assert {end for end in ENDS if reached(end, SERVING, now)} == ends


def test_a_refusal_of_a_stopped_cluster_leaves_it_stopped() -> None:
    assert reached(REFUSED, STOPPED, STOPPED)
    assert not reached(REFUSED, STOPPED, SERVING)


PLAY = """TASK [dgxspark.sglang.server : Converge | Every rank must have passed the gate] ***
fatal: [spark-01]: FAILED! =>
    changed: false
    msg: |-
        tiny-faulty did not come up: Gate failed at step 'container' on spark-02
        (rank 1): rank 1 ended (exit code 137).
        The last good plan serves again: tiny-llama.
"""


def test_words_are_found_and_quoted_however_a_play_breaks_its_lines() -> None:
    says = ("on spark-02 (rank 1)", "The last good plan serves again: tiny-llama", "no such word")
    assert record.missing(PLAY, says) == ["no such word"]
    quoted = record.quote(PLAY, says[:2])
    assert all(len(line) < 260 for line in quoted)
    assert any("The last good plan serves again" in line for line in quoted)
    assert any("(rank 1)" in line for line in quoted)


def make(**changes: t.Any) -> record.Record:
    fault = catalogue.FAULTS[0]
    made = record.Record(fault.name, fault.group, fault.breaks, fault.ends, fault.engine, fault.quick, fault.nodes)
    return replace(made, found=fault.ends, noticed=3.21, over=47.4, date="2026-11-21 20:00 UTC", **changes)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    kept = make(words=["It said |so|."], versions={"SGLang": "0.5.23"})
    record.save(tmp_path, kept)
    (tmp_path / "of-another-form.json").write_text('{"name": 1, "unknown": 2}')
    assert record.load(tmp_path) == {kept.name: kept}
    assert kept.green
    assert not make(wrong=["half a cluster"]).green


@pytest.fixture(scope="module")
def tool() -> t.Iterator[types.ModuleType]:
    sys.path.insert(0, str(REPO / "tests" / "tools"))
    import faults_page

    yield faults_page
    sys.path.remove(str(REPO / "tests" / "tools"))


def test_the_page_tells_what_was_run_what_failed_and_what_was_not_run(tool: t.Any, tmp_path: Path) -> None:
    first = catalogue.FAULTS[0]
    record.save(tmp_path, make(words=["'x' is not in the catalogue"], versions={"SGLang": "0.5.23"}))
    text = tool.page(tmp_path)
    row = next(line for line in text.splitlines() if line.startswith(f"| {first.name}"))
    assert f"| {first.ends} | 3.2 s | 47 s | real |" in row
    assert "    'x' is not in the catalogue\n" in text
    assert f"1 of {len(catalogue.FAULTS)} as they must be, 0 failed, {len(catalogue.FAULTS) - 1} not run" in text
    assert text.count("| not run; must be ") == len(catalogue.FAULTS) - 1
    record.save(tmp_path, make(wrong=["half a cluster: spark-01 runs"]))
    assert "| **failed**, refused-untouched: half a cluster: spark-01 runs |" in tool.page(tmp_path)


def test_every_fault_has_its_place_on_the_page(tool: t.Any) -> None:
    assert tool.unknown_groups() == set()


def test_the_page_that_is_there_has_every_fault_of_the_catalogue(tool: t.Any) -> None:
    text = tool.PAGE.read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| ([a-z0-9-]+)(?: \(with every change\))? \|(?:.*\|){4} (?:real|stand-in) \|$", text, re.MULTILINE
    )
    assert sorted(rows) == sorted(fault.name for fault in catalogue.FAULTS)


@pytest.mark.parametrize("fault", catalogue.FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_whole(fault: t.Any) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", fault.name)
    assert fault.ends in ENDS
    assert fault.breaks.endswith(".") and "\n" not in fault.breaks
    assert [other.name for other in catalogue.FAULTS].count(fault.name) == 1
    # Who is refused, and who is brought back by a run, is told why.
    assert fault.says or fault.ends != REFUSED


def test_the_stand_in_knows_every_fault_that_it_is_asked_for() -> None:
    program = (REPO / "tests" / "lab" / "faulty" / "launch_server.py").read_text()
    asked = set(re.findall(r'stand_in\("(\w+)"', "".join(p.read_text() for p in (REPO / "tests/faults").glob("*.py"))))
    assert asked and all(f"\n  {name} " in program for name in asked)
    assert {fault.engine for fault in catalogue.FAULTS if fault.engine == STAND_IN}


def test_no_more_than_a_few_run_with_every_change() -> None:
    """They have eight minutes: a restart of both ranks takes one, what is refused ten seconds."""
    chosen = catalogue.chosen(quick=True)
    cost = sum({REFUSED: 10, SERVING_AS_BEFORE: 30, CLEANLY_STOPPED: 50}.get(fault.ends, 90) for fault in chosen)
    assert 0 < cost <= 480

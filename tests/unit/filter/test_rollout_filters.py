# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters of a rollout pass on what nodes reported; the verdicts themselves are tested with the kernel."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.filter.rollout_change import rollout_change
from ansible_collections.dgxspark.sglang.plugins.filter.rollout_summary import rollout_summary
from ansible_collections.dgxspark.sglang.plugins.filter.rollout_waves import rollout_waves

PLANNED: dict[str, t.Any] = {
    "draft": {"image_source": ""},
    "plan": {
        "instance": "sglang",
        "generation": "new",
        "model": "tiny",
        "image": "sglang:2",
        "ranks": {"a": {"keep": {}}},
        "idle": {},
    },
}
RUNNING = {"running": True, "generation": "new", "model": "tiny", "image": "sglang:2"}
KEPT = {"last_good": {"generation": "new", "keep": {}}, "keepers": {"sglang": {"active": True}}}
LOOKED = {"probe": {"container": RUNNING, **KEPT}}
CHANGE = {"now": "", "wanted": "tiny", "why": "nothing runs", "refused": ""}
DRAFT = {"draft": {"model": "tiny", "instances": ["sglang"], "refused": []}}


def looked(**more: t.Any) -> dict[str, t.Any]:
    return {"a": {"server_looked": LOOKED, "model_found": {"whole": True}, "image_pulled": {"actions": []}, **more}}


LOST = "a node was lost before it was looked at."


@pytest.mark.parametrize(
    ("more", "source", "expected"),
    [
        pytest.param({}, "", "", id="all is there"),
        pytest.param({"image_pulled": {"actions": ["pull"]}}, "", "the image to be brought", id="a tag was moved"),
        pytest.param({"model_found": {"whole": False}}, "", "the model to be brought", id="a file is missing"),
        pytest.param({"engine_image_looked": {"current": True}}, "base", "", id="built"),
        pytest.param(
            {"engine_image_looked": {"current": False}}, "base", "the image to be brought", id="to be built anew"
        ),
        pytest.param({"engine_image_looked": {"skipped": True}}, "", "", id="nothing is built"),
    ],
)
def test_what_would_change(more: dict[str, t.Any], source: str, expected: str) -> None:
    planned = {**PLANNED, "draft": {"image_source": source}}
    assert rollout_change(looked(**more), ["a"], planned)["why"] == expected


def test_a_model_of_another_revision_is_a_refusal() -> None:
    told = {"failed": True, "msg": "It is another one.\n  Next step: remove it.", "reason": "It is another one."}
    found = rollout_change(looked(model_found=told), ["a"], PLANNED)
    assert found["refused"] == "a failed in model_download: It is another one.\n  Next step: remove it."


def test_an_idle_node_that_does_not_answer_is_a_refusal() -> None:
    gone = {"server_looked": {"unreachable": True, "msg": "timeout"}}
    assert rollout_change({**looked(), "b": gone}, ["a", "b"], PLANNED)["refused"] == (
        "b can't be reached: timeout\n  Next step: check its power, network and ssh; every node of a cluster is needed."
    )


@pytest.mark.parametrize(
    ("known", "offline", "expected"),
    [
        pytest.param({"server_planned": DRAFT, "rollout_change": CHANGE}, False, CHANGE, id="looked at"),
        pytest.param(
            {"rollout_refused": "Task failed: It can't work."},
            False,
            {"now": "", "wanted": "", "why": "", "refused": "It can't work."},
            id="refused",
        ),
        pytest.param(
            {"server_planned": DRAFT}, True, {**CHANGE, "why": "not asked"}, id="what was not asked is to be done"
        ),
        pytest.param(
            {"server_planned": {"draft": {**DRAFT["draft"], "refused": [{"msg": "The second can't work."}]}}},
            True,
            {"now": "", "wanted": "", "why": "", "refused": "The second can't work."},
            id="another instance is refused",
        ),
        pytest.param(
            {"server_planned": {"draft": {**DRAFT["draft"], "instances": []}}},
            False,
            {"now": "", "wanted": "", "why": "", "refused": ""},
            id="nothing is always on",
        ),
        pytest.param(
            {},
            False,
            {"now": "", "wanted": "", "why": "", "refused": f"{LOST} Next step: doctor.yml for this cluster."},
            id="lost",
        ),
    ],
)
def test_what_a_node_came_to_know(known: dict[str, t.Any], offline: bool, expected: dict[str, str]) -> None:
    (cluster,) = rollout_waves({"a": {"spark_cluster": "x", **known}}, ["a"], offline=offline)["clusters"]
    assert cluster == {"name": "x", "nodes": ("a",), "change": expected}


def test_with_a_reason_against_it_there_are_no_waves() -> None:
    known = {"a": {"spark_cluster": "x", "server_planned": DRAFT, "rollout_change": CHANGE}}
    found = rollout_waves(known, ["a"], canary="y")
    assert found["reason"].startswith("rollout_canary is 'y', which is no cluster of this run.")
    assert (found["waves"], found["clusters"], found["stop"]) == ((), (), "")


FAILED = {"rollout_began": 100.5, "rollout_ended": {"at": 160.5, "failure": "Task failed: It broke."}}
FELL_BACK = {"usable": True, "halt": True, "nodes": ["a"], "model": "tiny"}
STARTED = {"changed": True, "actions": ["start"]}


def gate(state: str) -> dict[str, t.Any]:
    report = {"node": "a", "rank": 0, "state": state, "step": "", "reason": "", "hint": ""}
    return {"report": {**report, "log_tail": [], "finished_at": ""}}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"rollout_began": 100.5, "rollout_ended": {"at": 160.5, "failure": ""}}, "changed"),
        ({}, "not reached"),
        (FAILED, "failed, what served was left alone"),
        ({**FAILED, "server_started": STARTED}, "failed, see status.yml for what serves"),
        ({**FAILED, "server_back": {"usable": False, "halt": True}}, "failed, nothing serves now"),
        ({**FAILED, "server_back": {"usable": False, "halt": False}}, "failed, what served was left alone"),
        (
            {**FAILED, "server_back": FELL_BACK, "server_started": STARTED, "server_gate": gate("passed")},
            "failed, back to tiny as it was",
        ),
        (
            {**FAILED, "server_back": FELL_BACK, "server_started": STARTED, "server_gate": gate("failed")},
            "failed, nothing serves now",
        ),
    ],
)
def test_what_became_of_a_cluster(known: dict[str, t.Any], expected: str) -> None:
    hostvars = {"a": {"spark_cluster": "x", "server_planned": DRAFT, "rollout_change": CHANGE, **known}}
    found = rollout_summary(hostvars, rollout_waves(hostvars, ["a"]))
    row = found["text"].splitlines()[1]
    assert " ".join(row.split()).startswith(f"x canary {expected}")
    assert found["failed"] == ({"x": "It broke."} if expected.startswith("failed") else {})
    assert found["stop"] == ("the canary x failed" if expected.startswith("failed") else "")


def test_a_wave_is_judged_by_those_before_it() -> None:
    usual = {"server_planned": DRAFT, "rollout_change": CHANGE}
    hostvars = {"a": {"spark_cluster": "x", **usual, **FAILED}, "b": {"spark_cluster": "y", **usual}}
    rollout = rollout_waves(hostvars, ["a", "b"])
    assert [rollout_summary(hostvars, rollout, before=wave)["stop"] for wave in (0, 1)] == ["", "the canary x failed"]

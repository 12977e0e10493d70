# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.fleet._change import change
from ansible_collections.dgxspark.sglang.plugins.module_utils.fleet._waves import Change

PLAN: dict[str, t.Any] = {
    "instance": "sglang",
    "generation": "new",
    "model": "tiny",
    "image": "sglang:2",
    "ranks": {"a": {"keep": {"patience": 120}}, "b": {"keep": {"patience": 120}}},
    "idle": {"c": {}},
}
GOOD = {"generation": "new", "nnodes": 2, "keep": {"patience": 120}}


def probe(good: t.Mapping[str, t.Any] | None = None, kept: bool = True, **container: t.Any) -> dict[str, t.Any]:
    usual = {"running": True, "generation": "new", "model": "tiny", "image": "sglang:2"}
    keepers = {"sglang": {"active": kept}}
    return {"container": {**usual, **container}, "last_good": GOOD if good is None else good, "keepers": keepers}


NONE: dict[str, t.Any] = {"container": {}, "last_good": {}, "keepers": {}}
WELL = {"a": probe(), "b": probe(), "c": NONE}


@pytest.mark.parametrize(
    ("probes", "outdated", "expected"),
    [
        pytest.param({}, [], Change("tiny", "tiny", ""), id="it serves what is wanted"),
        pytest.param({"a": NONE, "b": NONE}, [], Change("", "tiny", "nothing runs"), id="a bare cluster"),
        pytest.param(
            {"a": probe(running=False), "b": probe(running=False)}, [], Change("", "tiny", "nothing runs"), id="stopped"
        ),
        pytest.param(
            {"a": probe(model="old"), "b": probe(model="old")}, [], Change("old", "tiny", "another model"), id="model"
        ),
        pytest.param(
            {"b": probe(model="old")}, [], Change("tiny, old", "tiny", "another model"), id="another model on one rank"
        ),
        pytest.param({"b": probe(model="")}, [], Change("tiny, unknown", "tiny", "another model"), id="unknown"),
        pytest.param({"a": probe(image="sglang:1")}, [], Change("tiny", "tiny", "another image"), id="image"),
        pytest.param(
            {"b": probe(generation="old")}, [], Change("tiny", "tiny", "other flags or settings"), id="generation"
        ),
        pytest.param({"b": probe(running=False)}, [], Change("tiny", "tiny", "1 of 2 ranks run"), id="a rank is dead"),
        pytest.param(
            {}, ["the image", "the model"], Change("tiny", "tiny", "the image and the model to be brought"), id="moved"
        ),
        pytest.param({"c": probe()}, [], Change("tiny", "tiny", "c to be idle"), id="a rank that is not needed"),
        pytest.param({"b": probe(good={})}, [], Change("tiny", "tiny", "has not passed the gate"), id="not accepted"),
        pytest.param(
            {"a": probe(good={"generation": "old"})},
            [],
            Change("tiny", "tiny", "has not passed the gate"),
            id="another plan was accepted",
        ),
        pytest.param(
            {"b": probe(good={**GOOD, "keep": {"patience": 60}})},
            [],
            Change("tiny", "tiny", "other settings of its keepers"),
            id="patience",
        ),
        pytest.param(
            {"b": probe(kept=False)}, [], Change("tiny", "tiny", "nobody keeps it running"), id="an interrupted run"
        ),
        pytest.param(
            {"a": {**probe(), "keepers": {"code": {"active": True}}}},
            [],
            Change("tiny", "tiny", "nobody keeps it running"),
            id="another instance is kept",
        ),
    ],
)
def test_what_a_run_would_change(probes: dict[str, t.Any], outdated: list[str], expected: Change) -> None:
    assert change(PLAN, {**WELL, **probes}, outdated) == expected

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.fleet._waves import (
    Change,
    Cluster,
    Settings,
    Wave,
    gather,
    halted,
    plan,
    restore,
    settings,
)

NEEDED, THERE, REFUSED = Change("a", "b", "another model"), Change("b", "b"), Change(refused="It can't work.")
KINDS = {"n": NEEDED, "t": THERE, "r": REFUSED}
CANARY_HINT = "\n  Next step: name a cluster of the run, or none: -e rollout_canary="


def clusters(**kinds: str) -> list[Cluster]:
    """Return clusters of one node; n: needs something, t: is there already, r: refused."""
    return [Cluster(name, (f"{name}-1",), KINDS[kind]) for name, kind in kinds.items()]


def waves(found: t.Sequence[Cluster], **wishes: t.Any) -> list[tuple[str, tuple[str, ...]]]:
    return [(wave.name, wave.clusters) for wave in plan(found, Settings(**wishes)).waves]


@pytest.mark.parametrize(
    ("kinds", "wishes", "expected"),
    [
        pytest.param(
            {"a": "n", "b": "n", "c": "n"},
            {},
            [("canary", ("a",)), ("1", ("b",)), ("2", ("c",))],
            id="the first by name, then one after the other",
        ),
        pytest.param(
            {"a": "n", "b": "n", "c": "n", "d": "n"},
            {"canary": "c", "size": 2},
            [("canary", ("c",)), ("1", ("a", "b")), ("2", ("d",))],
            id="another canary, and batches",
        ),
        pytest.param(
            {"a": "n", "b": "n", "c": "n"},
            {"canary": "", "size": 2},
            [("1", ("a", "b")), ("2", ("c",))],
            id="no canary",
        ),
        pytest.param(
            {"a": "n", "b": "n"}, {"size": 9}, [("canary", ("a",)), ("1", ("b",))], id="a batch of more than there are"
        ),
        pytest.param({"a": "t", "b": "n"}, {}, [("1", ("b",))], id="a canary that is there already is not replaced"),
        pytest.param({"a": "n", "b": "t", "c": "r"}, {}, [("canary", ("a",))], id="there, and refused"),
        pytest.param({"a": "t", "b": "t"}, {}, [], id="nothing to do"),
        pytest.param({}, {}, [], id="no cluster"),
    ],
)
def test_the_waves(
    kinds: dict[str, str], wishes: dict[str, t.Any], expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert waves(clusters(**kinds), **wishes) == expected


@pytest.mark.parametrize(
    ("canary", "expected"),
    [
        ("alhpa", "rollout_canary is 'alhpa', which is no cluster of this run. Did you mean alpha?"),
        ("x", "rollout_canary is 'x', which is no cluster of this run. Known: alpha, beta."),
    ],
)
def test_a_canary_that_is_no_cluster_is_refused(canary: str, expected: str) -> None:
    with pytest.raises(SparkError) as caught:
        waves(clusters(alpha="n", beta="t"), canary=canary)
    assert str(caught.value) == expected + CANARY_HINT


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Settings(None, 1, 0)),
        ({"canary": ""}, Settings("", 1, 0)),
        ({"canary": "a", "size": "5", "failures": "2"}, Settings("a", 5, 2)),
        ({"size": 3, "failures": 1}, Settings(None, 3, 1)),
    ],
)
def test_what_people_may_write(given: dict[str, t.Any], expected: Settings) -> None:
    assert settings(**given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"size": 0}, ["rollout_size is 0, needed is a whole number from 1 on."]),
        ({"size": "half"}, ["rollout_size is 'half', needed is a whole number from 1 on."]),
        ({"size": True}, ["rollout_size is True, needed is a whole number from 1 on."]),
        ({"size": 1.5}, ["rollout_size is 1.5, needed is a whole number from 1 on."]),
        ({"failures": -1}, ["rollout_failures is -1, needed is a whole number from 0 on."]),
        (
            {"size": "", "failures": None},
            [
                "rollout_size is '', needed is a whole number from 1 on.",
                "rollout_failures is None, needed is a whole number from 0 on.",
            ],
        ),
    ],
)
def test_what_is_no_number_is_refused(given: dict[str, t.Any], expected: list[str]) -> None:
    with pytest.raises(SparkError) as caught:
        settings(**given)
    assert [problem.what for problem in caught.value.problems] == expected


def test_nodes_are_gathered_by_cluster() -> None:
    stated = {"n3": ("b", THERE), "n1": ("a", THERE), "n2": ("b", NEEDED)}
    assert gather(stated) == (Cluster("a", ("n1",), THERE), Cluster("b", ("n3", "n2"), NEEDED))


def test_a_refusal_of_one_node_is_that_of_its_cluster() -> None:
    (found,) = gather({"n1": ("a", NEEDED), "n2": ("a", REFUSED)})
    assert found.change == REFUSED


def test_a_node_without_a_cluster_is_refused() -> None:
    with pytest.raises(SparkError, match=r"^n2, n4 belong\(s\) to no cluster: spark_cluster is not set\."):
        gather({"n4": ("", REFUSED), "n1": ("a", NEEDED), "n2": ("", REFUSED)})


@pytest.mark.parametrize(
    ("failed", "allowed", "expected"),
    [
        pytest.param([], 0, "", id="none"),
        pytest.param(["b"], 0, "1 cluster(s) failed or were refused, and rollout_failures is 0", id="the first"),
        pytest.param(["b"], 1, "", id="as many as may"),
        pytest.param(["b", "c"], 1, "2 cluster(s) failed or were refused, and rollout_failures is 1", id="one more"),
        pytest.param(["a"], 9, "the canary a failed", id="the canary"),
    ],
)
def test_when_no_further_wave_is_begun(failed: list[str], allowed: int, expected: str) -> None:
    assert halted(plan(clusters(a="n", b="n", c="n"), Settings(failures=allowed)), failed) == expected


def test_a_refused_canary_ends_it() -> None:
    rollout = plan(clusters(a="r", b="n"), Settings(failures=9))
    assert halted(rollout, rollout.refused) == "the canary a failed"


def test_without_a_canary_nobody_is_one() -> None:
    assert halted(plan(clusters(a="n", b="n"), Settings(canary="", failures=1)), ["a"]) == ""


def test_a_rollout_survives_as_data() -> None:
    rollout = plan(clusters(a="t", b="n", c="r", d="n"), Settings(canary="d", size=2, failures=3))
    assert restore(json.loads(json.dumps(rollout.public()))) == rollout


def test_the_clusters_have_their_turn_in_the_order_of_the_waves() -> None:
    rollout = plan(clusters(a="t", b="n", c="r", d="n", e="n"), Settings(canary="d", size=2))
    assert [(one.name, rollout.wave_of(one.name)) for one in rollout.in_order] == [
        ("d", "canary"),
        ("b", "1"),
        ("e", "1"),
        ("a", ""),
        ("c", ""),
    ]
    assert rollout.waves == (Wave("canary", ("d",)), Wave("1", ("b", "e")))

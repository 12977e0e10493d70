# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout keeps its waves apart, counts every failure, and leaves the other clusters alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.tests.contract.fleet import PROFILES, Fleet, Run, play
from ansible_collections.dgxspark.sglang.tests.contract.tree import PLAYBOOKS, REPO, TASK_FILES, name

OFFLINE = ("-e", "rollout_offline=true")
GREEK = {"alpha": 1, "beta": 2, "delta": 1, "gamma": 2}


def outcomes(run: Run) -> dict[str, str]:
    return {cluster: cells[1] for cluster, cells in run.table("OUTCOME").items()}


def test_fifty_clusters_are_planned_without_asking_any_node(tmp_path: Path) -> None:
    sizes = {f"c{number:02}": 4 if number % 20 == 0 else 2 if number % 5 == 0 else 1 for number in range(50)}
    run = play(tmp_path, Fleet(sizes), *OFFLINE, "-e", "rollout_size=10", "-e", "rollout_canary=c31")
    assert run.code == 0, run.output
    rows = run.table("WANTED")
    order = ["c31", *(name for name in sizes if name != "c31")]
    waves = ["canary", *(str(1 + place // 10) for place in range(49))]
    assert {name: row[:4] for name, row in rows.items()} == {
        name: [wave, str(sizes[name]), "-", PROFILES[sizes[name]]] for name, wave in zip(order, waves, strict=True)
    }


def test_a_wrong_canary_is_named(tmp_path: Path) -> None:
    run = play(tmp_path, Fleet(GREEK), *OFFLINE, "-e", "rollout_canary=delte")
    assert run.code == 2
    assert "rollout_canary is 'delte', which is no cluster of this run. Did you mean delta?" in run.output


def test_a_cluster_that_can_t_work_is_named_before_anything_begins(tmp_path: Path) -> None:
    fleet = Fleet(GREEK, {"beta": {"server_model": "gpt-oss-121b"}})
    run = play(tmp_path, fleet, *OFFLINE)
    assert run.code == 2
    assert run.table("WANTED")["beta"] == ["-", "2", "-", "-", "refused"]
    assert "beta: Model 'gpt-oss-121b' is not in the catalogue." in run.output
    assert "No wave is begun: 1 cluster(s) failed or were refused, and rollout_failures is 0." in run.output


def test_a_wave_begins_when_the_one_before_has_ended(tmp_path: Path) -> None:
    run = play(tmp_path, Fleet(GREEK), "-e", "rollout_size=2", standing_in=True)
    assert run.code == 0, run.output
    assert outcomes(run) == dict.fromkeys(GREEK, "changed")
    # A word of every node: the canary alpha, then beta and delta, then gamma.
    begun = [
        [("BEGIN", "alpha"), ("END", "alpha")],
        [("BEGIN", "beta")] * 2 + [("BEGIN", "delta")] + [("END", "beta")] * 2 + [("END", "delta")],
        [("BEGIN", "gamma")] * 2 + [("END", "gamma")] * 2,
    ]
    said = run.said
    for wave in begun:
        assert sorted(said[: len(wave)]) == sorted(wave)
        said = said[len(wave) :]
    assert said == []


@pytest.mark.parametrize(("node", "end"), [("beta-2", "broken"), ("beta-2", "lost"), ("delta-1", "lost")])
def test_a_cluster_that_fails_ends_it_and_takes_nobody_along(tmp_path: Path, node: str, end: str) -> None:
    cluster = node.rpartition("-")[0]
    fleet = Fleet(GREEK, hosts={node: {"fleet_end": end}})
    run = play(tmp_path, fleet, "-e", "rollout_size=2", standing_in=True)
    other = "delta" if cluster == "beta" else "beta"
    expected = {"alpha": "changed", other: "changed", "gamma": "not reached"}
    found = outcomes(run)
    assert found.pop(cluster).startswith("failed")
    assert (found, run.code != 0) == (expected, True), run.output
    assert ("BEGIN", "gamma") not in run.said


def test_a_failed_canary_ends_it_whatever_may_fail(tmp_path: Path) -> None:
    fleet = Fleet(GREEK, hosts={"gamma-1": {"fleet_end": "broken"}})
    run = play(tmp_path, fleet, "-e", "rollout_canary=gamma", "-e", "rollout_failures=9", standing_in=True)
    assert run.code != 0
    assert {cluster for _word, cluster in run.said} == {"gamma"}
    assert "Not reached, since the canary gamma failed: alpha, beta, delta." in run.output


def test_as_many_may_fail_as_were_said(tmp_path: Path) -> None:
    fleet = Fleet(GREEK, {"beta": {"server_model": "none"}}, {"delta-1": {"fleet_end": "broken"}})
    run = play(tmp_path, fleet, "-e", "rollout_failures=2", standing_in=True)
    found = outcomes(run)
    assert found.pop("delta").startswith("failed")
    assert found == {"alpha": "changed", "beta": "refused", "gamma": "changed"}
    assert run.code != 0


def test_the_next_run_goes_on_where_one_ended(tmp_path: Path) -> None:
    fleet = Fleet(GREEK, {name: {"fleet_serves": PROFILES[GREEK[name]]} for name in ("alpha", "beta")})
    run = play(tmp_path, fleet, standing_in=True)
    assert run.code == 0, run.output
    assert outcomes(run) == {"delta": "changed", "gamma": "changed", "alpha": "unchanged", "beta": "unchanged"}
    assert list(dict.fromkeys(run.said)) == [
        (word, cluster) for cluster in ("delta", "gamma") for word in ("BEGIN", "END")
    ]


# First contact asks for one password and is one decision.
TOGETHER = {REPO / "playbooks/bootstrap.yml": {"any_errors_fatal"}}


@pytest.mark.parametrize("path", TASK_FILES + PLAYBOOKS, ids=name)
def test_nothing_ties_one_cluster_to_another(path: Path) -> None:
    """What is judged together is a cluster, never the group of all of them."""
    text = path.read_text(encoding="utf-8")
    ties = re.findall(r"any_errors_fatal|max_fail_percentage|groups(?!\[spark_cluster)(?:\.\w+|\[[^]]*)", text)
    assert set(ties) == TOGETHER.get(path, set())

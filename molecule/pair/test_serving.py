# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two nodes that serve with TP=2: what must not disturb them, what must replace them, and what must bring them back."""

from __future__ import annotations

import typing as t

import pytest

from molecule.cluster import OLDER_CORE, PAIR, Played

ENGINE_ENV = {"SGLANG_USE_CPU_ENGINE": "1", "TORCHDYNAMO_DISABLE": "1", "SGLANG_CPU_OMP_THREADS_BIND": "0|1"}
ENGINE_ARGS = {"max_total_tokens": 4096, "sleep_on_idle": True}


@pytest.fixture
def undisturbed() -> t.Iterator[None]:
    """The cluster that serves before the test serves after it, and nobody restarted it."""
    before = PAIR.starts()
    yield
    assert PAIR.starts() == before
    assert PAIR.completion_tokens() > 0


def refused(played: Played, *words: str) -> None:
    assert played.code != 0
    assert not any(played.changed.values()), "something was changed"
    assert played.said(*words), f"not said: {words}"


def test_both_ranks_serve_one_model() -> None:
    assert PAIR.completion_tokens() > 0
    assert len(PAIR.generations()) == 1
    status, info = PAIR.ask("/server_info")
    assert (status, info["tp_size"], info["nnodes"]) == (200, 2, 2)


@pytest.mark.parametrize("node", PAIR.nodes)
def test_the_container_is_as_promised(node: str) -> None:
    host = PAIR.container(node)["HostConfig"]
    assert host["NetworkMode"] == "host"
    assert host["IpcMode"] == "host"
    assert host["Privileged"] is False
    assert host["Init"] is True
    assert {limit["Name"]: limit["Hard"] for limit in host["Ulimits"]} == {"memlock": -1, "stack": 67108864}


def test_check_on_a_converged_pair_tells_that_nothing_changes(undisturbed: None) -> None:
    played = PAIR.play("site.yml", "--check")
    assert (played.code, played.changed) == (0, {"spark-01": 0, "spark-02": 0})
    assert played.said("nothing, it runs as planned")


def test_status_shows_the_pair_on_one_screen(undisturbed: None) -> None:
    played = PAIR.play("status.yml")
    assert played.code == 0
    for node, health in (("spark-01", "healthy"), ("spark-02", "-")):
        row = next(line.split() for line in played.output.splitlines() if f"pair     {node}" in line)
        assert row[2:5] + row[5:7] == ["sglang", row[3], "running", "tiny-llama", health]


REFUSALS: dict[str, tuple[dict[str, t.Any], tuple[str, ...]]] = {
    "all that is wrong at once": (
        {
            "server_port": 70000,
            "server_args": {"kv_cache_dtype": "fp8", "schedule_heuristic": "lpm", "tp_size": 4},
        },
        (
            *("server_port is 70000", "1 to 65535"),
            *("kv_cache_dtype is 'fp8'", "write fp8_e4m3"),
            *("no flag", "write schedule_policy"),
            *("needs 4 GPU(s)", "have 2", "leave tp_size out"),
        ),
    ),
    "no head": ({"spark_head": ""}, ("has no head", "set spark_head")),
    "one node differs": (
        {"server_env": {**ENGINE_ENV, "NODE": "{{ inventory_hostname }}"}},
        ("The nodes come to different plans", "group variables, not on a host"),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_bad_input_is_refused_before_anything_is_touched(case: str, undisturbed: None) -> None:
    variables, words = REFUSALS[case]
    refused(PAIR.play("site.yml", **variables), *words)


def test_a_partial_limit_is_refused(undisturbed: None) -> None:
    refused(PAIR.play("site.yml", "--limit", "spark-01"), "spark-02 is left out by --limit", "--limit pair")


def test_two_heads_are_refused(undisturbed: None) -> None:
    claims = "{{ {'spark-01': 'spark-01', 'spark-02': 'spark-02'}[inventory_hostname] }}"
    refused(PAIR.play("site.yml", spark_head=claims), "needs one head, its nodes name 2", "set spark_head once")


def test_an_image_that_does_not_exist_is_refused(undisturbed: None) -> None:
    played = PAIR.play("site.yml", server_image="lmsysorg/sglang:v9.9.9")
    assert played.code != 0
    assert played.said("Image lmsysorg/sglang:v9.9.9 does not exist in its registry", "check the image's name and tag")


def test_what_docker_refuses_to_create_stops_nothing(undisturbed: None) -> None:
    played = PAIR.play("site.yml", server_mounts=[{"source": "/nowhere", "target": "/data"}])
    assert played.code != 0
    assert played.said("A folder to mount is missing", "Left as it was: nothing was touched: what ran before runs on")


CHANGES = {"server_args": {**ENGINE_ARGS, "schedule_policy": "lpm"}, "server_env": {**ENGINE_ENV, "EXTRA": "1"}}


def test_a_changed_flag_and_a_new_variable_restart_all_ranks_once() -> None:
    before = PAIR.starts()
    seen = PAIR.play("site.yml", "--check", "--diff", **CHANGES)
    assert seen.said("replace tiny-llama (generation", "--schedule-policy")
    assert PAIR.starts() == before
    played = PAIR.play("site.yml", **CHANGES)
    assert played.code == 0
    after = PAIR.starts()
    assert all(after[node] != before[node] for node in PAIR.nodes)
    assert len(PAIR.generations()) == 1
    # Who starts a rank again is the keeper, and all ranks together; never Docker, each on its own.
    policies = {PAIR.container(node)["HostConfig"]["RestartPolicy"]["Name"] for node in PAIR.nodes}
    assert policies == {"no"}


def test_stopped_and_started_it_is_the_same_plan() -> None:
    assert PAIR.play("stop.yml").code == 0
    assert not any(PAIR.container(node)["State"]["Running"] for node in PAIR.nodes)
    assert not any(PAIR.play("stop.yml").changed.values())
    ids = [PAIR.container(node)["Id"] for node in PAIR.nodes]
    assert PAIR.play("site.yml", **CHANGES).code == 0
    assert [PAIR.container(node)["Id"] for node in PAIR.nodes] == ids
    assert PAIR.completion_tokens() > 0


def test_a_smaller_server_without_the_variable_clears_the_node_that_it_leaves_idle() -> None:
    """By the oldest core; for the newest one it is the same plan."""
    played = PAIR.play("site.yml", "--diff", core=OLDER_CORE, server_nodes=1)
    assert played.code == 0
    assert "-        EXTRA: '1'" in played.output
    assert not any("EXTRA" in line for line in PAIR.container("spark-01")["Config"]["Env"])
    assert PAIR.container("spark-02") == {}
    assert PAIR.ask("/server_info")[1]["tp_size"] == 1
    started = PAIR.container("spark-01")["State"]["StartedAt"]
    again = PAIR.play("site.yml", server_nodes=1)
    assert again.changed == {"spark-01": 0, "spark-02": 0}
    assert PAIR.container("spark-01")["State"]["StartedAt"] == started
    assert PAIR.completion_tokens() > 0

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster of keepers under every fault that there is, one at a time and at random, on a clock that is not real."""

from __future__ import annotations

import itertools
import random
import typing as t
from dataclasses import dataclass, field

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._types import GAVE_UP, SERVING, STOP
from ansible_collections.dgxspark.sglang.tests.unit.keepers import GENERATION, LOAD, Cluster

# A start takes LOAD seconds, after a pause of 10 that lets every rank notice, and a few answers of keepers.
AGAIN = LOAD + 25


def serving(nnodes: int = 2, **changes: t.Any) -> Cluster:
    """Return a cluster that its keepers have brought up themselves, and that has served long enough to be proven."""
    cluster = Cluster(nnodes, **changes)
    cluster.until(lambda: cluster.state == SERVING)
    cluster.run(700)
    cluster.stops.clear()
    cluster.starts.clear()
    return cluster


def back(cluster: Cluster) -> float:
    """Return the seconds until all ranks have been started again and serve."""
    gone = cluster.until(lambda: not cluster.healthy or cluster.state != SERVING)
    return gone + cluster.until(lambda: cluster.healthy and cluster.state == SERVING)


@pytest.mark.parametrize("nnodes", [1, 2, 4])
def test_after_a_boot_all_ranks_start_together_and_serve(nnodes: int) -> None:
    cluster = Cluster(nnodes)
    cluster.until(lambda: cluster.state == SERVING)
    assert (cluster.healthy, len(cluster.starts), cluster.now < 1000 + AGAIN) == (True, nnodes, True)


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_when_one_rank_is_killed_all_start_again(rank: int) -> None:
    cluster = serving(4)
    cluster.end(rank)
    assert back(cluster) < AGAIN
    assert sorted({number for _when, number in cluster.starts}) == [0, 1, 2, 3]
    assert f"All ranks end: rank {rank} on spark-0{rank + 1} ended (exit code 137)." in cluster.lines()


def test_the_first_rank_to_end_is_named_though_the_head_s_own_end_was_seen_first() -> None:
    cluster = serving(2)
    cluster.machines[1].frozen = True  # its keeper answers late
    cluster.end(1, "ended (exit code 1). It was out of memory")
    cluster.run(8)
    cluster.machines[1].frozen = False
    cluster.run(10)
    assert [line for line in cluster.lines() if "end" in line] == [
        "All ranks end: rank 0 on spark-01 ended (exit code 137).",
        "It began there: rank 1 on spark-02 ended (exit code 1). It was out of memory.",
    ]


@pytest.mark.parametrize("ranks", [[0], [1], [0, 1]], ids=["head", "worker", "all"])
@pytest.mark.parametrize("seconds", [5, 300])
def test_after_a_loss_of_power_the_cluster_comes_back(ranks: list[int], seconds: int) -> None:
    cluster = serving()
    for rank in ranks:
        cluster.power_off(rank)
    cluster.run(seconds)
    for rank in ranks:
        cluster.power_on(rank)
    assert cluster.until(lambda: cluster.healthy and cluster.state == SERVING) < 2 * AGAIN


@pytest.mark.parametrize("rank", [0, 1])
def test_a_restart_of_docker_restarts_all_ranks(rank: int) -> None:
    cluster = serving()
    cluster.docker_off(rank)
    cluster.run(20)
    cluster.machines[rank].docker = True
    assert cluster.until(lambda: cluster.healthy and cluster.state == SERVING) < AGAIN


def test_a_wedged_server_is_started_again_after_its_patience() -> None:
    cluster = serving()
    cluster.machines[1].wedged = True
    gone = cluster.until(lambda: cluster.state != SERVING)
    assert 120 < gone < 125
    cluster.machines[1].wedged = False
    assert cluster.until(lambda: cluster.state == SERVING) < AGAIN
    assert "All ranks end: /health has not answered with 200 for 2 min 01 s." in cluster.lines()


def test_a_long_batch_is_no_fault() -> None:
    cluster = serving()
    cluster.machines[0].wedged = True
    cluster.run(110)
    cluster.machines[0].wedged = False
    cluster.run(300)
    assert (cluster.stops, cluster.starts, cluster.state) == ([], [], SERVING)


def test_a_missing_container_is_made_anew_with_all_others() -> None:
    cluster = serving()
    cluster.end(1)
    cluster.machines[1].container = None
    assert back(cluster) < AGAIN


def test_a_container_of_another_plan_gives_way_at_the_next_start() -> None:
    cluster = Cluster(2)
    for machine in cluster.machines:
        machine.keeper = False
    cluster.serve()
    container = cluster.machines[1].container
    assert container
    container.generation = "of an interrupted run"
    cluster.begin(0)
    cluster.begin(1)
    cluster.until(lambda: cluster.healthy and cluster.state == SERVING)
    assert {item.generation for item in cluster.running} == {GENERATION}


@pytest.mark.parametrize("nnodes", [1, 2, 4])
def test_what_a_run_has_started_is_taken_over_without_a_restart(nnodes: int) -> None:
    """The keepers begin one after the other, in any order, and slowly."""
    cluster = Cluster(nnodes)
    cluster.serve()
    for rank in random.Random(nnodes).sample(range(nnodes), nnodes):
        cluster.begin(rank)
        cluster.run(45)
    cluster.run(600)
    assert (cluster.stops, cluster.starts, cluster.state) == ([], [], SERVING)
    assert len({machine.memory.epoch for machine in cluster.machines if machine.memory}) == 1


@pytest.mark.parametrize("rank", [0, 1])
def test_what_serves_runs_on_though_another_keeper_never_comes(rank: int) -> None:
    """As after a run that was interrupted between the nodes, or failed on one of them."""
    cluster = Cluster(2)
    cluster.serve()
    cluster.begin(rank)
    cluster.run(5000)
    assert (cluster.stops, cluster.starts, cluster.healthy) == ([], [], True)
    cluster.begin(1 - rank)
    cluster.until(lambda: cluster.state == SERVING)
    assert (cluster.stops, cluster.starts) == ([], [])


def test_what_is_not_taken_over_yet_is_watched_with_the_same_patience() -> None:
    cluster = Cluster(2)
    cluster.serve()
    cluster.begin(0)
    cluster.run(1000)
    cluster.machines[1].wedged = True
    cluster.run(100)
    assert cluster.stops == []
    cluster.run(30)
    assert [rank for _when, rank, _healthy in cluster.stops] == [0]


def test_what_never_becomes_healthy_is_not_waited_for_without_end() -> None:
    cluster = Cluster(2)
    cluster.serve()
    cluster.machines[1].wedged = True
    cluster.begin(0)
    cluster.run(500)
    assert [rank for _when, rank, _healthy in cluster.stops] == [0]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_keeper_takes_over_what_runs(rank: int) -> None:
    cluster = serving()
    for _time in range(3):
        cluster.kill_keeper(rank)
        cluster.run(60)
    assert (cluster.stops, cluster.starts, cluster.state) == ([], [], SERVING)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_keeper_without_its_memory_takes_over_what_runs(rank: int) -> None:
    cluster = serving()
    cluster.kill_keeper(rank)
    cluster.machines[rank].kept = None
    cluster.run(120)
    assert (cluster.stops, cluster.starts, cluster.state) == ([], [], SERVING)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_keeper_that_hangs_stops_nothing_that_serves(rank: int) -> None:
    cluster = serving()
    cluster.machines[rank].frozen = True
    cluster.run(300)
    cluster.machines[rank].frozen = False
    cluster.run(60)
    assert (cluster.stops, cluster.starts, cluster.state) == ([], [], SERVING)
    assert (rank == 0) or ("Serves; no word from the keeper of spark-02." in cluster.lines())


def test_no_start_begins_without_a_worker_that_has_just_gone() -> None:
    cluster = Cluster(2)
    cluster.machines[0].unmet = ("no GPU",)
    cluster.until(lambda: "its keeper" not in cluster.machines[0].words and cluster.now > 1005)
    cluster.machines[1].leaving = True
    cluster.until(lambda: cluster.machines[1].exited == 0)
    cluster.run(2)
    cluster.machines[0].unmet = ()
    cluster.run(100)
    assert cluster.starts == []


@pytest.mark.parametrize("rank", [0, 1])
def test_who_is_stopped_stops_all_and_is_waited_for(rank: int) -> None:
    cluster = serving()
    cluster.machines[rank].leaving = True
    cluster.run(200)
    assert (cluster.running, cluster.machines[rank].exited) == ([], 0)
    cluster.begin(rank)
    assert cluster.until(lambda: cluster.healthy and cluster.state == SERVING) < AGAIN
    memory = cluster.machines[0].memory
    assert memory
    assert memory.failures == 0


@pytest.mark.parametrize("rank", [0, 1])
def test_requests_are_finished_before_a_worker_goes(rank: int) -> None:
    """Whoever is stopped, the head's engine is asked first, and no worker's before it has ended."""
    cluster = serving()
    cluster.machines[rank].leaving = True
    cluster.until(lambda: not cluster.running)
    assert next(number for _when, number, _healthy in cluster.stops) == 0
    head = cluster.machines[0].container
    worker = cluster.machines[1].container
    assert head and worker
    assert head.end <= worker.end


def test_all_nodes_that_are_stopped_at_once_stop_within_a_bound() -> None:
    cluster = serving(4)
    for machine in cluster.machines:
        machine.leaving = True
    assert cluster.until(lambda: all(machine.exited == 0 for machine in cluster.machines)) < 90


def test_a_head_that_gives_up_stops_all_and_says_why() -> None:
    cluster = Cluster(2, crash=20)
    cluster.until(lambda: cluster.machines[0].exited is not None)
    assert (cluster.machines[0].exited, cluster.running, len(cluster.starts)) == (GAVE_UP, [], 6)
    assert cluster.lines()[-1] == (
        "Gave up after 3 failed start(s) in a row; no rank runs. The last time: rank 0 on spark-01 ended (exit code 1)."
        " It was out of memory."
    )
    cluster.run(100)
    assert cluster.running == []
    assert "it last said: Gave up after 3 failed start(s) in a row" in cluster.lines(1)[-1]


def test_the_pauses_between_failed_starts_grow() -> None:
    cluster = Cluster(1, crash=20)
    cluster.until(lambda: cluster.machines[0].exited is not None)
    begun = [when for when, _rank in cluster.starts]
    assert [round(two - one, -1) for one, two in itertools.pairwise(begun)] == [80, 320]


def test_started_again_by_a_person_it_begins_afresh() -> None:
    cluster = Cluster(1, crash=20)
    cluster.until(lambda: cluster.machines[0].exited is not None)
    cluster.crash = 0
    cluster.begin(0)
    assert cluster.until(lambda: cluster.state == SERVING) < AGAIN


def test_with_no_restarts_allowed_what_ends_stays_ended() -> None:
    cluster = serving(restarts=0)
    cluster.end(1)
    cluster.until(lambda: cluster.machines[0].exited == GAVE_UP)
    assert (cluster.starts, cluster.running) == ([], [])


def test_ends_of_a_server_that_served_are_no_failed_starts() -> None:
    cluster = Cluster(2)
    for _time in range(6):
        cluster.until(lambda: cluster.state == SERVING)
        cluster.end(1)
        cluster.until(lambda: cluster.state != SERVING)
    assert cluster.until(lambda: cluster.state == SERVING) < AGAIN


def test_a_node_that_lacks_something_is_waited_for_and_is_no_failure() -> None:
    cluster = Cluster(2)
    cluster.machines[1].unmet = ("no link on rocep1s0f1",)
    cluster.run(5000)
    assert (cluster.starts, cluster.machines[0].exited) == ([], None)
    assert cluster.machines[0].words == (
        "Waits until every rank can start. spark-02: Can't start: no link on rocep1s0f1."
    )
    assert len(cluster.lines()) < 5
    cluster.machines[1].unmet = ()
    assert cluster.until(lambda: cluster.state == SERVING) < AGAIN


def test_under_a_lock_nothing_is_made_anew_and_nothing_is_stopped() -> None:
    cluster = serving()
    cluster.machines[0].lock = "ops@desk (process 7)"
    cluster.run(100)
    assert (cluster.state, cluster.stops) == (SERVING, [])
    cluster.machines[0].container = None
    cluster.run(300)
    assert cluster.starts == []
    assert cluster.machines[0].words == (
        "Waits until every rank can start. the cluster is locked by ops@desk (process 7)"
    )
    cluster.machines[0].lock = ""
    assert cluster.until(lambda: cluster.state == SERVING) < AGAIN


def test_a_lock_does_not_keep_a_dead_rank_down() -> None:
    cluster = serving()
    cluster.machines[0].lock = "ops@desk (process 7)"
    cluster.end(0)
    assert cluster.until(lambda: cluster.state == SERVING) < AGAIN


def test_a_rank_that_somebody_starts_alone_is_stopped() -> None:
    cluster = Cluster(2)
    cluster.machines[0].unmet = ("no GPU",)
    cluster.run(10)
    cluster.machines[1].container = cluster.machines[0].container = None
    for rank in (0, 1):
        cluster.machines[rank].container = type(serving().running[0])()
        cluster.restart_by_hand(rank)
        cluster.run(60)
        assert cluster.running == []


def test_a_healthy_cluster_says_nothing_for_a_week() -> None:
    cluster = serving()
    before = [len(machine.log) for machine in cluster.machines]
    cluster.run(20000)
    assert [len(machine.log) for machine in cluster.machines] == before
    assert (cluster.stops, cluster.starts) == ([], [])


@dataclass
class Trial:
    """Faults at random on one cluster, and what has to be true all along. `calm`: since when there is no fault."""

    cluster: Cluster
    random: random.Random
    later: list[tuple[float, t.Callable[[], None]]] = field(default_factory=list)
    calm: float = 0.0
    apart: int = 0
    mixed: int = 0

    def fault(self) -> None:
        cluster, rank, seconds = self.cluster, self.random.randrange(len(self.cluster.machines)), 0
        machine, seconds = cluster.machines[rank], self.random.choice((3, 20, 60, 200))
        kind = self.random.choice((
            "rank", "power", "docker", "keeper", "hang", "cut", "wedge", "hand", "removed", "lacks", "stop"
        ))  # fmt: skip
        if not machine.power:
            return
        if kind == "rank":
            cluster.end(rank)
        elif kind == "hand":
            cluster.restart_by_hand(rank)
        elif kind == "removed":
            cluster.end(rank)
            machine.container = None
        elif kind == "power":
            cluster.power_off(rank)
            self.undo(seconds, lambda: cluster.power_on(rank))
        elif kind == "docker":
            cluster.docker_off(rank)
            self.undo(seconds, lambda: setattr(machine, "docker", True))
        elif kind == "keeper":
            cluster.kill_keeper(rank, seconds)
            self.undo(seconds, lambda: None)
        elif kind == "hang":
            machine.frozen = True
            self.undo(seconds, lambda: setattr(machine, "frozen", False))
        elif kind == "wedge":
            machine.wedged = True
            self.undo(seconds, lambda: setattr(machine, "wedged", False))
        elif kind == "lacks":
            machine.unmet = ("no GPU",)
            self.undo(seconds, lambda: setattr(machine, "unmet", ()))
        elif kind == "cut" and rank:
            pair = frozenset((0, rank))
            cluster.cut.add(pair)
            self.undo(seconds, lambda: cluster.cut.discard(pair))
        elif kind == "stop":
            machine.leaving = True
            self.undo(seconds, lambda: self.again(rank))
        self.calm = cluster.now

    def again(self, rank: int) -> None:
        """What `systemctl start` does after `systemctl stop`: it waits for its end."""
        machine = self.cluster.machines[rank]
        if machine.keeper and machine.leaving:
            self.undo(1, lambda: self.again(rank))
        elif not machine.keeper and not machine.back and machine.power:
            self.cluster.begin(rank)

    def undo(self, seconds: float, step: t.Callable[[], None]) -> None:
        self.later.append((self.cluster.now + seconds, step))

    def watch(self) -> None:
        """After each second: undo what is due, and judge."""
        cluster = self.cluster
        for item in [item for item in self.later if item[0] <= cluster.now]:
            self.later.remove(item)
            item[1]()
            self.calm = cluster.now
        quiet = not self.later and all(machine.power and not machine.back for machine in cluster.machines)
        partly = 0 < len(cluster.running) < len(cluster.machines)
        self.apart = self.apart + 1 if partly and quiet else 0
        epochs = {
            machine.memory.epoch
            for machine in cluster.machines
            if machine.memory and machine.container and machine.container.running
        }
        self.mixed = self.mixed + 1 if len(epochs) > 1 and quiet else 0
        # A rank may wait for the others to join (JOIN), and gets 30 s without a word of its head.
        assert self.apart < 150, "half a cluster ran on"
        assert self.mixed < 60, "two epochs ran on"
        healthy = [stop for stop in cluster.stops if stop[0] == cluster.now and stop[2]]
        assert not healthy or cluster.now - self.calm < 130 or self.later, "a healthy cluster was stopped"


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_it_serves_in_the_end(seed: int) -> None:
    rnd = random.Random(seed)
    cluster = Cluster(rnd.choice((1, 2, 2, 4)))
    trial = Trial(cluster, rnd)
    cluster.until(lambda: cluster.state == SERVING)
    for _fault in range(rnd.randrange(1, 9)):
        trial.fault()
        cluster.run(rnd.choice((1, 5, 15, 50, 120, 400)), trial.watch)
    while trial.later:
        cluster.run(1, trial.watch)
    calm = cluster.now
    cluster.run(60, trial.watch)  # what the last fault has led to
    while not (cluster.healthy and cluster.state == SERVING):
        cluster.run(1, trial.watch)
        # A failed start of 300 s, the pause after it, and one that succeeds.
        assert cluster.now - calm < 900, "it never came back"
    stopped = len(cluster.stops)
    cluster.run(900, trial.watch)
    assert (cluster.healthy, len(cluster.stops)) == (True, stopped)


def test_the_simulated_cluster_can_fail_its_invariants() -> None:
    """The judge itself: without keepers half a cluster runs on."""
    cluster = serving()
    for machine in cluster.machines:
        machine.keeper = False
    cluster.end(1)
    machine = cluster.machines[0]
    assert machine.container
    machine.container.doomed = float("inf")  # an engine that hangs
    trial = Trial(cluster, random.Random(0))
    with pytest.raises(AssertionError, match="half a cluster"):
        cluster.run(200, trial.watch)
    assert STOP not in [stop[1] for stop in cluster.stops]

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster of keepers without machines: nodes, containers, engines and a network, in steps of one second.

Engines behave as SGLang was seen to: ranks meet once, serve after a while, and end after one of them did; a worker that
is asked to end waits for its head; one that never meets the others gives up.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._common import resume
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._step import step
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._types import (
    ABSENT,
    EXIT,
    LOOKING,
    OTHER,
    OTHER_UP,
    START,
    STOP,
    STOPPED,
    UNKNOWN,
    UP,
    Action,
    Health,
    Memory,
    Own,
    Peer,
    Seen,
    Settings,
    Told,
)

GENERATION = "aaaa0000aaaa"
LOAD, ECHO, MEET, BOOT = 40.0, 5.0, 300.0, 30.0


def settings(rank: int, nnodes: int = 2, **changes: t.Any) -> Settings:
    peers = tuple(Peer(f"spark-0{number + 1}", number, f"192.168.100.1{number + 1}") for number in range(nnodes))
    given = {"instance": "sglang", "cluster": "alpha", "generation": GENERATION, "rank": rank, "peers": peers}
    bounds = {"start_limit": 420.0, "stop_timeout": 60, "patience": 120.0, "restarts": 3}
    return Settings(**{**given, **bounds, **changes})


def last_good(**changes: t.Any) -> dict[str, t.Any]:
    """Return a last good plan of rank 1 of two, as far as a keeper reads it."""
    peers = [{"node": f"spark-0{rank + 1}", "rank": rank, "address": f"192.168.100.1{rank + 1}"} for rank in (0, 1)]
    keep = {
        "rank": 1,
        "nnodes": 2,
        "cluster": "alpha",
        "peers": peers,
        "watch_port": 40000,
        "rails": ["rocep1s0f1"],
        "rdma": True,
        "gpus": "all",
        "addresses": ["192.168.100.12"],
        "start_limit": 430,
        "stop_timeout": 60,
        "patience": 120,
        "restarts": 3,
        "earlier": [],
        "api": {"host": "0.0.0.0", "port": 30000, "tls": False},
    }
    server = {
        "name": "sglang",
        "image": "example/sglang:v0.5.23",
        "image_id": "sha256:5a9d1c1f1a0b7f9c",
        "model_path": "~spark/ai/models/tiny",
        "cache_dir": "",
        "state_dir": "/etc/dgxspark-sglang",
        "mounts": [{"source": "~spark/x", "target": "/x"}],
    }
    gate = {
        "name": "sglang",
        "rank": 1,
        "nnodes": 2,
        "served_model_name": "tiny",
        "model_path": "/models/tiny",
        "tp_size": 2,
        "sglang": "0.5.23",
        "rails": ["rocep1s0f1"],
        "moe_files": [],
        "port": 30000,
        "limit": 430,
    }
    return {"generation": GENERATION, "server": server, "gate": gate, "keep": {**keep, **changes}}


@dataclass
class Container:
    """The container of one rank. `group`: which meeting of all ranks its engine belongs to; `epoch`: what the keeper
    started it for, which nobody in the cluster can see."""

    generation: str = GENERATION
    running: bool = False
    start: float = -1.0
    end: float = -1.0
    words: str = ""
    group: int = 0
    epoch: str = ""
    doomed: float = 0.0


@dataclass
class Machine:
    """One node with its keeper. What is in /run is gone when its power is."""

    settings: Settings
    power: bool = True
    docker: bool = True
    keeper: bool = True
    frozen: bool = False
    wedged: bool = False
    enabled: bool = True
    leaving: bool = False
    exited: int | None = None
    unmet: tuple[str, ...] = ()
    lock: str = ""
    container: Container | None = None
    memory: Memory | None = None
    kept: Memory | None = None
    told: dict[int, Told] = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    action: Action | None = None
    until: float = 0.0
    fault: str = ""
    back: float = 0.0
    stepped: float = 0.0
    log: list[tuple[float, str]] = field(default_factory=list)
    words: str = ""


class Cluster:
    """`crash`: seconds after which an engine that loads ends by itself (a model that does not fit), 0 for never."""

    def __init__(self, nnodes: int = 2, crash: float = 0.0, **changes: t.Any) -> None:
        self.now, self.tokens, self.meetings = 1000.0, 0, 0
        self.crash = crash
        self.machines = [Machine(settings(rank, nnodes, **changes)) for rank in range(nnodes)]
        self.met: dict[int, float] = {}
        self.cut: set[frozenset[int]] = set()
        self.stops: list[tuple[float, int, bool]] = []
        self.starts: list[tuple[float, int]] = []

    # What happens to it

    def serve(self) -> None:
        """Bring it to where a run of Ansible leaves it: all containers serve, and no keeper runs yet."""
        self.meetings += 1
        for machine in self.machines:
            machine.container = Container(running=True, start=self.now - 100, group=self.meetings)
            machine.keeper = False
        self.met[self.meetings] = self.now - 90

    def begin(self, rank: int) -> None:
        """systemctl start."""
        machine = self.machines[rank]
        machine.keeper, machine.leaving, machine.exited, machine.memory = True, False, None, None
        machine.told, machine.health, machine.action, machine.fault = {}, Health(), None, ""

    def kill_keeper(self, rank: int, seconds: float = 5.0) -> None:
        machine = self.machines[rank]
        if machine.keeper:
            machine.keeper, machine.action = False, None
            machine.back = self.now + seconds

    def end(self, rank: int, words: str = "ended (exit code 137)") -> None:
        container = self.machines[rank].container
        if container and container.running:
            container.running, container.end, container.words = False, self.now, words

    def power_off(self, rank: int) -> None:
        machine = self.machines[rank]
        self.end(rank, "ended (exit code 255)")
        machine.power = machine.keeper = False
        machine.memory, machine.kept, machine.action, machine.leaving = None, None, None, False
        machine.told, machine.back = {}, 0.0

    def power_on(self, rank: int) -> None:
        machine = self.machines[rank]
        machine.power = machine.docker = True
        if machine.enabled:
            machine.back = self.now + BOOT

    def docker_off(self, rank: int) -> None:
        self.end(rank)
        self.machines[rank].docker = False

    def restart_by_hand(self, rank: int) -> None:
        container = self.machines[rank].container
        if container:
            container.running, container.start, container.group, container.doomed = True, self.now, 0, 0.0

    # What is true of it

    @property
    def running(self) -> list[Container]:
        return [item.container for item in self.machines if item.container and item.container.running]

    @property
    def healthy(self) -> bool:
        groups = {item.group for item in self.running}
        whole = len(self.running) == len(self.machines) and len(groups) == 1 and 0 not in groups
        return (
            whole
            and self.now - self.met[groups.pop()] >= LOAD
            and not any(machine.wedged for machine in self.machines)
            and not self.cut
        )

    @property
    def state(self) -> str:
        memory = self.machines[0].memory
        return memory.state if memory else ""

    def lines(self, rank: int = 0) -> list[str]:
        return [line for _when, line in self.machines[rank].log]

    def run(self, seconds: float, each: t.Callable[[], None] = lambda: None) -> None:
        for _second in range(int(seconds)):
            self.tick()
            each()

    def until(self, condition: t.Callable[[], bool], limit: float = 2000.0) -> float:
        """Run until something is so, and return the seconds that it took."""
        begin = self.now
        while not condition():
            assert self.now - begin < limit, "\n".join(map(str, [item.log[-8:] for item in self.machines]))
            self.tick()
        return self.now - begin

    # How it works

    def tick(self) -> None:
        self.now += 1.0
        self._engines()
        for rank, machine in enumerate(self.machines):
            if machine.back and self.now >= machine.back and machine.power:
                machine.back = 0.0
                self.begin(rank)
            self._carry_out(machine)
        for rank, machine in enumerate(self.machines):
            if machine.keeper and not machine.frozen:
                self._step(rank, machine)

    def _engines(self) -> None:
        loose = [item for item in self.running if not item.group]
        if len(loose) == len(self.machines) and not self.cut:
            self.meetings += 1
            self.met[self.meetings] = self.now
            for item in loose:
                item.group = self.meetings
        for rank, machine in enumerate(self.machines):
            item = machine.container
            if not item or not item.running:
                continue
            mates = [other for other in self.running if other.group == item.group]
            if item.group and len(mates) < len(self.machines) and not item.doomed and not machine.wedged:
                item.doomed = self.now + ECHO
            if not item.group and self.now - item.start > MEET:
                self.end(rank, "ended (exit code 1). It did not meet the others")
            elif item.doomed and self.now >= item.doomed:
                self.end(rank)
            elif self.crash and item.group and self.now - self.met[item.group] >= self.crash:
                self.end(rank, "ended (exit code 1). It was out of memory")

    def _carry_out(self, machine: Machine) -> None:
        if not machine.action or self.now < machine.until:
            return
        action, machine.action = machine.action, None
        if not machine.docker:
            machine.fault = "Docker does not answer"
        elif action.kind == STOP:
            self.end(machine.settings.rank, "ended (exit code 0)")
        elif machine.container and machine.container.running and machine.container.generation == GENERATION:
            pass
        else:
            old = machine.container or Container()
            epoch = machine.memory.epoch if machine.memory else ""
            machine.container = Container(running=True, start=self.now, end=old.end, epoch=epoch)
            self.starts.append((self.now, machine.settings.rank))

    def _own(self, machine: Machine) -> Own:
        item = machine.container
        if not machine.docker:
            return Own(UNKNOWN, words="Docker does not answer.")
        if item is None:
            return Own(ABSENT)
        start, end = (str(when) if when >= 0 else "" for when in (item.start, item.end))
        if item.generation != GENERATION:
            return Own(OTHER_UP if item.running else OTHER, start)
        return Own(UP if item.running else STOPPED, start, end, item.words)

    def _ask(self, machine: Machine) -> None:
        """Each other keeper is asked every two seconds; one that was stopped itself first sees what it saw before."""
        for peer in machine.settings.others:
            before = machine.told.get(peer.rank)
            if before:
                machine.told[peer.rank] = replace(before, missed=before.missed + 1)
            other = self.machines[peer.rank]
            reached = other.keeper and not other.frozen and other.power
            if reached and frozenset((machine.settings.rank, peer.rank)) not in self.cut and other.memory:
                said = other.memory
                machine.told[peer.rank] = Told(
                    peer.rank, said.generation, said.state, said.epoch, other.words, said.fall, self.now
                )

    def _look(self, rank: int, machine: Machine, own: Own) -> Seen:
        thawed, machine.stepped = self.now - machine.stepped > 1, self.now
        if int(self.now) % 2 == rank % 2 and not thawed:
            self._ask(machine)
        if rank == 0 and own.status == UP and not thawed:
            at = self.now if self.healthy else (machine.health.at if machine.health.start == own.start else 0.0)
            machine.health = Health(own.start, at, passed=at > 0, phase="loading weights")
        self.tokens += 1
        return Seen(
            own=own,
            unmet=machine.unmet,
            told=dict(machine.told),
            health=machine.health,
            busy=machine.action is not None,
            fault=machine.fault,
            lock=machine.lock,
            head_serves=rank > 0 and self.healthy,
            leaving=machine.leaving,
            token=f"e{self.tokens}",
        )

    def _step(self, rank: int, machine: Machine) -> None:
        own = self._own(machine)
        memory = machine.memory or Memory(GENERATION, LOOKING, born=self.now)
        if memory.state == LOOKING and own.status != UNKNOWN:
            memory = resume(machine.settings, machine.kept, own, self.now)
        turn = step(machine.settings, memory, self._look(rank, machine, own), self.now)
        machine.memory = machine.kept = turn.memory
        machine.words = turn.words
        machine.log += [(self.now, line) for line in turn.lines]
        for action in turn.actions:
            if action.kind == EXIT:
                machine.keeper, machine.exited, machine.memory, machine.kept = False, action.number, None, None
                machine.told = {}
                continue
            machine.fault, machine.action = "", replace(action)
            slow = action.kind == STOP and rank > 0 and bool(self.machines[0].container and self._head_runs(machine))
            machine.until = self.now + (float(action.number) if slow else 2.0 if action.kind == STOP else 1.0)
            if action.kind == STOP:
                self.stops.append((self.now, rank, self.healthy))
            else:
                assert action.kind == START

    def _head_runs(self, machine: Machine) -> bool:
        head, mine = self.machines[0].container, machine.container
        return bool(head and mine and head.running and head.group == mine.group)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated cluster to be broken: the tools of the faults, and the watch over what comes of it."""

from __future__ import annotations

import datetime
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from ansible_collections.dgxspark.sglang.molecule.cluster import LAB, Cluster, Played
from ansible_collections.dgxspark.sglang.tests.faults.fault import CLEANLY_STOPPED, Fault
from ansible_collections.dgxspark.sglang.tests.faults.invariant import Look, Rank, Unit, reached, violations
from ansible_collections.dgxspark.sglang.tests.faults.record import Record, missing, quote

FOLDER = Path(__file__).resolve().parent
INSTANCE, UNIT, STATE_DIR = "sglang", "dgxspark-sglang@sglang.service", "/etc/dgxspark-sglang"
# What a person would wait two minutes for; the same in every play, so that no run changes it.
SETTINGS: dict[str, t.Any] = {"server_patience": 30, "server_restarts": 2}
# Where a play shows that something is wrong, from the damage on.
_RED = re.compile(r"fatal:|FAILED!|UNREACHABLE!|Gate failed")
_PROGRAMS = {name: (FOLDER / "on_node" / f"{name}.py").read_text() for name in ("look", "kill_at")}


class Run:
    """A playbook at work in the background; every line with the moment when it came."""

    def __init__(self, cluster: Cluster, playbook: str, *more: str) -> None:
        self.playbook, self._begin = playbook, time.monotonic()
        self.lines: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        # In a session of its own: it can be killed with all of its forks, as when its machine dies.
        self.process = cluster.start(playbook, *more, apart=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._changed:
                self.lines.append((time.monotonic(), line))
                self._changed.notify_all()

    def until(self, pattern: str, seconds: float = 120, times: int = 1) -> None:
        """Wait until the play has printed that many lines with `pattern`."""
        end, seen, found = time.monotonic() + seconds, 0, 0
        while True:
            with self._changed:
                if len(self.lines) == seen:
                    self._changed.wait(0.5)
                new, seen = self.lines[seen:], len(self.lines)
            found += sum(bool(re.search(pattern, line)) for _at, line in new)
            if found >= times:
                return
            assert self.process.poll() is None or new, f"{self.playbook} ended without {pattern!r}:\n{self.output}"
            assert time.monotonic() < end, f"{self.playbook} did not say {pattern!r} in {seconds} s:\n{self.output}"

    def wait(self, seconds: float = 600) -> Played:
        self.process.wait(timeout=seconds)
        self._reader.join(timeout=10)
        print(self.output)
        return Played.of(self.process.returncode, self.output, time.monotonic() - self._begin)

    def kill(self) -> None:
        """SIGKILL to the play and its forks, all at once; nothing of ours when it has ended."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=10)
            self._reader.join(timeout=10)

    @property
    def output(self) -> str:
        return "".join(line for _at, line in list(self.lines))

    def first_red(self, since: float) -> float | None:
        return next((at for at, line in list(self.lines) if at >= since and _RED.search(line)), None)


class Scene:
    """One fault on one cluster: what it was before, what was done, what people were told, and what came of it."""

    own: t.ClassVar[str] = ""  # the generation of what the inventory asks for

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.head, *self.workers = cluster.nodes
        self.worker = self.workers[-1] if self.workers else self.head
        self.undo = ExitStack()
        self.before = Look(())
        self.broke = 0.0
        self.noticed: float | None = None
        self.runs: list[Run] = []
        self.told: list[str] = []
        self.wrong: list[str] = []
        self._attended = threading.Event()

    # Before

    def prepare(self, serving: bool) -> None:
        """Have the cluster serve its own model, or have nothing run, at the least cost."""
        look = self.look()
        if serving and not self._is_own(look):
            assert self.play("site.yml").code == 0, "the cluster could not be brought up before the fault"
            # Keepers take over a moment after a run.
            self.cluster.wait_until(lambda: not violations(self.look()), 60)
            look = self.look()
            Scene.own = look.ranks[0].generation
        if not serving and not look.stopped:
            assert self.play("stop.yml").code == 0
            look = self.look()
        assert look.serving is serving, f"before the fault: {look}"
        self.runs, self.told, self.wrong = [], [], []
        self.before = look
        self.broke = time.monotonic()

    @staticmethod
    def _is_own(look: Look) -> bool:
        """Whether what serves is what the inventory asks for. What serves at the beginning is taken for that."""
        if not look.serving or violations(look):
            return False
        Scene.own = Scene.own or look.ranks[0].generation
        return look.ranks[0].generation == Scene.own

    # Damage

    def breaks(self) -> None:
        """From now on counts: called right before the damage. While no play is at work, keepers are watched."""
        alone = all(run.process.poll() is not None for run in self.runs)
        calm = _units(self._ranks()) if alone else {}
        self._attended.set()
        self._attended = threading.Event()
        self.broke = time.monotonic()
        if alone:
            threading.Thread(target=self._watch, args=(calm, self._attended), daemon=True).start()

    def _watch(self, calm: dict[str, tuple[str, str]], attended: threading.Event) -> None:
        """Find out when a keeper first shows something else than before."""
        while not attended.wait(0.5):
            if any(calm.get(node) != shown for node, shown in _units(self._ranks()).items()):
                self.noticed = self.noticed or time.monotonic()
                return

    def sh(self, node: str, script: str) -> str:
        return self.cluster.run(node, "sh", "-c", script).strip()

    def each(self, do: t.Callable[[str], t.Any]) -> None:
        """Do it to all nodes at the same time."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(do, self.cluster.nodes))

    def kill_engine(self, node: str, number: str = "KILL") -> None:
        """End the engine's main process, as the kernel's OOM killer does."""
        self.breaks()
        self.sh(node, f"kill -{number} $(pgrep --oldest --full '^python3 -m sglang.launch_server')")

    def kill_engine_at(self, node: str, line: str = "") -> None:
        """Wait for another start of the container than that of before, and a line in its log; then kill the engine."""
        started = next((rank.started_at for rank in self.before.ranks if rank.node == node), "")
        killed = float(self.cluster.run(node, "python3", "-c", _PROGRAMS["kill_at"], INSTANCE, started, line))
        # All clocks are the machine's, and the word of it takes its time.
        self.broke = time.monotonic() - (time.time() - killed)

    def wait_for_start(self, node: str, seconds: float = 120) -> None:
        """Wait until the container on a node was started anew."""
        started = {rank.node: rank.started_at for rank in self.before.ranks}[node]
        state = "{{.State.Running}} {{.State.StartedAt}}"
        show = f"docker inspect --format '{state}' {INSTANCE} 2> /dev/null || true"

        def anew() -> bool:
            running, _blank, at = self.sh(node, show).partition(" ")
            return running == "true" and at != started

        self.cluster.wait_until(anew, seconds)

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(seconds)

    def pause(self, node: str) -> None:
        """Freeze every process of the container: it holds its connections and answers nothing."""
        self.breaks()
        self.sh(node, f"docker pause {INSTANCE}")
        self.undo.callback(self.sh, node, f"docker unpause {INSTANCE} 2> /dev/null || true")

    def power(self, node: str, state: str) -> None:
        """Cut a node's power, or switch it on and wait until ssh answers."""
        if state == "off":
            self.undo.callback(self.power, node, "on")
        subprocess.run([*LAB, "power", node, state], check=True, capture_output=True, timeout=120)

    def lose_power(self, *nodes: str, seconds: float = 3) -> None:
        self.breaks()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: self.power(node, "off"), nodes))
            time.sleep(seconds)
            list(pool.map(lambda node: self.power(node, "on"), nodes))

    def reboot(self, *nodes: str) -> None:
        self.breaks()
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.cluster.reboot, nodes))

    def without_ssh(self, node: str) -> None:
        """Drop everything that comes to the node's port of ssh: connections hang, new ones get no answer."""
        self.breaks()
        rule = "INPUT -i enP7s7 -p tcp --dport 22 -j DROP"
        self.sh(node, f"iptables -I {rule}")
        self.undo.callback(self.sh, node, f"while iptables -D {rule} 2> /dev/null; do :; done")

    def full_disk(self, node: str, folder: str, size: str = "256k") -> None:
        """Put a small, full file system over a folder, with what was in it; the machine's own disk is not touched."""
        self.breaks()
        disk, filler = "/run/fault-disk", "fault-filler"
        mount = f"mkdir -p {disk}; mount -t tmpfs -o size={size},mode=0700 tmpfs {disk}; cp -a {folder}/. {disk}/"
        back = f"umount --lazy {folder}; rm -f {disk}/{filler}; rsync -a --delete {disk}/ {folder}/"
        self.undo.callback(self.sh, node, f"{back}; umount --lazy {disk}")
        self.sh(node, f"set -e; {mount}; mount --bind {disk} {folder}")
        self.sh(node, f"dd if=/dev/zero of={folder}/{filler} bs=4k 2> /dev/null || true")

    def repair(self) -> None:
        """Take the damage back now, where the end is what comes after that."""
        self.undo.close()

    # Plays

    def play(self, playbook: str, on: Cluster | None = None, **variables: t.Any) -> Played:
        return self.finish(self.begin(playbook, on, **variables))

    def begin(self, playbook: str, on: Cluster | None = None, **variables: t.Any) -> Run:
        """Start a playbook on the cluster, or as another inventory knows it."""
        self._attended.set()
        run = Run(on or self.cluster, playbook, "-e", json.dumps({**SETTINGS, **variables}))
        self.undo.callback(run.kill)
        self.runs.append(run)
        return run

    def finish(self, run: Run) -> Played:
        """Wait for its end. A green one of those that bring up has to be true at that moment."""
        played = run.wait()
        self.told.append(played.output)
        if played.code == 0 and run.playbook in ("site.yml", "switch_model.yml") and not self.look().serving:
            self.wrong.append(f"{run.playbook} was green, and the cluster does not serve: {self.look().words}")
        return played

    def refused(self, playbook: str, on: Cluster | None = None, **variables: t.Any) -> Played:
        """Play what must be refused: red, and nothing changed anywhere."""
        played = self.play(playbook, on, **variables)
        if played.code == 0:
            self.wrong.append(f"{playbook} was green")
        if any(played.changed.values()):
            self.wrong.append(f"{playbook} changed something: {played.changed}")
        return played

    def red(self, played: Played) -> None:
        if played.code == 0:
            self.wrong.append("the play was green")

    def green(self, played: Played) -> None:
        if played.code != 0:
            self.wrong.append("the play was red")

    # Watch

    def look(self) -> Look:
        ranks = self._ranks()
        at, tokens, error = time.monotonic(), 0, ""
        try:
            tokens = self.cluster.completion_tokens(timeout=10)
        except (OSError, http.client.HTTPException, AssertionError, ValueError, KeyError, TypeError) as problem:
            error = f"{type(problem).__name__}: {problem}"
        return Look(ranks, tokens, error, at)

    def _ranks(self) -> tuple[Rank, ...]:
        with ThreadPoolExecutor() as pool:
            return tuple(pool.map(self._look_at, self.cluster.nodes))

    def _look_at(self, node: str) -> Rank:
        program = ["python3", "-c", _PROGRAMS["look"], INSTANCE, UNIT, STATE_DIR]
        try:
            seen = json.loads(self.cluster.run(node, *program))
        except (subprocess.SubprocessError, ValueError):
            return Rank(node, reachable=False)
        return Rank(node=node, **{**seen, "unit": Unit(**seen["unit"]), "locks": tuple(seen["locks"])})

    def journal(self) -> str:
        """Return what the keepers wrote since the damage."""
        since = f"-{int(time.monotonic() - self.broke) + 2}s"
        read = f"journalctl --quiet --output=cat --unit={UNIT} --since={since} 2> /dev/null || true"
        said = []
        for node in self.cluster.nodes:
            try:
                said.append(self.sh(node, read))
            except subprocess.SubprocessError:
                continue
        return "\n".join(said)

    def judge(self, fault: Fault) -> Record:
        """Wait for the end that the fault must have, see that it stays, and write down what there was."""
        record = Record(fault.name, fault.group, fault.breaks, fault.ends, fault.engine, fault.quick, fault.nodes)
        look, over = self._wait(fault)
        self._attended.set()
        record.over = round(over - self.broke, 1) if over else None
        if over:
            time.sleep(fault.holds)
            look = self.look()
            if not reached(fault.ends, self.before, look):
                self.wrong.append(f"it did not stay {fault.ends}: {look.words}")
        else:
            self.wrong.append(f"not {fault.ends} after {time.monotonic() - self.broke:.0f} s: {look.words}")
        self.wrong += violations(look)
        self._ask_at_the_nodes(look)
        if fault.ends == CLEANLY_STOPPED:
            self._ask_status()
        journal = self.journal()
        text = "\n".join([*self.told, journal, look.words])
        self.wrong += [f"nobody was told {word!r}" for word in missing(text, fault.says)]
        record.found = fault.ends if over else _shown(look)
        record.words = quote(text, fault.says)
        record.noticed = self._noticed()
        if fault.told and (record.noticed is None or record.noticed > fault.told):
            self.wrong.append(f"shown after {record.noticed} s, needed are {fault.told:.0f}")
        record.wrong = list(self.wrong)
        record.date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        print(journal)
        return record

    def _wait(self, fault: Fault) -> tuple[Look, float | None]:
        end = time.monotonic() + fault.within
        while True:
            look = self.look()
            if reached(fault.ends, self.before, look):
                return look, look.at
            if look.at > end:
                return look, None
            time.sleep(0.5)

    def _noticed(self) -> float | None:
        reds = [at for run in self.runs if (at := run.first_red(self.broke))]
        first = min([*reds, *([self.noticed] if self.noticed else [])], default=None)
        return round(first - self.broke, 1) if first else None

    def _ask_at_the_nodes(self, look: Look) -> None:
        """A person at a node is told the same: spark-serve ends with 0 only where a rank of a serving cluster runs."""
        ask = f"spark-serve status -i {INSTANCE} > /dev/null 2>&1; echo $?"
        for rank in (one for one in look.ranks if one.reachable):
            status = self.sh(rank.node, ask)
            if (status == "0") is not look.serving:
                self.wrong.append(f"spark-serve status ends with {status} on {rank.node}, serving is {look.serving}")

    def _ask_status(self) -> None:
        """A cluster that does not serve is not called healthy by anybody."""
        played = self.play("status.yml")
        if re.search(r"(?<!not )\bhealthy\b", played.output):
            self.wrong.append("status.yml calls a stopped cluster healthy")


def _units(ranks: tuple[Rank, ...]) -> dict[str, tuple[str, str]]:
    return {rank.node: (rank.unit.active, rank.unit.status) for rank in ranks if rank.reachable}


def _shown(look: Look) -> str:
    if look.serving:
        return "serving"
    return "stopped" if look.stopped else "neither serving nor stopped"

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper itself: looks, decides, acts, remembers and tells, once a second."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import sys
import threading
import time
import typing as t
from dataclasses import replace

from .._errors import SparkError
from ..keeper._common import resume
from ..keeper._conditions import first_others
from ..keeper._kept import Kept
from ..keeper._step import step
from ..keeper._told import answer, recall, remembered
from ..keeper._types import EXIT, GAVE_UP, LOOKING, UNKNOWN, Memory, Own, Seen, Turn
from ._files import digest_of
from ._keeper_eyes import ContainerLook, HeadLook, HealthLook
from ._keeper_files import Place, load
from ._keeper_hands import Hands
from ._keeper_talk import Asker, Listener
from ._notify import longer, notify, status
from ._terminal import report

_TICK = 1.0
_PLAN_EVERY = 5.0  # seconds between two looks at the plan on disk
_RELOAD_WAIT = 30.0  # seconds that a new program waits for an action of the old one
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


class Reload(Exception):
    """The keeper is to begin anew, in the same process, and to take over what runs."""


class Keeper:
    """Keeps one rank until it is asked to leave, or gives up. `plan` reads the plan on disk again; `say` is the log."""

    def __init__(self, kept: Kept, place: Place, plan: t.Callable[[], Kept], say: t.Callable[[str], None]) -> None:
        self._kept, self._place, self._plan, self._say = kept, place, plan, say
        settings, self._began = kept.settings, time.monotonic()
        self._wake, self._leaving, self._again = threading.Event(), False, False
        here = settings.peers[settings.rank].address
        self._listener = (
            Listener(here, kept.watch_port, lambda: json.dumps(self._answer())) if kept.watch_port else None
        )
        self._askers = [Asker(settings, peer, kept.watch_port) for peer in settings.others] if kept.watch_port else []
        self._eyes = ContainerLook(kept, lambda: self._listener.error if self._listener else "")
        self._hands = Hands(kept)
        self._health = None if settings.rank else HealthLook(kept, lambda: self._eyes.latest()[1])
        self._head = HeadLook(kept, self._quiet) if settings.rank else None
        self._memory = Memory(settings.generation, LOOKING, born=self._began, since=self._began)
        self._earlier = recall(place.memory())
        self._words, self._saved, self._shown = "Looks at its container.", "", ""
        self._program = digest_of(sys.argv[0])

    def leave(self, *_signal: t.Any) -> None:
        """Stop the rank, then end."""
        self._leaving = True
        self._wake.set()

    def reload(self, *_signal: t.Any) -> None:
        """Begin anew as soon as no action is under way."""
        self._again = True
        self._wake.set()

    def run(self) -> int:
        """Return the exit status. Raises Reload when a new program or plan is to take over."""
        for thread in (self._listener, self._eyes, self._hands, self._health, self._head, *self._askers):
            if thread:
                thread.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)  # from here on they reach this thread, and no other one
        checked = self._began
        while True:
            turn = self._step()
            for action in turn.actions:
                if action.kind == EXIT:
                    self._place.remember("")
                    notify("STOPPING=1", status(turn.words))
                    return action.number
                self._hands.give(action)
            notify("READY=1", "WATCHDOG=1", status(turn.words))
            if self._leaving:
                notify("STOPPING=1", longer(self._kept.settings.stop_timeout + 60))
            if time.monotonic() - checked > _PLAN_EVERY:
                self._again, checked = self._again or self._changed(), time.monotonic()
            if self._again and self._free() and self._deaf():
                raise Reload
            self._wake.wait(_TICK)
            self._wake.clear()

    def _step(self) -> Turn:
        settings, now = self._kept.settings, time.monotonic()
        begun, own, unmet = self._eyes.latest()
        if self._memory.state == LOOKING and own.status != UNKNOWN:
            self._memory = resume(settings, self._earlier, own, now)
        seen = Seen(
            own=own if begun else Own(words="It has not answered yet."),
            unmet=unmet if settings.rank else (*unmet, *self._first_others(now)),
            told={asker.peer.rank: asker.told for asker in self._askers if asker.told},
            busy=self._hands.busy or begun <= self._hands.ended,
            fault=self._hands.fault,
            lock="" if settings.rank else self._place.lock(settings.cluster),
            head_serves=bool(self._head and self._head.serves),
            leaving=self._leaving,
            token=secrets.token_hex(6),
        )
        if self._health:
            seen = replace(seen, health=self._health.health)
        turn = step(settings, self._memory, seen, now)
        self._memory, self._words = turn.memory, turn.words
        did, self._hands.did = self._hands.did, ""
        for line in (did, *turn.lines):
            if line:
                self._say(line)
        self._remember()
        return turn

    def _first_others(self, now: float) -> tuple[str, ...]:
        found = {name: self._place.before(name) for name in self._kept.earlier}
        return first_others(found, now - self._began, self._kept.settings.start_limit)

    def _remember(self) -> None:
        """Write what has changed, before anything is done about it."""
        text = remembered(replace(self._memory, said="", tried=0.0, looked=0.0))
        if text != self._saved and self._memory.state != LOOKING:
            self._place.remember(text)
            self._saved = text
        shown = json.dumps({**self._answer(), "peers": self._peers(), "program": self._program}, indent=1) + "\n"
        if shown != self._shown:
            self._place.tell(shown)
            self._shown = shown

    def _answer(self) -> dict[str, t.Any]:
        memory = self._memory
        # Of two clocks, so to ten seconds: else it would be another one every second.
        since = round(time.time() - (time.monotonic() - memory.since), -1)
        return answer(self._kept.settings, memory, self._words, since)

    def _peers(self) -> list[dict[str, t.Any]]:
        return [
            {"node": asker.peer.node, "rank": asker.peer.rank, "state": asker.told.state}
            for asker in self._askers
            if asker.told
        ]

    def _quiet(self) -> float:
        """Return for how long a worker has not heard its head."""
        told = self._askers[0].told if self._askers else None
        return time.monotonic() - max(told.heard if told else 0.0, self._began)

    def _changed(self) -> bool:
        """Whether a run has written another plan. One that is gone, or is no plan, changes nothing here."""
        with contextlib.suppress(SparkError):
            return self._plan() != self._kept
        return False

    def _free(self) -> bool:
        """Whether no action is under way, or one has been for too long."""
        return not self._hands.busy or time.monotonic() - self._memory.tried > _RELOAD_WAIT

    def _deaf(self) -> bool:
        """Let signals wait for who takes over. Return whether none has come that this keeper has to follow itself."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        if self._leaving:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return not self._leaving


def keep(state_dir: str, instance: str) -> int:
    """Keep an instance's rank on this node. Return the exit status. Raises Reload."""

    def broken(what: threading.ExceptHookArgs) -> None:
        """A keeper that has lost one of its threads ends: systemd starts it again, and it takes over what runs."""
        report(f"A fault of the keeper itself: {what.exc_type.__name__}: {what.exc_value}")
        os._exit(1)

    threading.excepthook = broken
    try:
        kept, place = load(state_dir, instance), Place(instance)
        with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as file:
            file.write("spark-keeper")  # as `ps` and `ss` show it
        with place.claim():
            keeper = Keeper(kept, place, lambda: load(state_dir, instance), report)
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # what comes now waits until somebody listens
            signal.signal(signal.SIGTERM, keeper.leave)
            signal.signal(signal.SIGINT, keeper.leave)
            signal.signal(signal.SIGHUP, keeper.reload)
            return keeper.run()
    except SparkError as error:
        report(str(error))
        notify(status(str(error)))
        return GAVE_UP


def again() -> t.NoReturn:
    """Begin anew as the same process: systemd sees no end, and the engine none either."""
    words = "Begins anew with another program or plan."
    report(words)
    notify(status(words))
    os.execv(sys.executable, sys.orig_argv)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a keeper looks at, each in a thread of its own: whatever hangs, the keeper itself goes on."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import typing as t
from dataclasses import replace

from .._errors import SparkError
from .._text import redact
from ..keeper._conditions import Facts, unmet
from ..keeper._kept import Kept
from ..keeper._types import ABSENT, FOREIGN, OTHER, OTHER_UP, STOPPED, UNKNOWN, UP, Health, Own
from ..server import _gate
from ..server._container import Observed
from ..server._phases import phase_of
from ._docker import Docker
from ._http import Api
from ._rank import api_key

_EVERY = 1.0  # seconds between two looks at the container
_STALE = 15.0  # seconds after which a look no longer tells how things are: Docker hangs
_STARTING_EVERY, _SERVING_EVERY = 2.0, 15.0  # seconds between two questions to the API
_SILENT = 15.0  # seconds without a word of the head after which a worker asks its API
_TAIL = 25  # lines of last words
_GPUS = "/proc/driver/nvidia/gpus"
_INFINIBAND = "/sys/class/infiniband"


class ContainerLook(threading.Thread):
    """Looks at this rank's container, and at what a start needs. `listener`: tells why this keeper can't be heard."""

    def __init__(self, kept: Kept, listener: t.Callable[[], str]) -> None:
        super().__init__(daemon=True)
        self._kept, self._listener = kept, listener
        self._engine: Docker | None = None
        self._seen: tuple[float, Own, tuple[str, ...]] = (0.0, Own(), ())
        self._words: tuple[tuple[str, str], str, bool] = (("", ""), "", False)

    def latest(self) -> tuple[float, Own, tuple[str, ...]]:
        """Return when the last look began, the container, and what a start lacks. A hanging Docker tells nothing."""
        begun, own, lacking = self._seen
        if begun and time.monotonic() - begun > _STALE:
            return begun, Own(UNKNOWN, words="Docker does not answer."), lacking
        return begun, own, lacking

    def run(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                self._engine = self._engine or Docker()
                self._seen = (begun, *self._look(self._engine))
            except SparkError as error:
                self._engine = None
                self._seen = (begun, Own(UNKNOWN, words=error.problems[0].what), ())
            time.sleep(_EVERY)

    def _look(self, engine: Docker) -> tuple[Own, tuple[str, ...]]:
        name = self._kept.settings.instance
        found = engine.container(name)
        own = self._own(engine, found)
        if own.runs:
            return own, ()
        facts = facts_of(self._kept)
        image = own.status == STOPPED or bool(engine.image_id(self._kept.server["image_id"]))
        facts = replace(facts, image=image, foreign=own.status == FOREIGN, listener=self._listener())
        return own, unmet(self._kept, facts)

    def _own(self, engine: Docker, found: Observed | None) -> Own:
        if found is None:
            return Own(ABSENT)
        if found.spec is None:
            return Own(FOREIGN)
        runs = found.status in ("running", "paused", "restarting")
        start, end = (when if when > "0002" else "" for when in (found.started_at, found.finished_at))
        if found.generation != self._kept.settings.generation:
            return Own(OTHER_UP if runs else OTHER, start)
        if runs or not start:
            return Own(UP if runs else STOPPED, start)
        if self._words[0] != (start, end):
            self._words = ((start, end), *self._last_words(engine, found))
        return Own(STOPPED, start, end, self._words[1], self._words[2])

    def _last_words(self, engine: Docker, found: Observed) -> tuple[str, bool]:
        log = engine.tail(self._kept.settings.instance, found.started_at, _TAIL)
        verdict = _gate.judge_container(self._kept.expectation(found), found, log)
        if verdict is None:
            return "ended", False
        what = verdict.reason.removeprefix(f"rank {self._kept.settings.rank} ")
        hint = f" Next step: {verdict.hint}" if verdict.hint else ""
        return redact(f"{what}{hint}"), verdict.echo


def facts_of(kept: Kept) -> Facts:
    """Return what the node has of what a start needs, as far as files and addresses tell it."""
    return Facts(
        gpu=_lists(_GPUS) or os.path.exists("/dev/nvidia0"),
        rails={rail: _text(f"{_INFINIBAND}/{rail}/ports/1/state") for rail in kept.rails},
        addresses={address: _has(address) for address in kept.addresses},
        model=os.path.isdir(kept.server["model_path"]),
    )


def _lists(path: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(os.listdir(path))
    return False


def _text(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read().strip()
    return ""


def _has(address: str) -> bool:
    """Whether an interface has this address: only then can it be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return True
    return False


class HealthLook(threading.Thread):
    """Asks the API of rank 0: until it has proven to be ours for everything the gate asks, then for its health."""

    def __init__(self, kept: Kept, own: t.Callable[[], Own]) -> None:
        super().__init__(daemon=True)
        self._kept, self._own = kept, own
        self._engine: Docker | None = None
        self.health = Health()

    def run(self) -> None:
        while True:
            try:
                self._look(self._own())
            except SparkError:
                self._engine = None
            time.sleep(_SERVING_EVERY if self.health.passed else _STARTING_EVERY)

    def _look(self, own: Own) -> None:
        if own.status != UP:
            return
        before = self.health if self.health.start == own.start else Health(own.start)
        key = api_key(self._kept.server["state_dir"], self._kept.settings.instance)
        api = Api(self._kept.host, self._kept.port, key, self._kept.tls)
        if before.passed:
            status = api.health()
            self.health = replace(before, at=time.monotonic()) if status == 200 else before
            return
        self.health = before
        self._engine, name = self._engine or Docker(), self._kept.settings.instance
        found = self._engine.container(name)
        if found is None or found.started_at != own.start:
            return
        log = self._engine.log(name, own.start, int(self._kept.settings.start_limit))
        before = replace(before, phase=str(phase_of(log)))
        expected, gate = self._kept.expectation(found), self._kept.gate
        answers = api.answers(expected.served_model_name, bool(gate.get("embedding")))
        # It may have been renewed since the plan was kept; who shows one, it is on this node.
        verdict = _gate.judge_answers(replace(expected, certificate=answers.certificate), answers)
        passed, refused = verdict.state == _gate.PASSED, verdict.reason if verdict.state == _gate.FAILED else ""
        self.health = replace(before, passed=passed, refused=refused, at=time.monotonic() if passed else before.at)


class HeadLook(threading.Thread):
    """Asks the head's API, of which a worker has had no word for a while, over the rails."""

    def __init__(self, kept: Kept, quiet: t.Callable[[], float]) -> None:
        super().__init__(daemon=True)
        self._kept, self._quiet = kept, quiet
        self.serves = False

    def run(self) -> None:
        head = self._kept.settings.peers[0].address
        while True:
            if self._quiet() > _SILENT:
                self.serves = Api(head, self._kept.port, tls=self._kept.tls).health() == 200
            else:
                self.serves = False
            time.sleep(_STARTING_EVERY)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a keeper does, one action at a time, in a thread: Docker may take a minute to stop a container."""

from __future__ import annotations

import threading
import time
import typing as t

from .._errors import SparkError
from ..keeper._kept import Kept
from ..keeper._types import START, STOP, Action
from ..server._container import build, decide, refuse_foreign
from ..server._secrets import TLS_PEM, secret_dir, secrets_of, speaks_tls, used
from ._docker import Docker
from ._files import read_private, write_private
from ._rank import act, former_pem


class Hands(threading.Thread):
    """Carries out actions. `busy`: from the moment one is given until it is over; `ended`: when that was.

    `fault`: why the last one failed; `did`: what it did beyond starting or stopping.
    """

    def __init__(self, kept: Kept) -> None:
        super().__init__(daemon=True)
        self._kept, self._given = kept, threading.Event()
        self._action: Action | None = None
        self.busy, self.ended, self.fault, self.did = False, 0.0, "", ""

    def give(self, action: Action) -> None:
        self.busy, self.fault, self._action = True, "", action
        self._given.set()

    def run(self) -> None:
        while True:
            self._given.wait()
            self._given.clear()
            try:
                if self._action:
                    self._carry_out(self._action)
            except SparkError as error:
                self.fault = "; ".join(str(problem).replace("\n ", "") for problem in error.problems)
            except OSError as error:
                self.fault = str(error)
            self.ended, self.busy = time.monotonic(), False

    def _carry_out(self, action: Action) -> None:
        engine, name = Docker(), self._kept.settings.instance
        if action.kind == STOP:
            engine.stop(name, action.number)
        elif action.kind == START:
            self._start(engine)

    def _start(self, engine: Docker) -> None:
        """Start the container as it is when it is the kept plan's; else make it anew from the plan."""
        params, found = self._kept.server, engine.container(self._kept.settings.instance)
        refuse_foreign(params["name"], found)
        if found and found.running and found.generation == self._kept.settings.generation:
            return
        if found and found.generation == self._kept.settings.generation:
            act(engine, "start", None, params)
            return
        secrets = used(params["args"], self._secrets())
        wanted = build(params, engine.image_id(params["image_id"]), secrets)
        if not wanted.image_id:
            raise SparkError(f"Image {params['image']} is not on this node.", "run site.yml.")
        self.did = "Its container was missing, or of another plan; it was made anew from the last good plan."
        for step in decide("started", wanted, found):
            act(engine, step, wanted, params)

    def _secrets(self) -> t.Mapping[str, str]:
        server, own = self._kept.server, (str(self._kept.server["state_dir"]), self._kept.server["name"])
        files = read_private(secret_dir(*own))
        former = former_pem(*own)
        if former and speaks_tls(server["args"]) and TLS_PEM not in files:
            files[TLS_PEM] = former  # a run that took TLS away was interrupted
            write_private(secret_dir(*own), files)
        try:
            return secrets_of(files)
        except ValueError as error:
            raise SparkError("The secret files can't be read.", "run site.yml, which writes them again.") from error

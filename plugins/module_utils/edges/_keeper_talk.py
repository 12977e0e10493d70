# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How keepers ask each other: whoever connects gets one line, and nothing that it sends is read."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import typing as t
from dataclasses import replace

from ..keeper._told import LONGEST, heard
from ..keeper._types import Peer, Settings, Told

_EVERY = 2.0  # seconds between two questions
_LIMIT = 3.0  # seconds for an answer
_AGAIN = 5.0  # seconds until a port that could not be had is tried again


class Listener(threading.Thread):
    """Answers at this node's own address. `error`: why it can't be heard, empty when it can."""

    def __init__(self, address: str, port: int, answer: t.Callable[[], str]) -> None:
        super().__init__(daemon=True)
        self._place, self._answer = (address, port), answer
        self.error = ""

    def run(self) -> None:
        while True:
            try:
                self._serve()
            except OSError as error:
                told = os.strerror(error.errno) if error.errno else str(error)
                self.error = f"{self._place[0]} port {self._place[1]}: {told}"
            time.sleep(_AGAIN)

    def _serve(self) -> None:
        family = socket.AF_INET6 if ":" in self._place[0] else socket.AF_INET
        with socket.create_server(self._place, family=family, backlog=16) as server:
            self.error = ""
            while True:
                talk = server.accept()[0]
                with contextlib.suppress(OSError), talk:
                    talk.settimeout(_LIMIT)
                    talk.sendall(self._answer().encode() + b"\n")


def ask(address: str, port: int) -> str:
    """Return what a keeper answers; empty when it does not within the limit."""
    end, text = time.monotonic() + _LIMIT, b""
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=_LIMIT) as talk:
        while len(text) < LONGEST and not text.endswith(b"\n"):
            talk.settimeout(max(0.01, end - time.monotonic()))
            part = talk.recv(LONGEST)
            if not part:
                break
            text += part
        return text.decode(errors="replace")
    return ""


class Asker(threading.Thread):
    """Asks the keeper of one other rank again and again. `told`: its last answer, None when it never gave one."""

    def __init__(self, settings: Settings, peer: Peer, port: int) -> None:
        super().__init__(daemon=True)
        self._settings, self.peer, self._port = settings, peer, port
        self.told: Told | None = None

    def run(self) -> None:
        while True:
            said = heard(self._settings, self.peer, ask(self.peer.address, self._port), time.monotonic())
            missed = replace(self.told, missed=self.told.missed + 1) if self.told else None
            self.told = said or missed
            time.sleep(_EVERY)

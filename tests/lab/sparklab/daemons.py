# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Background programs of the lab. Only a process that we recorded and still recognise is ever signalled."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import config, ui


class Daemon:
    """One background program, known by a pid file and by an argument that only the lab gives."""

    def __init__(self, name: str, argv: Sequence[str], mark: str, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.argv = list(argv)
        self.mark = mark
        self.environment = dict(environment or {})
        self.pid_file = config.RUN / f"{name}.lab-pid"

    def pid(self) -> int | None:
        """The pid, if that process lives and is ours: a pid alone may have been given to another program."""
        try:
            pid = int(self.pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except (OSError, ValueError):
            return None
        return pid if any(self.mark in word for word in command) else None

    def start(self) -> bool:
        """Start it unless it runs; True when it was started now."""
        if self.pid():
            return False
        config.RUN.mkdir(parents=True, exist_ok=True)
        config.LOGS.mkdir(parents=True, exist_ok=True)
        with (config.LOGS / f"{self.name}.log").open("ab") as log:
            process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | self.environment,
            )
        self.pid_file.write_text(str(process.pid))
        while not self.pid() and process.poll() is None:
            time.sleep(0.01)  # the new program's arguments appear in /proc a moment after it was started
        return True

    def stop(self, seconds: float = 30) -> bool:
        """SIGTERM, and SIGKILL after a bound; True when there was something to stop."""
        pid = self.pid()
        if pid is None:
            self.pid_file.unlink(missing_ok=True)
            return False
        for number, bound in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
            if self.pid():
                os.kill(pid, number)
            end = time.monotonic() + bound
            while self.pid() and not self._reaped(pid) and time.monotonic() < end:
                time.sleep(0.05)
        if self.pid() and not self._reaped(pid):
            raise ui.LabError(f"{self.name} (pid {pid}) does not end")
        self.pid_file.unlink(missing_ok=True)
        return True

    @staticmethod
    def _reaped(pid: int) -> bool:
        """True once it has ended, also when it was a child of this very program."""
        try:
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            return False

    def log_tail(self) -> str:
        path = config.LOGS / f"{self.name}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-15:]) if path.exists() else ""

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal of one owner on a node, and the guard that takes a run's changes back unless they are confirmed."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ._errors import SparkError
from ._files import replace
from ._host_commands import return_script
from ._reversible import Change, Entry, dump, parse

RUN = "/run/dgxspark-sglang"


class Journal:
    """A file below the state folder, of mode 0600 in folders of 0700. There is none when nothing was changed."""

    def __init__(self, state_dir: str, owner: str) -> None:
        self._folders = (state_dir, f"{state_dir}/journal")
        self.path = f"{state_dir}/journal/{owner}.json"

    def text(self) -> str | None:
        try:
            with open(self.path, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def read(self) -> tuple[Entry, ...]:
        text = self.text()
        return () if text is None else parse(text)

    def write(self, entries: t.Sequence[Entry]) -> None:
        """Write the journal; remove it, and folders that it leaves empty, when it has no entry."""
        if not entries:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
                for folder in reversed(self._folders):
                    os.rmdir(folder)
            return
        for folder in self._folders:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        if self.text() != dump(entries):
            replace(self.path, dump(entries))


class Guard:
    """A timer of systemd on the node. It needs no connection and no controller to do its work."""

    def __init__(self, run: t.Callable[..., tuple[int, str, str]], owner: str) -> None:
        self._run, self._unit = run, f"dgxspark-sglang-return-{owner}"
        self._script, self._note = f"{RUN}/{owner}.return", f"{RUN}/{owner}.returned"

    def arm(self, seconds: int, changes: t.Sequence[Change], journal: Journal) -> None:
        os.makedirs(RUN, mode=0o700, exist_ok=True)
        self.disarm()
        replace(self._script, return_script(changes, journal.path, journal.text(), self._note), 0o700)
        timer = [f"--on-active={seconds}s", "--timer-property=AccuracySec=1s"]
        command = ["systemd-run", "--quiet", f"--unit={self._unit}", *timer, "/bin/sh", self._script]
        status, output, error = self._run(command)
        if status != 0:
            raise SparkError(
                f"The guard of the change could not be set: {(error or output).strip()}",
                "nothing was changed; look at `systemctl status` on the node.",
            )

    def armed(self) -> bool:
        return os.path.exists(self._script) and not os.path.exists(self._note)

    def begin(self) -> None:
        """Start from what is confirmed: what an earlier run left under the guard is taken back first."""
        self.go_back()
        self.disarm()

    def go_back(self, effects: bool = True) -> bool:
        """Take back at once what is under the guard. Return whether there is something."""
        armed = self.armed()
        if armed and effects:
            self._run(["systemctl", "stop", f"{self._unit}.timer"])
            self._run(["/bin/sh", self._script])
            self.disarm()
        return armed

    def confirm(self, effects: bool) -> bool:
        """Keep the changes. Return whether there was something to confirm. Raises SparkError when it is too late."""
        if os.path.exists(self._note):
            raise SparkError(
                "The node went back to what it had before, because nobody confirmed the change in time.",
                "the connection broke while it was tested: check addresses and rules, and run again.",
            )
        armed = self.armed()
        if effects:
            self.disarm()
        return armed

    def disarm(self) -> None:
        if os.path.exists(self._script):
            self._run(["systemctl", "stop", f"{self._unit}.timer"])
        for path in (self._script, self._note):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of the lock: who this run is, and whether the run that has the lock is still there."""

from __future__ import annotations

import getpass
import os
import platform
import typing as t
import uuid
from pathlib import Path

from ansible import constants, context
from ansible.plugins.action import ActionBase

from ..plugin_utils._preload import preload

preload()

_ZOMBIE = "Z"


class ActionModule(ActionBase):
    """Runs the module cluster_lock for this run; once more when who has the lock is known to be gone."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        purpose = ", ".join(filter(None, [playbooks(), self._task.args.get("purpose")]))
        args = {**self._task.args, "purpose": purpose, "holder": this_run()}
        seen = self._execute_module(module_args=args, task_vars=task_vars)
        other = seen.get("lock", {}).get("holder", {})
        if args.get("state", "held") == "held" and other and other["run"] != args["holder"]["run"] and gone(other):
            seen = self._execute_module(module_args={**args, "gone": other["run"]}, task_vars=task_vars)
        return {**result, **seen}


def this_run() -> dict[str, t.Any]:
    """Return the holder that this run is. A task runs in a process of its own, whose parent is the run."""
    pid = os.getppid()
    return {
        "user": user(),
        "host": platform.node(),
        "pid": pid,
        "birth": birth(pid),
        "place": place(),
        "run": Path(constants.DEFAULT_LOCAL_TMP).name,  # made for each run, with random letters
    }


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that has no name
        return str(os.getuid())


def playbooks() -> str:
    """Return the playbooks of this run as they were named."""
    named = context.CLIARGS.get("args", ())
    return ", ".join(Path(name).name for name in named) if isinstance(named, (list, tuple)) else ""


def place() -> str:
    """Return what is the same for two processes that see each other by the same IDs."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # no Linux
        return f"{platform.node()} {uuid.getnode():x}"


def birth(pid: int) -> str:
    """Return when a process began, in ticks since the boot; empty where that can't be told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()  # the name before it may hold blanks
    return _ZOMBIE if fields[0] == _ZOMBIE else fields[19]


def gone(holder: t.Mapping[str, t.Any]) -> bool:
    """Whether a run has ended for sure. Of a run on another machine, or before its last boot, nothing is known."""
    if holder["place"] != place():
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # somebody else's, whom /proc may hide
    now = birth(holder["pid"])
    return bool(now and holder["birth"]) and now != holder["birth"]

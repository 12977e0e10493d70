# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of the gate: look at this rank again and again, show progress, end with the other ranks."""

from __future__ import annotations

import json
import os
import threading
import time
import typing as t
from pathlib import Path

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._text import duration
from ..module_utils.server._gate import FAILED, PASSED, UNREACHABLE, WAITING, Report, root_cause

display = Display()

_HOLD = 5.0  # seconds that one look lasts on the node when nothing happens
_PAUSES = (1.0, 3.0, 0.0)  # seconds after each failed try to look at the node; after the last one the rank has failed
_PEERS_EVERY = 0.2  # seconds between two looks at what the other ranks reported
_LAST_LOOK = 60.0  # seconds that a look may hang after the limit
_SHOW_EVERY = 15.0  # seconds after which a phase that lasts is shown again


class Board:
    """What the ranks of one gate tell each other on the controller, where each has a process of its own.

    A folder of this run's temporary files: one report a node, written once. Nothing waits for a node that has not
    come, so fewer forks than nodes are slow but no deadlock.
    """

    def __init__(self, *key: str) -> None:
        self.folder = Path(constants.DEFAULT_LOCAL_TMP) / ("gate-" + "-".join(part for part in key if part))
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def post(self, report: dict[str, t.Any]) -> None:
        new = self.folder / f".{report['node']}.{os.getpid()}"
        new.write_text(json.dumps(report), encoding="utf-8")
        new.rename(self.folder / report["node"])

    def reports(self) -> list[Report]:
        return [
            Report(**json.loads(path.read_text(encoding="utf-8")))
            for path in self.folder.iterdir()
            if not path.name.startswith(".")
        ]


class ActionModule(ActionBase):
    """Runs the module sglang_gate on the node until the cluster's fate is known."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        self.task_vars = task_vars or {}
        self.node = str(self.task_vars["inventory_hostname"])
        self.args = dict(self._task.args)
        self.limit = float(self.args.get("limit", 900))
        self.rank = int(self.args.get("rank", 0))
        self.begin = time.monotonic()
        self.shown, self.shown_at, self.passed = "", 0.0, False
        # The task's own id separates a second gate of the same play (after going back to the last good plan).
        self.board = Board(str(self.args.get("cluster", "")), str(self.args.get("name", "")), str(self._task._uuid))
        while True:
            result = self._look()
            report, phase = result["report"], result["phase"]
            if report["state"] == PASSED:
                self.passed = True
            if report["state"] != WAITING:
                self.board.post(report)
            if report["state"] == FAILED or self._all_passed():
                return self._end(report, phase)
            if self._peer_failed():
                return self._end(
                    {**report, "reason": f"{self._peer_failed()} failed; this rank can't serve alone."}, phase
                )
            if self._elapsed() > self.limit:
                # Who has passed is not to blame: the missing rank is named by its own report, or by its silence.
                return self._end(report if self.passed else self._late(report, phase), phase)
            self._show("ready, waiting for the other ranks" if self.passed else phase)

    def _look(self) -> dict[str, t.Any]:
        """Return one look. A look that lasts is left behind as soon as the other ranks have decided the matter."""
        answer: dict[str, t.Any] = {}
        looking = threading.Thread(target=lambda: answer.update(self._ask_node()), daemon=True)
        looking.start()
        while looking.is_alive():
            looking.join(_PEERS_EVERY)
            if looking.is_alive() and (self._peer_failed() or self._all_passed()):
                state = PASSED if self.passed else WAITING
                return {"report": self._report(state, "", "its last look was not waited for"), "phase": self.shown}
            if looking.is_alive() and self._elapsed() > self.limit + _LAST_LOOK:
                gone = self._report(FAILED, UNREACHABLE, "its node does not answer.", "check its power and network.")
                return {"report": gone, "phase": self.shown}
        return answer

    def _ask_node(self) -> dict[str, t.Any]:
        asked = {**self.args, "hold": _HOLD, "seen": PASSED if self.passed else self.shown}
        result: dict[str, t.Any] = {}
        for pause in _PAUSES:  # a broken connection is no dead rank: only several in a row count
            try:
                result = self._execute_module(module_args=asked, task_vars=self.task_vars)
            except Exception as error:  # the connection may break in any way
                result = {"msg": str(error)}
            if "report" in result:
                return {"report": {**result["report"], "node": self.node}, "phase": result["phase"]}
            time.sleep(pause)
        reason = f"could not be looked at: {result.get('msg', result)}"
        return {"report": self._report(FAILED, UNREACHABLE, reason, "check the node and its ssh."), "phase": ""}

    def _report(self, state: str, step: str, reason: str, hint: str = "") -> dict[str, t.Any]:
        empty = {"log_tail": [], "finished_at": "", "echo": False}
        return {
            "node": self.node,
            "rank": self.rank,
            "state": state,
            "step": step,
            "reason": reason,
            "hint": hint,
            **empty,
        }

    def _all_passed(self) -> bool:
        passed = [report for report in self.board.reports() if report.state == PASSED]
        return len(passed) == int(self.args.get("nnodes", 1))

    def _peer_failed(self) -> str:
        cause = root_cause(report for report in self.board.reports() if report.node != self.node)
        return f"rank {cause.rank} on {cause.node}" if cause else ""

    def _late(self, report: dict[str, t.Any], phase: str) -> dict[str, t.Any]:
        late = f"not ready within {duration(self.limit)}; last seen: {phase or 'nothing'}, {report['reason']}"
        hint = report["hint"] or "read its log; when it only needs longer, raise server_start_timeout."
        return {**report, "state": FAILED, "step": report["step"] or "health", "reason": late, "hint": hint}

    def _end(self, report: dict[str, t.Any], phase: str) -> dict[str, t.Any]:
        self.board.post(report)
        word = "passed every check" if report["state"] == PASSED else report["reason"]
        display.display(f"  {self.node} rank {self.rank}: {word} (after {duration(self._elapsed())})")
        return {"changed": False, "report": report, "phase": phase, "elapsed": round(self._elapsed(), 1)}

    def _show(self, phase: str) -> None:
        now = time.monotonic()
        if phase != self.shown or now - self.shown_at >= _SHOW_EVERY:
            self.shown, self.shown_at = phase, now
            times = f"{duration(self._elapsed())} of at most {duration(self.limit)}"
            display.display(f"  {self.node} rank {self.rank}: {phase} ({times})")

    def _elapsed(self) -> float:
        return time.monotonic() - self.begin

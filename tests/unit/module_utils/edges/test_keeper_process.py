# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper as a process, as systemd starts it, stops it, and gives it a new program; its engine is a file."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.tests.unit.builders import IMAGE_ID, REPO, server_params
from ansible_collections.dgxspark.sglang.tests.unit.keepers import last_good

PACKAGE = "ansible_collections.dgxspark.sglang.plugins.module_utils.edges"
HARNESS = """\
import json, sys
from pathlib import Path
from {package} import _keeper, _keeper_eyes, _keeper_files, _keeper_hands
from ansible_collections.dgxspark.sglang.tests.unit.module_utils.edges.test_keeper import container

class Engine:
    record = Path(sys.argv[1]) / "engine.json"
    def container(self, name):
        known = json.loads(self.record.read_text())
        return container(status=known["status"]) if known["status"] else None
    def tail(self, name, since, count):
        return []
    def log(self, name, since, seconds):
        return []
    def stop(self, name, timeout):
        self.record.write_text(json.dumps({{"status": "exited", "did": ["stop", timeout]}}))

for module in (_keeper_eyes, _keeper_hands):
    module.Docker = Engine
_keeper_files.RUN = sys.argv[1]
_keeper_files.Place.__init__.__defaults__ = (sys.argv[1],)
try:
    sys.exit(_keeper.keep(sys.argv[1], "sglang"))
except _keeper.Reload:
    _keeper.again()
"""


class Process:
    """A keeper, and what it tells its service manager."""

    def __init__(self, folder: Path) -> None:
        raw = last_good(gpus="none", rails=[], addresses=[], rank=0)
        raw["keep"]["peers"] = [{"node": "spark-01", "rank": 0, "address": ""}]
        raw["server"] = server_params(state_dir=str(folder), image_id=IMAGE_ID)
        (folder / "sglang.last_good.json").write_text(json.dumps(raw))
        self.record = folder / "engine.json"
        self.record.write_text(json.dumps({"status": "running"}))
        self.heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.heard.bind(str(folder / "notify"))
        self.heard.settimeout(60)
        harness = folder / "harness.py"
        harness.write_text(HARNESS.format(package=PACKAGE))
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(folder / "notify"),
            "PYTHONPATH": str(REPO / ".collections"),
        }
        command = [sys.executable, str(harness), str(folder)]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def until(self, words: str) -> None:
        """Read what it tells until it tells this."""
        while words not in self.heard.recv(4096).decode():
            pass

    def end(self) -> tuple[int, list[str]]:
        _output, errors = self.process.communicate(timeout=60)
        self.heard.close()
        return self.process.returncode, errors.splitlines()


@pytest.fixture
def process(tmp_path: Path) -> t.Iterator[Process]:
    made = Process(tmp_path)
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def test_a_new_program_takes_over_in_the_same_process_and_sigterm_stops_the_rank(process: Process) -> None:
    process.until("READY=1")
    process.until("STATUS=Found its container running")
    process.process.send_signal(signal.SIGHUP)
    process.until("STATUS=Begins anew with another program or plan.")
    process.until("STATUS=Found its container running")
    assert json.loads(process.record.read_text())["status"] == "running"
    process.process.send_signal(signal.SIGTERM)
    process.until("STOPPING=1")
    status, lines = process.end()
    assert (status, json.loads(process.record.read_text())["did"]) == (0, ["stop", 60])
    assert lines[-2:] == ["Asked to stop: it finishes its requests first.", "Stopped."]
    assert lines.count("Found its container running; takes it over as soon as it is healthy.") == 2


def test_a_signal_that_comes_at_any_time_stops_the_rank(process: Process) -> None:
    """Also while the program begins anew: what is sent then waits."""
    process.until("READY=1")
    process.process.send_signal(signal.SIGHUP)
    process.process.send_signal(signal.SIGTERM)
    assert process.end()[0] == 0
    assert json.loads(process.record.read_text())["did"] == ["stop", 60]


def test_no_other_thread_takes_a_signal_from_the_one_that_listens(process: Process) -> None:
    """One that did would take it from the program that begins anew, too: it would be lost."""
    process.until("READY=1")
    blocked = {}
    for task in Path(f"/proc/{process.process.pid}/task").iterdir():
        found = dict(line.split(":", 1) for line in (task / "status").read_text(encoding="utf-8").splitlines())
        mask = int(found["SigBlk"], 16)
        blocked[int(task.name)] = {one for one in (1, 2, 15) if mask >> (one - 1) & 1}
    assert len(blocked) > 1
    assert blocked.pop(process.process.pid) == set()
    assert all(mask == {1, 2, 15} for mask in blocked.values())

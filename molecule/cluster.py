# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated cluster as its tests see it: play a playbook, look at the containers, ask the API."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import time
import typing as t
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
LAB = [sys.executable, str(REPO / "tests" / "lab" / "lab.py")]
_RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", re.MULTILINE)
# The programs of the newest ansible-core, and of the oldest one that the tests have.
CORE = Path(sys.executable).parent
OLDER_CORE = REPO / ".venv-2.19" / "bin"


@dataclass(frozen=True)
class Played:
    """How a playbook ended: exit code, everything it printed, and the changed tasks of each host."""

    code: int
    output: str
    changed: dict[str, int]
    seconds: float

    @classmethod
    def of(cls, code: int, output: str, seconds: float) -> Played:
        changed = {host: int(count) for host, count in _RECAP.findall(output)}
        return cls(code, output, changed, seconds)

    def said(self, *words: str) -> bool:
        """Whether the output has all of `words`, however lines were broken."""
        flat = re.sub(r"\s+", " ", self.output)
        return all(re.sub(r"\s+", " ", word) in flat for word in words)


@functools.cache
def _host_of(inventory: Path, node: str) -> str:
    """Ask Ansible once: it takes a second, and an inventory stays as it is."""
    argv = [str(CORE / "ansible-inventory"), "-i", str(inventory), "--host", node]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Cluster:
    """A cluster by its inventory file; `nodes` in order of rank."""

    inventory: Path
    nodes: tuple[str, ...]

    def start(self, playbook: str, *more: str, core: Path = CORE, apart: bool = False) -> subprocess.Popen[str]:
        """Start a playbook; `apart`: in a session of its own, so that it can be ended with all of its forks."""
        argv = [str(core / "ansible-playbook"), "-i", str(self.inventory), playbook, *more]
        env = {**os.environ, "ANSIBLE_CONFIG": str(REPO / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        return subprocess.Popen(
            argv,
            cwd=REPO,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=apart,
        )

    def play(self, playbook: str, *more: str, core: Path = CORE, **variables: t.Any) -> Played:
        """Play a playbook with extra variables and return how it ended."""
        begin = time.monotonic()
        extra = ["-e", json.dumps(variables)] if variables else []
        process = self.start(playbook, *more, *extra, core=core)
        output = process.communicate(timeout=600)[0]
        print(output)  # pytest shows it when the test fails
        return Played.of(process.returncode, output, time.monotonic() - begin)

    def run(self, node: str, *command: str) -> str:
        """Run a command as root on a node and return what it printed."""
        return subprocess.run(
            [*LAB, "exec", node, "--", *command], check=True, capture_output=True, text=True, timeout=120
        ).stdout

    def ssh(self, node: str, to: str) -> tuple[int, str]:
        """Log in from a node to another as the serving user; return ssh's exit status and what was said."""
        script = f"runuser -u spark -- ssh -o BatchMode=yes -o ConnectTimeout=10 {to} hostname 2>&1; echo $?"
        said = self.run(node, "sh", "-c", script).splitlines()
        return int(said[-1]), "\n".join(said[:-1])

    def reboot(self, node: str) -> None:
        """Reboot a node and wait until systemd has started everything."""
        before = self.run(node, "cat", "/proc/sys/kernel/random/boot_id")
        self.run(node, "systemctl", "reboot")
        self.wait_until(lambda: self._try(node, "cat", "/proc/sys/kernel/random/boot_id") not in ("", before), 60)
        self.wait_until(lambda: "running" in self._try(node, "systemctl", "is-system-running", "--wait"), 120)

    def _try(self, node: str, *command: str) -> str:
        try:
            return self.run(node, *command)
        except subprocess.CalledProcessError:
            return ""

    @staticmethod
    def wait_until(true: t.Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"waited {seconds} s in vain"
            time.sleep(0.5)

    def container(self, node: str, name: str = "sglang") -> dict[str, t.Any]:
        """Return Docker's own words on a container; empty when there is none."""
        try:
            return dict(json.loads(self.run(node, "docker", "inspect", name))[0])
        except subprocess.CalledProcessError:
            return {}

    def starts(self) -> dict[str, str]:
        """Return when each rank was started: equal twice means that nobody restarted it."""
        return {node: self.container(node)["State"]["StartedAt"] for node in self.nodes}

    def generations(self) -> set[str]:
        return {self.container(node)["Config"]["Labels"]["dgxspark.sglang.generation"] for node in self.nodes}

    def ask(
        self, path: str, body: t.Any = None, key: str = "", port: int = 30000, timeout: float = 60
    ) -> tuple[int, t.Any]:
        """Ask the head's API over the management network, as a client does."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://{self.head_address()}:{port}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return response.status, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, None

    def head_address(self) -> str:
        return str(self.variables_of(self.nodes[0])["ansible_host"])

    def variables_of(self, node: str) -> dict[str, t.Any]:
        return dict(json.loads(self.inventory_of(node)))

    def inventory_of(self, node: str) -> str:
        """Return a node's inventory variables as JSON."""
        return _host_of(self.inventory, node)

    def completion_tokens(self, key: str = "", timeout: float = 60) -> int:
        """Return how many tokens one chat completion has."""
        body = {"model": "tiny-llama", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
        status, answer = self.ask("/v1/chat/completions", body, key, timeout=timeout)
        assert status == 200, status
        return int(answer["usage"]["completion_tokens"])


SINGLE = Cluster(REPO / "inventories" / "lab" / "single.yml", ("spark-01",))
PAIR = Cluster(REPO / "inventories" / "lab" / "hosts.yml", ("spark-01", "spark-02"))

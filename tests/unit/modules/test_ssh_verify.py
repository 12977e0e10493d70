# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How ssh_verify asks ssh, with a program in its place."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.modules import ssh_verify

# Says yes to the host `good`, hangs for `slow`, and tells with which arguments it was called for every other.
PROGRAM = """\
#!/bin/sh
case "$*" in
  *" good true") exit 0 ;;
  *" slow true") exec sleep 30 ;;
esac
echo "$*" >&2
echo "spark@10.0.0.12: Permission denied (publickey)." >&2
exit 255
"""


@pytest.fixture(autouse=True)
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ssh"
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


def targets(*hosts: str) -> list[dict[str, str]]:
    return [{"node": f"of-{host}", "host": host} for host in hosts]


def test_every_way_is_tried_and_a_failed_one_is_told() -> None:
    answer = ssh_verify.verify(targets("good", "bad", "slow"), timeout=1)
    assert answer["reached"] == ["good"]
    assert [(one["node"], one["host"], one["words"], one["meaning"]) for one in answer["failed_ways"]] == [
        ("of-bad", "bad", "spark@10.0.0.12: Permission denied (publickey).", "the node does not accept the key"),
        ("of-slow", "slow", "not answered within 1 s", "that address does not answer"),
    ]


def test_nothing_is_asked_and_nothing_but_keys_in_files_counts() -> None:
    words = ssh_verify.attempt(targets("bad")[0], 7).words.splitlines()[0]
    assert {"-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oIdentityAgent=none", "-oConnectTimeout=7"} <= set(
        words.split()
    )
    assert words.endswith("-- bad true")


def test_no_target_is_no_failure() -> None:
    assert ssh_verify.verify([], timeout=1) == {"reached": [], "failed_ways": []}


def test_without_a_client_that_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert ssh_verify.attempt(targets("good")[0], 1).words == "there is no ssh on this machine (package openssh-client)"


def test_two_logins_at_a_time_are_tried_on_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """sshd drops connections when too many have not logged in yet; each of four nodes tries this one."""
    now, most, lock = [0], [0], threading.Lock()

    def log_in(host: str, timeout: int, options: tuple[str, ...]) -> tuple[int, str]:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return 0, ""

    monkeypatch.setattr(ssh_verify, "log_in", log_in)
    hosts = [f"way-{number}" for number in range(6)]
    answer = ssh_verify.verify([{"node": "spark-02", "host": host} for host in hosts], timeout=1)
    assert (answer["reached"], most[0]) == (hosts, 2)

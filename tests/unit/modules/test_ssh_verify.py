# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How ssh_verify asks ssh, with a program in its place."""

from __future__ import annotations

import typing as t
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


class Module:
    def __init__(self, ssh: Path, hosts: t.Sequence[str]) -> None:
        self.ssh = str(ssh)
        self.params = {"targets": [{"node": f"of-{host}", "host": host} for host in hosts], "timeout": 1}

    def get_bin_path(self, name: str, required: bool) -> str:
        return self.ssh


@pytest.fixture
def ssh(tmp_path: Path) -> Path:
    program = tmp_path / "ssh"
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(0o755)
    return program


def test_every_way_is_tried_and_a_failed_one_is_told(ssh: Path) -> None:
    answer = ssh_verify.verify(t.cast(t.Any, Module(ssh, ["good", "bad", "slow"])))
    assert answer["reached"] == ["good"]
    assert [(one["node"], one["host"], one["words"], one["meaning"]) for one in answer["failed_ways"]] == [
        ("of-bad", "bad", "spark@10.0.0.12: Permission denied (publickey).", "the node does not accept the key"),
        ("of-slow", "slow", "not answered within 1 s", "that address does not answer"),
    ]


def test_nothing_is_asked_and_nothing_but_keys_in_files_counts(ssh: Path) -> None:
    words = ssh_verify.attempt(str(ssh), {"node": "spark-02", "host": "bad"}, 7).words.splitlines()[0]
    assert {"-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oIdentityAgent=none", "-oConnectTimeout=7"} <= set(
        words.split()
    )
    assert words.endswith("-- bad true")


def test_no_target_is_no_failure(ssh: Path) -> None:
    assert ssh_verify.verify(t.cast(t.Any, Module(ssh, []))) == {"reached": [], "failed_ways": []}

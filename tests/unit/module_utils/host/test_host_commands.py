# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of every kind of change, and the script with which a node goes back by itself."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.host._commands import (
    commands,
    difference,
    return_script,
    sentence,
)
from ansible_collections.dgxspark.sglang.plugins.module_utils.host._reversible import Change

ON, OFF = {"enabled": True, "active": True}, {"enabled": False, "active": False}
OWNED = {"mode": "0755", "owner": "spark", "group": "spark"}
KEY = {"user": "spark", "comment": "spark-01"}

CASES: list[tuple[Change, list[str]]] = [
    (Change("folder", "/a", None, OWNED), ["install -d -m 0755 -o spark -g spark /a"]),
    (Change("folder", "/a", OWNED, None), ["rmdir --ignore-fail-on-non-empty /a"]),
    (Change("member", "spark:docker", False, True), ["gpasswd --add spark docker"]),
    (Change("member", "spark:docker", True, False), ["gpasswd --delete spark docker"]),
    (Change("hold", "linux", False, True), ["apt-mark hold linux"]),
    (Change("hold", "linux", True, False), ["apt-mark unhold linux"]),
    (Change("sysctl", "a.b", "0", "1 2"), ["sysctl -q -w a.b=1 2"]),
    (Change("rule", "allow from 10.0.0.1 to 10.0.0.2", False, True), ["ufw allow from 10.0.0.1 to 10.0.0.2"]),
    (Change("rule", "allow 22/tcp", True, False), ["ufw --force delete allow 22/tcp"]),
    (Change("firewall", "ufw", False, True), ["ufw --force enable"]),
    (Change("firewall", "ufw", True, False), ["ufw --force disable"]),
    (Change("target", "default", "a.target", "b.target"), ["systemctl set-default b.target"]),
    (Change("unit", "u", OFF, ON), ["systemctl enable u", "systemctl start u"]),
    (Change("unit", "u", ON, OFF), ["systemctl disable u", "systemctl stop u"]),
    (
        Change("key", "/k", False, True, options=KEY),
        ["runuser -u spark -- ssh-keygen -q -t ed25519 -N  -C spark-01 -f /k"],
    ),
    (Change("key", "/k", True, False, options=KEY), ["rm -f /k /k.pub"]),
    (Change("link", "l", {}, {"mtu": 9000, "addresses": ["a/24"]}), []),  # netplan does it
    (
        Change("link", "l", {}, {"mtu": 1500, "addresses": ["a/24"]}, undoes=True),
        [
            "ip address flush dev l scope global",
            "ip link set dev l mtu 1500",
            "sysctl -q -e -w net.ipv6.conf.l.addr_gen_mode=0",
            "ip address add a/24 dev l",
        ],
    ),
]


@pytest.mark.parametrize(("change", "wanted"), CASES)
def test_commands(change: Change, wanted: list[str]) -> None:
    assert [" ".join(command) for command in commands(change)] == wanted


SENTENCES = [
    (Change("file", "/x", None, {}), "add file /x"),
    (Change("file", "/x", {}, None), "remove file /x"),
    (Change("file", "/x", {}, {}), "set file /x"),
    (Change("file", "/x", {}, None, undoes=True), "remove file /x again, as before"),
]


@pytest.mark.parametrize(("change", "told"), SENTENCES)
def test_sentences(change: Change, told: str) -> None:
    assert sentence(change) == told


FILE = {"mode": "0600", "owner": "root", "group": "root"}
DIFFERENCES = [
    (Change("file", "/x", None, {**FILE, "content": "a\n"}), "absent\n", "a\n(0600 root root)\n"),
    (Change("block", "/x", {"content": "", "file": True}, {"content": "a\n", "file": True}), "\n", "a\n\n"),
    (Change("unit", "x", {"enabled": False}, {"enabled": True}), "enabled: False\n", "enabled: True\n"),
    (Change("package", "x", False, True), "absent\n", "present\n"),
    (Change("sysctl", "x", "1", "2"), "1\n", "2\n"),
]


@pytest.mark.parametrize(("change", "before", "after"), DIFFERENCES)
def test_differences(change: Change, before: str, after: str) -> None:
    header = f"{change.kind} {change.name}"
    told = {"before_header": header, "after_header": header, "before": before, "after": after}
    assert difference(change) == told


def state(path: Path) -> t.Any:
    owner = {"owner": path.owner(), "group": path.group()}
    return {"content": path.read_text(), "mode": f"{path.stat().st_mode & 0o777:04o}", **owner}


def test_the_script_brings_everything_back(tmp_path: Path) -> None:
    """What has a file, what had none, what had quotes, and the journal: run by a real shell."""
    changed, new, gone, journal, note = (tmp_path / name for name in ("a b", "new", "gone", "journal", "note"))
    changed.write_text('it\'s "old"\n$HOME `x`\n')
    changed.chmod(0o640)
    gone.write_text("was here\n")
    before = state(changed), state(gone)
    log = tmp_path / "log"
    notify = (("sh", "-c", f"echo reload >> {log}"),)
    changes = [
        Change("file", str(changed), before[0], {**before[0], "content": "x"}, notify),
        Change("file", str(new), None, before[0], notify),
        Change("file", str(gone), before[1], None),
    ]
    changed.write_text("x")
    new.write_text("y")
    gone.unlink()
    journal.write_text("after")
    claim, after = ("mv", str(tmp_path / "armed"), str(tmp_path / "running")), [("touch", str(note))]
    (tmp_path / "armed").touch()
    script = return_script(changes, str(journal), "before", claim, after)
    subprocess.run(["/bin/sh", "-c", script], check=True)
    assert (state(changed), state(gone)) == before
    assert not new.exists()
    assert (journal.read_text(), state(journal)["mode"]) == ("before", "0600")
    assert log.read_text() == "reload\n"
    assert note.exists()


def test_the_script_removes_a_journal_that_was_not_there(tmp_path: Path) -> None:
    journal = tmp_path / "state" / "journal" / "fabric.json"
    journal.parent.mkdir(parents=True)
    (tmp_path / "another").touch()
    journal.write_text("x")
    subprocess.run(["/bin/sh", "-c", return_script([], str(journal), None, ("true",), [])], check=True)
    assert not (tmp_path / "state").exists()


def test_the_script_does_nothing_when_somebody_else_was_faster(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_text("x")
    script = return_script([], str(journal), None, ("false",), [("touch", str(tmp_path / "note"))])
    assert subprocess.run(["/bin/sh", "-c", script], check=False).returncode == 0
    assert (journal.read_text(), (tmp_path / "note").exists()) == ("x", False)


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (None, "one", ("absent", "a secret")),
        ("one", "two", ("a secret", "another secret")),
        ("one", None, ("a secret", "absent")),
    ],
)
def test_the_text_of_a_secret_is_not_in_the_difference(
    before: str | None, after: str | None, shown: tuple[str, str]
) -> None:
    states = [text and {"content": text, "mode": "0600", "owner": "root", "group": "root"} for text in (before, after)]
    found = difference(Change("file", "/s", *states, options={"secret": True}))
    assert (found["before"], found["after"]) == (f"{shown[0]}\n", f"{shown[1]}\n")

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node is changed and changed back: real files, blocks and folders; the node's programs answer from a script."""

from __future__ import annotations

import getpass
import grp
import json
import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges import _guard
from ansible_collections.dgxspark.sglang.plugins.module_utils.host._options import SPEC
from ansible_collections.dgxspark.sglang.plugins.modules.node_state import converge

ME = {"owner": getpass.getuser(), "group": grp.getgrgid(os.getgid()).gr_name}
# What is run for real: it changes nothing outside of the test's own folder.
REAL = ("install", "rmdir", "sh", "cat")


class Node:
    """A module's parameters, and a node on which packages are installed and units run only in a list."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.check_mode = folder, False
        self.params: dict[str, t.Any] = {}
        self.packages, self.ran = {"base"}, list[str]()
        self.fails = ""
        self.offers, self.needing = {"tool", "docker.io"}, list[str]()

    def fail_json(self, **result: t.Any) -> t.NoReturn:
        raise AssertionError(result)

    def run_command(self, command: list[str], environ_update: t.Any = None) -> tuple[int, str, str]:
        line = " ".join(command)
        self.ran.append(line)
        if self.fails and self.fails in line:
            return 1, "", f"{command[0]} does not want to"
        if Path(command[0]).name in REAL:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout, done.stderr
        if command[0] == "dpkg-query":
            return 0, "".join(f"installed {name}\n" for name in sorted(self.packages)), ""
        if command[0] == "apt-cache" and command[-1] not in self.offers:
            return 100, "", "No packages found"
        if command[0] == "apt-get" and "install" in command:
            self.packages |= {command[-1], f"lib{command[-1]}"}
        if command[0] == "apt-get" and "--simulate" in command:
            return (
                0,
                "".join(f"Remv {name} [1.0]\n" for name in [*command[command.index("remove") + 1 :], *self.needing]),
                "",
            )
        for verb in ("purge", "remove"):
            if command[0] == "apt-get" and verb in command:
                self.packages -= set(command[command.index(verb) + 1 :])
        return 0, "", ""

    def __call__(self, **asked: t.Any) -> dict[str, t.Any]:
        """Run the module. Options of items get their defaults as from the argument spec."""
        given = {"owner": "test", "state_dir": str(self.folder / "state"), **asked}
        self.params = {name: given.get(name, option.get("default")) for name, option in SPEC.items()}
        for name, option in SPEC.items():
            if "options" in option:
                filled = [
                    {key: sub.get("default") for key, sub in option["options"].items()} | one
                    for one in self.params[name]
                ]
                self.params[name] = filled
        return converge(t.cast("t.Any", self))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr(_guard, "NOTES", str(tmp_path / "run"))
    monkeypatch.setattr(_guard, "UNITS", str(tmp_path / "run"))
    return Node(tmp_path)


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
        if path.parts[len(folder.parts)] not in ("state", "run")
    }


def test_everything_is_made_and_put_back(node: Node, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("one\n")
    (tmp_path / "gone").write_text("was here\n")
    before = tree(tmp_path)
    asked: dict[str, t.Any] = {
        "files": [
            {"path": str(tmp_path / "new"), "content": "x\n", **ME},
            {"path": str(tmp_path / "gone"), "state": "absent"},
            {"path": str(tmp_path / "daemon.json"), "merge": {"a": 1}, **ME},
        ],
        "blocks": [{"path": str(tmp_path / "theirs"), "content": "two", **ME}],
        "folders": [{"paths": [str(tmp_path / "a" / "b")], **ME}],
        "packages": [{"name": "tool"}],
    }
    made = node(**asked)
    assert made["changed"]
    assert "add folder " + str(tmp_path / "a") in made["actions"]
    assert tree(tmp_path)["theirs"] == "one\n# BEGIN dgxspark.sglang test\ntwo\n# END dgxspark.sglang test\n"
    assert node.packages == {"base", "tool", "libtool"}
    assert not node(**asked)["changed"]
    assert node(state="restored")["changed"]
    assert tree(tmp_path) == before
    assert node.packages == {"base"}
    assert not (tmp_path / "state").exists()
    assert not node(state="restored")["changed"]


def test_check_mode_tells_the_same_and_does_nothing(node: Node, tmp_path: Path) -> None:
    asked: dict[str, t.Any] = {"files": [{"path": str(tmp_path / "new"), "content": "x\n", **ME}]}
    node.check_mode = True
    told = node(**asked)
    assert (told["changed"], tree(tmp_path), (tmp_path / "state").exists()) == (True, {}, False)
    node.check_mode = False
    assert node(**asked) == told


def test_what_is_no_longer_asked_for_is_put_back(node: Node, tmp_path: Path) -> None:
    one, two = ({"path": str(tmp_path / name), "content": "x\n", **ME} for name in ("one", "two"))
    node(files=[one, two])
    assert node(files=[one])["actions"] == [f"remove file {tmp_path / 'two'} again, as before"]
    assert set(tree(tmp_path)) == {"one"}


def test_a_folder_with_something_in_it_stays(node: Node, tmp_path: Path) -> None:
    node(folders=[{"paths": [str(tmp_path / "models")], **ME}])
    (tmp_path / "models" / "weights").write_text("w")
    node(state="restored")
    assert set(tree(tmp_path)) == {"models", "models/weights"}


def test_when_a_step_fails_the_ones_before_it_are_undone(node: Node, tmp_path: Path) -> None:
    node.fails = "reload"
    asked: dict[str, t.Any] = {"files": [{"path": str(tmp_path / "new"), "content": "x", "notify": [["reload"]], **ME}]}
    with pytest.raises(SparkError, match="`reload` failed: reload does not want to") as caught:
        node(**asked)
    assert tree(tmp_path) == {}
    assert caught.value.facts == {"undone": False}  # the old file was not read either: the journal still knows of it
    assert (tmp_path / "state" / "journal" / "test.json").exists()
    node.fails = ""
    node(state="restored")
    assert not (tmp_path / "state").exists()


def test_a_failure_that_can_be_undone_leaves_no_trace(node: Node, tmp_path: Path) -> None:
    node.fails = "ufw --force enable"
    with pytest.raises(SparkError, match="does not want to") as caught:
        node(files=[{"path": str(tmp_path / "new"), "content": "x", **ME}], firewall=True)
    assert caught.value.facts == {"undone": True}
    assert tree(tmp_path) == {}
    assert not (tmp_path / "state").exists()


def test_content_that_its_program_refuses_is_never_put_in_place(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.fails = "visudo"
    file = {"path": str(tmp_path / "sudoers"), "content": "nonsense", "validate": ["visudo", "-cf", "%s"], **ME}
    with pytest.raises(SparkError, match="visudo refuses the new"):
        node(files=[file])
    assert tree(tmp_path) == {}


def test_the_guard_is_set_before_the_change_and_taken_off_by_confirming(node: Node, tmp_path: Path) -> None:
    file = {"path": str(tmp_path / "new"), "content": "x", "notify": [["reload"]], **ME}
    assert node(files=[file], guard=30)["guarded"]
    timer = tmp_path / "run" / "dgxspark-sglang-return-test.timer"
    assert "OnActiveSec=30" in timer.read_text()
    begun = node.ran.index("systemctl enable --now dgxspark-sglang-return-test.timer")
    assert begun < node.ran.index("reload")
    assert node(state="confirmed")["changed"]
    assert "systemctl disable --quiet --now dgxspark-sglang-return-test.timer" in node.ran
    assert not timer.exists()
    assert not node(state="confirmed")["changed"]
    assert tree(tmp_path) == {"new": "x"}


def test_the_guard_takes_back_this_run_and_no_other(node: Node, tmp_path: Path) -> None:
    first, second = ({"path": str(tmp_path / name), "content": name, **ME} for name in ("first", "second"))
    node(files=[first])
    node(files=[first, second], guard=30)
    script = tmp_path / "state" / "journal" / "test.return"
    subprocess.run(["/bin/sh", str(script)], check=True)  # what the timer does
    assert tree(tmp_path) == {"first": "first"}
    with pytest.raises(SparkError, match="went back to what it had before"):
        node(state="confirmed")
    assert node(files=[first, second], guard=30)["changed"]
    node(state="confirmed")
    node(state="restored")
    assert tree(tmp_path) == {}


def test_what_is_under_the_guard_can_be_given_back_at_once(node: Node, tmp_path: Path) -> None:
    node(files=[{"path": str(tmp_path / "new"), "content": "x", **ME}], guard=30)
    assert node(state="returned")["changed"]
    assert tree(tmp_path) == {}
    assert not node(state="returned")["changed"]


def test_a_new_run_starts_from_what_was_confirmed(node: Node, tmp_path: Path) -> None:
    node(files=[{"path": str(tmp_path / "one"), "content": "x", **ME}], guard=30)
    node(files=[{"path": str(tmp_path / "two"), "content": "x", **ME}], guard=30)
    node(state="returned")
    assert tree(tmp_path) == {}


def test_a_command_that_is_there_makes_a_package_unnecessary(node: Node) -> None:
    assert not node(packages=[{"name": "tool", "unless": "sh"}])["changed"]
    assert node(packages=[{"name": "tool", "unless": "no-such-command"}])["changed"]


def test_what_came_with_a_package_is_no_reason_to_take_it_away_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, t.Any] = {"packages": [{"name": "tool", "unless": "tool-command"}]}
    node(**asked)
    monkeypatch.setattr(shutil, "which", lambda command: f"/usr/bin/{command}")
    assert not node(**asked)["changed"]
    assert "tool" in node.packages


def test_packages_that_somebody_else_needs_by_now_stay(node: Node) -> None:
    node(packages=[{"name": "tool"}])
    node.needing = ["theirs"]
    restored = node(state="restored")
    assert restored["left"] == ["packages libtool, tool stay, because theirs needs them"]
    assert node.packages == {"base", "tool", "libtool"}


def test_docker_leaves_its_images_and_volumes_behind(node: Node) -> None:
    """A purge of Docker's package removes /var/lib/docker, whoever made what is in it."""
    node(packages=[{"name": "docker.io"}])
    node(state="restored")
    assert node.packages == {"base"}
    assert not any("purge" in line and "docker.io" in line.split() for line in node.ran)


def test_a_package_that_no_source_has_is_told_and_nothing_is_claimed(node: Node, tmp_path: Path) -> None:
    with pytest.raises(SparkError, match="No apt source of this node has missing") as caught:
        node(packages=[{"name": "tool"}, {"name": "missing"}])
    assert caught.value.facts == {"undone": True}
    assert node.packages == {"base"}
    assert not (tmp_path / "state").exists()


def test_a_failed_run_takes_back_what_a_package_brought_along(node: Node) -> None:
    node.fails = "systemctl enable"
    with pytest.raises(SparkError) as caught:
        node(packages=[{"name": "tool"}], units=[{"name": "tool.service", "enabled": True, "active": None}])
    assert caught.value.facts == {"undone": True}
    assert node.packages == {"base"}


def test_a_guard_covers_no_packages(node: Node) -> None:
    with pytest.raises(SparkError, match="A guard can't take back packages"):
        node(packages=[{"name": "tool"}], guard=30)
    assert node.packages == {"base"}


def test_a_change_that_outlasts_its_guard_is_undone_and_told(node: Node, tmp_path: Path) -> None:
    """The timer fires while the change is still being made: nobody may take it for proven."""
    script = tmp_path / "state" / "journal" / "test.return"
    fire = [["sh", "-c", f"if [ -e {script} ]; then sh {script}; fi"]]
    with pytest.raises(SparkError, match="took longer than its guard of 30 s"):
        node(files=[{"path": str(tmp_path / "new"), "content": "x", "notify": fire, **ME}], guard=30)
    assert tree(tmp_path) == {}
    assert not (tmp_path / "state" / "journal" / "test.json").exists()


def test_it_is_too_late_to_confirm_while_the_node_goes_back(node: Node, tmp_path: Path) -> None:
    node(files=[{"path": str(tmp_path / "new"), "content": "x", **ME}], guard=30)
    script = tmp_path / "state" / "journal" / "test.return"
    script.rename(script.with_suffix(".running"))
    with pytest.raises(SparkError, match="went back to what it had before"):
        node(state="confirmed")


def test_what_is_gone_does_not_keep_the_rest_from_being_restored(node: Node, tmp_path: Path) -> None:
    """A card that was taken out leaves a link in the journal that nobody can look at any more."""
    journal = tmp_path / "state" / "journal" / "test.json"
    node(files=[{"path": str(tmp_path / "new"), "content": "x", **ME}])
    entries = json.loads(journal.read_text())
    link = {"kind": "link", "name": "no-such-link", "before": {"mtu": 1500}, "after": {"mtu": 9000}}
    journal.write_text(json.dumps([*entries, {**entries[0], **link}]))
    restored = node(state="restored")
    assert restored["left"] == ["link no-such-link was changed or removed by somebody else since, and stays as it is"]
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("path", ["models", "~nobody-here/models"])
def test_a_folder_without_an_absolute_path_is_refused(node: Node, path: str) -> None:
    with pytest.raises(SparkError, match="is no absolute path"):
        node(folders=[{"paths": [path], **ME}])


def test_the_text_of_a_secret_is_shown_nowhere(node: Node, tmp_path: Path) -> None:
    node.check_mode = True  # the file would be root's
    notify = [["systemctl", "try-restart", "vllm.service"]]
    told = node(secrets=[{"path": str(tmp_path / "key"), "content": "sk-of-vllm", "notify": notify}])
    assert told["actions"] == [f"add file {tmp_path / 'key'}"]
    assert (told["diff"][0]["before"], told["diff"][0]["after"]) == ("absent\n", "a secret\n")
    assert "sk-of-vllm" not in json.dumps(told)

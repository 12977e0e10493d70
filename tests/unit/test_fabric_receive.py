# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that brings a folder, both ends of it, with a shell in the place of ssh."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import threading
import time
import types
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.tests.unit.builders import REPO

# Its last word is what the other side runs. The address "dead" answers nothing.
SSH = """#!/bin/sh
for word; do before=$last; last=$word; done
if [ "$before" = dead ]; then echo "ssh: connect to host dead port 22: No route to host" >&2; exit 255; fi
if [ "$before" = noisy ]; then echo "Welcome!"; fi
exec sh -c "$last"
"""
CONTENT = {"model-1.safetensors": 3_000_001, "model-2.safetensors": 2_000_000, "sub/vocab.txt": 100, "empty": 0}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ssh").write_text(SSH)
    (tmp_path / "bin/ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    spec = importlib.util.spec_from_file_location("fabric_receive", REPO / "roles/spread/files/fabric_receive.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Nodes:
    """Nodes in folders of one machine; the first has the model."""

    def __init__(self, program: types.ModuleType, root: Path) -> None:
        self.program, self.root = program, root
        self.files = {}
        for name, size in CONTENT.items():
            data = os.urandom(size)
            path = self.folder(1) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            self.files[name] = {"size": size, "sha256": hashlib.sha256(data).hexdigest()}
        self.text = json.dumps({"files": self.files})

    def folder(self, node: int) -> Path:
        return self.root / f"{node}/model"

    def partial(self, node: int) -> Path:
        return self.root / f"{node}/model.partial"

    def copy(
        self, node: int, source: int, addresses: t.Sequence[str] = ("rail-1", "rail-2"), patience: float = 20
    ) -> t.Any:
        """Return the copy that a node is to get from another, not yet begun."""
        self.partial(node).mkdir(parents=True, exist_ok=True)
        (self.partial(node) / ".dgxspark-sglang.json").write_text(self.text)
        request = {
            "path": str(self.folder(node)),
            "files": self.files,
            "key": hashlib.sha256(self.text.encode()).hexdigest(),
            "source": {"name": f"spark-0{source}", "addresses": list(addresses), "whole": source == 1},
            "streams": 3,
            "patience": patience,
            "run": "this",
            "state": str(self.root / f"{node}/state.json"),
        }
        made = self.program.Copy(request)
        # On real nodes folder and state have the same paths everywhere.
        made.arguments[:2] = [str(self.folder(source)), str(self.root / f"{source}/state.json")]
        return made

    def state(self, node: int) -> dict[str, t.Any]:
        return dict(json.loads((self.root / f"{node}/state.json").read_text()))

    def same(self, node: int) -> bool:
        return all(
            (self.partial(node) / name).read_bytes() == (self.folder(1) / name).read_bytes() for name in self.files
        )


@pytest.fixture
def nodes(program: types.ModuleType, tmp_path: Path) -> Nodes:
    return Nodes(program, tmp_path)


def test_a_folder_comes_whole(nodes: Nodes) -> None:
    nodes.copy(2, 1).run()
    state = nodes.state(2)
    assert (state["finished"], state["error"], state["notes"]) == (True, "", [])
    assert state["bytes"] == state["total"] == sum(CONTENT.values())
    assert nodes.same(2)


def test_the_next_node_gets_it_while_it_comes(nodes: Nodes) -> None:
    """The last of the chain begins before the one that it gets everything from."""
    last, middle = nodes.copy(3, 2), nodes.copy(2, 1)
    waiting = threading.Thread(target=last.run)
    waiting.start()
    time.sleep(0.5)
    middle.run()
    waiting.join(30)
    assert (nodes.state(3)["finished"], nodes.same(2), nodes.same(3)) == (True, True, True)


def test_it_goes_on_where_it_was_broken_off(nodes: Nodes) -> None:
    name = "model-1.safetensors"
    first = (nodes.folder(1) / name).read_bytes()[:1_000_000]
    copy = nodes.copy(2, 1)
    (nodes.partial(2) / f"{name}.part").write_bytes(first)
    again = nodes.copy(2, 1)
    assert (copy.bytes, again.bytes) == (0, 1_000_000)
    before = os.stat(nodes.partial(2) / f"{name}.part").st_ino
    again.run()
    assert nodes.same(2)
    assert os.stat(nodes.partial(2) / name).st_ino == before


def test_what_is_no_beginning_of_the_file_is_fetched_anew(nodes: Nodes) -> None:
    nodes.partial(2).mkdir(parents=True)
    (nodes.partial(2) / "model-1.safetensors.part").write_bytes(b"x" * 1000)
    nodes.copy(2, 1).run()
    assert (nodes.state(2)["finished"], nodes.same(2)) == (True, True)


def test_a_file_with_another_hash_never_gets_its_name(nodes: Nodes) -> None:
    with open(nodes.folder(1) / "model-2.safetensors", "r+b") as file:
        file.write(b"damaged")
    nodes.copy(2, 1).run()
    state = nodes.state(2)
    assert (state["finished"], state["cause"]) == (False, "hash")
    assert state["error"].startswith("spark-01 gave model-2.safetensors with sha256 ")
    assert not list(nodes.partial(2).glob("model-2*"))


def test_a_file_that_is_shorter_than_it_was_is_told(nodes: Nodes) -> None:
    os.truncate(nodes.folder(1) / "sub/vocab.txt", 7)
    nodes.copy(2, 1).run()
    assert nodes.state(2)["error"] == "spark-01 has 7 bytes of sub/vocab.txt, needed are 100"


def test_one_rail_is_enough(nodes: Nodes) -> None:
    nodes.copy(2, 1, ("dead", "rail-2")).run()
    state = nodes.state(2)
    assert (state["finished"], nodes.same(2)) == (True, True)
    assert state["notes"] == ["dead: ssh: connect to host dead port 22: No route to host"]


def test_without_any_way_it_ends_at_once(nodes: Nodes) -> None:
    begin = time.monotonic()
    nodes.copy(2, 1, ("dead",)).run()
    assert time.monotonic() - begin < 10
    assert (nodes.state(2)["cause"], "No route to host" in nodes.state(2)["error"]) == ("way", True)


def test_a_node_that_gets_nothing_itself_is_not_waited_for_long(nodes: Nodes) -> None:
    nodes.copy(2, 1)  # never begun
    nodes.copy(3, 2, patience=2).run()
    assert (nodes.state(3)["cause"], nodes.state(3)["error"]) == ("echo", "nothing has come from spark-02 for 2 s")


@pytest.mark.parametrize(
    ("run", "cause", "words"), [("this", "echo", "failed itself: disk full"), ("other", "echo", "for 2 s")]
)
def test_the_failure_of_another_node_is_told_if_it_is_of_this_run(
    nodes: Nodes, run: str, cause: str, words: str
) -> None:
    nodes.copy(2, 1)
    (nodes.root / "2/state.json").write_text(json.dumps({"run": run, "error": "disk full", "bytes": 0}))
    nodes.copy(3, 2, patience=2).run()
    assert (nodes.state(3)["cause"], words in nodes.state(3)["error"]) == (cause, True)


def test_a_login_shell_that_speaks_is_told(nodes: Nodes) -> None:
    nodes.copy(2, 1, ("noisy",)).run()
    assert (nodes.state(2)["cause"], "Welcome!" in nodes.state(2)["error"]) == ("noise", True)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", ""])
def test_no_name_leads_out_of_the_folder(program: types.ModuleType, name: str) -> None:
    with pytest.raises(program.Refused):
        program.checked(name)


def test_a_slow_disk_is_no_silence_also_for_those_behind(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def slow(file: int) -> None:
        if os.readlink(f"/proc/self/fd/{file}").startswith(str(nodes.root / "2")):
            time.sleep(5)
        real(file)

    monkeypatch.setattr(os, "fsync", slow)
    last, middle = nodes.copy(3, 2, patience=3), nodes.copy(2, 1, patience=3)
    waiting = threading.Thread(target=last.run)
    waiting.start()
    middle.run()
    waiting.join(60)
    assert [(nodes.state(node)["finished"], nodes.state(node)["error"]) for node in (2, 3)] == [(True, "")] * 2


def test_what_lies_in_the_home_of_the_other_side_is_not_imported(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/json.py").write_text("raise SystemExit('not the library')\n")
    monkeypatch.chdir(tmp_path / "home")
    nodes.copy(2, 1).run()
    assert (nodes.state(2)["error"], nodes.same(2)) == ("", True)


def test_ssh_asks_nobody_and_trusts_no_key_that_it_does_not_know(program: types.ModuleType) -> None:
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes"} <= set(program.SSH)

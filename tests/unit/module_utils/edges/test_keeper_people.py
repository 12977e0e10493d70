# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people ask at a node with spark-serve, and what they are told."""

from __future__ import annotations

import json
import os
import time
import typing as t
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges import _keeper_files, _keeper_people
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges._keeper_files import Place
from ansible_collections.dgxspark.sglang.tests.unit.builders import server_params
from ansible_collections.dgxspark.sglang.tests.unit.keepers import last_good


class Api:
    """The API of the instance: its health, and its answer."""

    def __init__(self) -> None:
        self.status, self.answer, self.asked = 200, (200, {}), list[t.Any]()

    def health(self) -> int:
        return self.status

    def ask(self, path: str, body: t.Any, timeout: float) -> tuple[int, t.Any]:
        self.asked.append((path, body))
        return self.answer


class Engine:
    def __init__(self, status: str = "running") -> None:
        self.status, self.log = status, [b"api_key='sk-1'\nready", b" to roll\n", b"and"]
        self.client = SimpleNamespace(api=SimpleNamespace(logs=self._logs))
        self.asked: dict[str, t.Any] = {}

    def container(self, _name: str) -> t.Any:
        return SimpleNamespace(status=self.status) if self.status else None

    def _logs(self, _name: str, **options: t.Any) -> list[bytes]:
        self.asked = options
        return self.log


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A node with one instance, whose keeper has said that it serves."""
    found = SimpleNamespace(api=Api(), engine=Engine(), folder=tmp_path, place=Place("sglang", str(tmp_path)))
    monkeypatch.setattr(_keeper_people, "_api", lambda kept: found.api)
    monkeypatch.setattr(_keeper_people, "Docker", lambda: found.engine)
    monkeypatch.setattr(_keeper_people, "Place", lambda name: Place(name, str(tmp_path)))
    monkeypatch.setattr(_keeper_people, "said", _keeper_people.contextlib.nullcontext)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    plan(found, "sglang")
    told = {"state": "serving", "since": int(time.time()), "words": "Serves.", "peers": []}
    found.place.tell(json.dumps({**told, "peers": [{"node": "spark-02", "rank": 1, "state": "running"}]}))
    return found


def plan(node: SimpleNamespace, name: str) -> None:
    raw = last_good(rank=0)
    raw["server"] = server_params(state_dir=str(node.folder))
    (node.folder / f"{name}.last_good.json").write_text(json.dumps(raw))


def ask(node: SimpleNamespace, *words: str) -> int:
    return _keeper_people.serve(str(node.folder), words)


def test_the_status_tells_all_of_the_instance(node: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    with node.place.claim():
        assert ask(node, "status") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "sglang: tiny, rank 0 of 2"
    assert lines[1].startswith("  keeper     serving since 20")
    assert lines[1].endswith("): Serves.")
    assert lines[2:] == ["  rank 1     spark-02: running", "  container  running", "  /health    healthy"]


def test_a_keeper_that_is_gone_is_told_with_its_last_words(
    node: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    node.place.tell(json.dumps({"state": "failed", "since": 0, "words": "Gave up."}))
    node.api.status, node.engine.status = 0, ""
    assert ask(node, "status") == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  keeper     does not run; it last said: Gave up.",
        "  container  none",
        "  /health    no answer",
    ]


@pytest.mark.parametrize(
    ("state", "head", "expected"),
    [("running", "serving", 0), ("running", "starting", 1), ("running", "", 1), ("ready", "serving", 1)],
)
def test_a_worker_serves_when_its_head_does(node: SimpleNamespace, state: str, head: str, expected: int) -> None:
    peers = [{"node": "spark-01", "rank": 0, "state": head}] if head else []
    node.place.tell(json.dumps({"state": state, "since": 0, "words": "", "peers": peers}))
    with node.place.claim():
        assert ask(node, "status") == expected


@pytest.mark.parametrize(("status", "code", "words"), [(200, 0, "healthy"), (503, 1, "HTTP 503"), (0, 1, "no answer")])
def test_the_health_is_the_exit_status(
    node: SimpleNamespace, capsys: pytest.CaptureFixture[str], status: int, code: int, words: str
) -> None:
    node.api.status = status
    assert (ask(node, "health"), capsys.readouterr().out) == (code, f"{words}\n")


def test_the_model_is_asked(node: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    node.api.answer = (200, {"choices": [{"message": {"content": "Paris."}}], "usage": {"completion_tokens": 3}})
    assert ask(node, "generate", "What", "is it?") == 0
    told = capsys.readouterr()
    assert (told.out, told.err[:14]) == ("Paris.\n", "(3 tokens in 0")
    (path, body) = node.api.asked[0]
    assert (path, body["model"], body["messages"][0]["content"]) == ("/v1/chat/completions", "tiny", "What is it?")


@pytest.mark.parametrize("answer", [(401, {"error": "api_key='sk-1' is wrong"}), (0, None), (200, {"choices": []})])
def test_no_answer_is_told_without_secrets(
    node: SimpleNamespace, capsys: pytest.CaptureFixture[str], answer: tuple[int, t.Any]
) -> None:
    node.api.answer = answer
    assert ask(node, "generate", "x") == 1
    told = capsys.readouterr().err
    assert told
    assert "sk-1" not in told


@pytest.mark.parametrize("follow", [False, True])
def test_the_log_has_no_secrets(node: SimpleNamespace, capsys: pytest.CaptureFixture[str], follow: bool) -> None:
    assert ask(node, "logs", *(["-f"] if follow else [])) == 0
    assert capsys.readouterr().out == "api_key=********\nready to roll\nand\n"
    assert node.engine.asked == {"stream": True, "follow": follow, "tail": 100}


def test_without_a_container_there_is_no_log(node: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    node.engine.status = ""
    assert ask(node, "logs") == 1
    assert "There is no container sglang" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["start", "stop"])
def test_systemd_starts_and_stops(node: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    ran: list[t.Any] = []

    def execute(file: str, words: list[str]) -> t.NoReturn:
        ran.append((file, words))
        raise KeyboardInterrupt  # the process is another one from here on

    monkeypatch.setattr(os, "execvp", execute)
    ask(node, what)
    assert ran == [("systemctl", ["systemctl", what, "dgxspark-sglang@sglang.service"])]


def test_one_of_several_instances_has_to_be_named(node: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    plan(node, "embed")
    assert ask(node, "health") == 1
    assert "There are several instances on this node: embed, sglang." in capsys.readouterr().err
    assert ask(node, "health", "-i", "embed") == 0
    assert ask(node, "health", "-i", "chat") == 1
    assert "There is no instance chat on this node; there is embed, sglang." in capsys.readouterr().err


def test_who_is_not_root_is_told_so(
    node: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert ask(node, "status") == 2
    assert capsys.readouterr().err == "spark-serve reads what only root may read: run it with sudo.\n"


def test_a_node_on_which_nothing_was_brought_up_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 0)
        assert _keeper_people.serve(str(tmp_path), ["status"]) == 1
    assert capsys.readouterr().err == "Nothing was brought up on this node.\n  Next step: run site.yml.\n"


def test_a_worker_asks_its_head_over_the_rails(tmp_path: Path) -> None:
    raw = last_good(api={"host": "0.0.0.0", "port": 30001, "tls": True})
    (tmp_path / "sglang.last_good.json").write_text(json.dumps(raw))
    worker = _keeper_files.load(str(tmp_path), "sglang")
    head = replace(worker, settings=replace(worker.settings, rank=0))
    told = [(api.host, api.port, api.tls) for api in (_keeper_people._api(worker), _keeper_people._api(head))]
    assert told == [("192.168.100.11", 30001, True), ("127.0.0.1", 30001, True)]

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service on its node: systemd and Docker answer from a script, its API and Ollama's are real servers."""

from __future__ import annotations

import http.server
import json
import threading
import types
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._gate import Answers
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._unit import COMPANION_LABEL, MARK
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._volume import Volume
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges import _companion, _units
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges._http import Api

Reply = tuple[int, list[t.Any]]


class Node:
    """Answers systemctl and journalctl; `units` is name -> what systemd shows of it."""

    def __init__(self, **units: dict[str, str]) -> None:
        self.units = {f"{name.replace('__', '@').replace('_', '-')}.service": shown for name, shown in units.items()}
        self.asked = list[str]()
        self.journal: tuple[int, str] = (0, "")

    def __call__(self, command: list[str], environ_update: t.Any = None) -> tuple[int, str, str]:
        self.asked.append(" ".join(command))
        if command[0] == "journalctl":
            return (*self.journal, "")
        if command[1] == "list-units":
            listed = [name for name in self.units if name.startswith("dgxspark-sglang@")]
            return 0, "".join(f"{name} loaded active running A keeper\n" for name in listed), ""
        names = [word for word in command[2:] if not word.startswith("--")]
        blocks = [{"Id": name, "ActiveState": "inactive", **self.units.get(name, {})} for name in names]
        return 0, "\n".join("".join(f"{key}={value}\n" for key, value in block.items()) for block in blocks), ""


class Engine:
    """Docker: containers by name with their labels, our servers, and volumes with their folders."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, str]] = {}
        self.servers: list[tuple[str, bool]] = []
        self.folders: dict[str, str] = {}
        self.users: list[dict[str, t.Any]] = []
        self.removed = list[str]()
        self.client = types.SimpleNamespace(
            api=types.SimpleNamespace(
                volumes=lambda filters: {"Volumes": [{"Name": n, "Mountpoint": p} for n, p in self.folders.items()]},
                containers=lambda **asked: self.users,
                remove_volume=self.removed.append,
            )
        )

    def container(self, name: str) -> t.Any:
        return types.SimpleNamespace(labels=self.containers[name]) if name in self.containers else None

    def ours(self) -> list[t.Any]:
        return [
            types.SimpleNamespace(running=running, public=lambda name=name: {"name": name})
            for name, running in self.servers
        ]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(_companion, "Docker", lambda: made)
    monkeypatch.setattr(_companion._host, "listeners", lambda ports: {})
    return made


def test_a_bare_node(engine: Engine, tmp_path: Path) -> None:
    seen = _companion.look(Node(), "vllm", 8000, str(tmp_path))
    assert (seen.unit.name, seen.unit.path, seen.container, seen.owner) == ("vllm.service", "", "", None)
    assert (seen.servers, seen.keepers, [unit.name for unit in seen.engines]) == ((), (), ["ollama.service"])


def test_a_busy_node(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keeper that was never started is known by the plan that it would go back to."""
    (tmp_path / "ondemand.last_good.json").write_text("{}")
    engine.servers = [("sglang", True), ("ondemand", False)]
    monkeypatch.setattr(_companion._host, "listeners", lambda ports: {8080: {"pid": 1, "process": "x"}})
    monkeypatch.setattr(_units, "installed", lambda: True)
    node = Node(dgxspark_sglang__sglang={"ActiveState": "active"}, vllm={"ActiveState": "active"})
    seen = _companion.look(node, "open-webui", 8080, str(tmp_path))
    assert seen.servers == ("sglang",)
    assert {unit.name: unit.running for unit in seen.keepers} == {
        "dgxspark-sglang@ondemand.service": False,
        "dgxspark-sglang@sglang.service": True,
    }
    assert sorted(unit.name for unit in seen.engines) == ["ollama.service", "vllm.service"]
    assert seen.owner == {"pid": 1, "process": "x"}


@pytest.mark.parametrize(("text", "marked"), [(f"{MARK}\n[Unit]\n", True), ("[Unit]\n", False), ("", False)])
def test_a_unit_is_ours_by_its_first_line(engine: Engine, tmp_path: Path, text: str, marked: bool) -> None:
    path = tmp_path / "vllm.service"
    path.write_text(text)
    node = Node(vllm={"FragmentPath": str(path)})
    assert _companion.look(node, "vllm", 8000, str(tmp_path)).marked is marked


@pytest.mark.parametrize(
    ("labels", "maker"), [({COMPANION_LABEL: "vllm"}, "ours"), ({COMPANION_LABEL: "x"}, "theirs"), ({}, "theirs")]
)
def test_a_container_is_ours_by_its_label(engine: Engine, tmp_path: Path, labels: dict[str, str], maker: str) -> None:
    engine.containers = {"vllm": labels}
    assert _companion.look(Node(), "vllm", 8000, str(tmp_path)).container == maker


def test_words_are_those_of_its_own_processes() -> None:
    node = Node()
    node.journal = (0, "loading 1/2\rloading 2/2\n\nfailed\n")
    assert _companion.words(node, "vllm.service", 25) == ["loading 2/2", "failed"]
    assert node.asked == ["journalctl _SYSTEMD_UNIT=vllm.service --output=cat --lines=25"]
    node.journal = (1, "no journal")
    assert _companion.words(node, "vllm.service", 25) == []


def test_units_that_are_not_asked_for_are_not_looked_up() -> None:
    node = Node()
    assert (_companion.units(node, []), node.asked) == ((), [])


@pytest.fixture
def served() -> t.Iterator[tuple[int, dict[str, Reply], list[tuple[str, t.Any]]]]:
    """A server's port, its replies by path (status, and what it says line by line), and what it was asked."""
    replies: dict[str, Reply] = {}
    asked: list[tuple[str, t.Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply()

        def do_POST(self) -> None:
            self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def reply(self, body: t.Any = None) -> None:
            asked.append((self.path, body))
            status, said = replies.get(self.path, (404, []))
            self.send_response(status)
            self.end_headers()
            for line in said:
                self.wfile.write((line if isinstance(line, str) else json.dumps(line)).encode() + b"\n")

        def log_message(self, *_: t.Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield int(server.server_address[1]), replies, asked
    server.shutdown()
    server.server_close()


MODELS: Reply = (200, [{"data": [{"id": "tiny"}]}])


@pytest.mark.parametrize(
    ("replies", "model", "answers"),
    [
        ({}, "tiny", Answers(404)),
        ({"/health": (503, [])}, "tiny", Answers(503)),
        ({"/health": (200, [])}, "", Answers(200)),
        (
            {"/health": (200, []), "/v1/models": (401, [{"error": "key"}])},
            "tiny",
            Answers(200, error="/v1/models answers 401"),
        ),
        ({"/health": (200, []), "/v1/models": MODELS}, "big", Answers(200, ("tiny",))),
        (
            {"/health": (200, []), "/v1/models": MODELS, "/v1/completions": (500, ["oops"])},
            "tiny",
            Answers(200, ("tiny",), error="/v1/completions answers 500"),
        ),
        (
            {
                "/health": (200, []),
                "/v1/models": MODELS,
                "/v1/completions": (200, [{"usage": {"completion_tokens": 4}}]),
            },
            "tiny",
            Answers(200, ("tiny",), 4),
        ),
    ],
)
def test_questions_end_at_the_first_bad_answer(
    served: t.Any, replies: dict[str, Reply], model: str, answers: Answers
) -> None:
    port, known, _asked = served
    known.update(replies)
    assert _companion.answers(Api("0.0.0.0", port), "/health", model) == answers


def test_a_service_that_does_not_listen_answers_nothing() -> None:
    assert _companion.answers(Api("127.0.0.1", 1), "/health", "tiny") == Answers(0)


def ollama(port: int) -> _companion.Ollama:
    return _companion.Ollama("0.0.0.0", port, 5)


@pytest.mark.parametrize(
    ("reply", "models"),
    [
        ((200, [{"models": [{"name": "a:1"}, {"name": "b:latest"}]}]), ["a:1", "b:latest"]),
        ((200, [{"models": None}]), []),
        ((200, [{"other": 1}]), None),
        ((200, ["<html>"]), None),
        ((500, [{"models": []}]), None),
    ],
)
def test_what_ollama_has(served: t.Any, reply: Reply, models: list[str] | None) -> None:
    port, replies, _asked = served
    replies["/api/tags"] = reply
    assert ollama(port).models() == models


def test_a_model_is_fetched_to_its_end(served: t.Any) -> None:
    port, replies, asked = served
    replies["/api/pull"] = (200, [{"status": "pulling manifest"}, {"status": "success"}])
    ollama(port).pull("tiny:latest")
    assert asked == [("/api/pull", {"model": "tiny:latest", "stream": True})]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((200, [{"status": "pulling"}, {"error": "pull model manifest: file does not exist"}]), "file does not exist"),
        ((200, [{"status": "pulling"}]), "ended with {'status': 'pulling'}"),
        ((200, []), "ended with 200"),
        ((502, ["<html>"]), "stopped talking"),
    ],
)
def test_a_model_that_does_not_come_is_an_error(served: t.Any, reply: Reply, reason: str) -> None:
    """An error in the middle of a stream has the status 200."""
    port, replies, _asked = served
    replies["/api/pull"] = reply
    with pytest.raises(SparkError) as caught:
        ollama(port).pull("tiny:latest")
    assert reason in caught.value.problems[0].what


def test_an_ollama_that_is_gone_is_an_error() -> None:
    with pytest.raises(SparkError, match="stopped talking while it fetched tiny"):
        ollama(1).pull("tiny")


def test_a_volume_and_what_is_in_it(engine: Engine, tmp_path: Path) -> None:
    """Docker's filter finds every name that contains the one that is asked for."""
    (tmp_path / "uploads").mkdir()
    (tmp_path / "webui.db").write_bytes(bytes(100))
    (tmp_path / "uploads/a").write_bytes(bytes(11))
    (tmp_path / "gone").symlink_to("nowhere")
    engine.folders = {"open-webui-old": "/nowhere", "open-webui": str(tmp_path)}
    engine.users = [{"Names": ["/open-webui"]}, {"Id": "c1" * 32}]
    found = _companion.volume("open-webui")
    assert (found.there, found.path, found.files) == (True, str(tmp_path), 3)
    assert 111 <= found.bytes < 200
    assert found.users == ("c1c1c1c1c1c1", "open-webui")
    _companion.remove_volume("open-webui")
    assert engine.removed == ["open-webui"]


def test_a_volume_that_is_not_there(engine: Engine) -> None:
    engine.folders = {"open-webui-old": "/nowhere"}
    assert _companion.volume("open-webui") == Volume("open-webui")

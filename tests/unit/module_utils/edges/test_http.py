# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate's questions, asked of a real HTTP server on this machine that answers what the case says."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges._http import Api
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._certificate import fingerprint
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._gate import Answers
from ansible_collections.dgxspark.sglang.tests.unit.certificates import pair

INFO = {"model_path": "/models/tiny", "tp_size": 2, "version": "0.5.23", "api_key": "sk-1", "admin_api_key": "sk-2"}
IDENTITY = {"model_path": "/models/tiny", "tp_size": 2, "version": "0.5.23"}
ROUTES: dict[str, tuple[int, t.Any]] = {
    "/health": (200, None),
    "/v1/models": (200, {"data": [{"id": "tiny"}]}),
    "/server_info": (200, INFO),
    "/v1/completions": (200, {"usage": {"completion_tokens": 4}}),
    "/v1/embeddings": (200, {"usage": {"prompt_tokens": 2}}),
}


class Server:
    """An API that answers with `routes`; `asked` is what it was asked."""

    def __init__(self, routes: dict[str, tuple[int, t.Any]]) -> None:
        self.asked: list[tuple[str, str, str, t.Any]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                outer.asked.append((self.command, self.path, self.headers.get("Authorization", ""), body))
                status, content = routes.get(self.path, (404, {"detail": "Not Found"}))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(content if isinstance(content, bytes) else json.dumps(content).encode())

            do_GET = do_POST = answer

            def log_message(self, *_: t.Any) -> None:
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])


@pytest.fixture
def serve() -> t.Iterator[t.Callable[..., Server]]:
    servers: list[Server] = []

    def start(**changes: tuple[int, t.Any] | None) -> Server:
        """Serve ROUTES with other answers at some paths; None takes a path away."""
        routes = {path: answer for path, answer in {**ROUTES, **changes}.items() if answer is not None}
        servers.append(Server(routes))
        return servers[-1]

    yield start
    for server in servers:
        server.server.shutdown()
        server.server.server_close()


Serve = t.Callable[..., Server]


def answers(server: Server, **more: t.Any) -> Answers:
    return Api("0.0.0.0", server.port).answers("tiny", **more)


def test_a_server_that_serves_answers_everything_but_its_keys(serve: Serve) -> None:
    assert answers(serve()) == Answers(200, ("tiny",), IDENTITY, 4)


def test_an_older_server_is_asked_at_its_older_path(serve: Serve) -> None:
    server = serve(**{"/server_info": None, "/get_server_info": (200, INFO)})
    assert answers(server).info == IDENTITY


def test_the_generation_is_a_real_one_for_the_served_name(serve: Serve) -> None:
    server = serve()
    answers(server)
    assert server.asked[-1] == (
        "POST",
        "/v1/completions",
        "",
        {"model": "tiny", "prompt": "Hello", "max_tokens": 4},
    )


def test_an_embedding_model_is_asked_for_an_embedding(serve: Serve) -> None:
    server = serve(**{"/v1/completions": (400, None)})
    assert answers(server, embedding=True).completion_tokens == 2


def test_the_key_is_sent_with_every_question(serve: Serve) -> None:
    server = serve()
    Api("127.0.0.1", server.port, "sk-1").answers("tiny")
    assert {question[2] for question in server.asked} == {"Bearer sk-1"}


@pytest.mark.parametrize(
    ("path", "answer", "expected"),
    [
        pytest.param("/health", (503, None), Answers(503), id="loading"),
        pytest.param(
            "/v1/models", (401, {"error": "x"}), Answers(200, error="/v1/models answers 401"), id="a key is wanted"
        ),
        pytest.param(
            "/server_info",
            (500, None),
            Answers(200, ("tiny",), error="/get_server_info answers 404"),
            id="no server info at either path",
        ),
        pytest.param(
            "/v1/completions",
            (500, None),
            Answers(200, ("tiny",), IDENTITY, None, "/v1/completions answers 500"),
            id="the generation fails",
        ),
        pytest.param(
            "/v1/completions",
            (200, b"<html>"),
            Answers(200, ("tiny",), IDENTITY, None, "/v1/completions answers 200, but not as SGLang does"),
            id="the generation is no JSON",
        ),
    ],
)
def test_the_questions_stop_at_the_first_without_a_good_answer(
    serve: Serve, path: str, answer: tuple[int, t.Any], expected: Answers
) -> None:
    assert answers(serve(**{path: answer})) == expected


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/v1/models", b"<html>It works!</html>", "/v1/models answers 200, but not as SGLang does"),
        ("/v1/models", {"object": "list"}, "/v1/models answers 200, but not as SGLang does"),
        ("/server_info", b"<html>", "/get_server_info answers 404"),
        ("/server_info", ["x"], "/get_server_info answers 404"),
        ("/v1/completions", {"choices": []}, "/v1/completions answers 200, but not as SGLang does"),
    ],
)
def test_a_stranger_s_answer_is_an_answer_and_no_traceback(serve: Serve, path: str, body: t.Any, error: str) -> None:
    answer = answers(serve(**{path: (200, body)}))
    assert (answer.completion_tokens, answer.error) == (None, error)


@pytest.fixture
def speak_tls(tmp_path: Path) -> t.Callable[[Server], str]:
    """Return a function that makes a server speak TLS, and returns the fingerprint of its certificate."""

    def wrap(server: Server) -> str:
        made = pair(["a.example"])
        (tmp_path / "tls.pem").write_text(made.key + made.certificate, encoding="utf-8")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "tls.pem", tmp_path / "tls.pem")
        server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
        return fingerprint(made.certificate)

    return wrap


SpeakTls = t.Callable[[Server], str]


def test_a_server_that_speaks_tls_is_asked_like_any_other_and_known_by_its_certificate(
    serve: Serve, speak_tls: SpeakTls
) -> None:
    server = serve()
    certificate = speak_tls(server)
    found = Api("0.0.0.0", server.port, "sk-1", tls=True).answers("tiny")
    assert found == Answers(200, ("tiny",), IDENTITY, 4, certificate=certificate)


@pytest.mark.parametrize("path", ["/v1/models", "/server_info", "/v1/completions"])
def test_whoever_stops_half_way_has_shown_its_certificate(serve: Serve, speak_tls: SpeakTls, path: str) -> None:
    server = serve(**{path: (500, None)})
    certificate = speak_tls(server)
    assert Api("", server.port, tls=True).answers("tiny").certificate == certificate


def test_a_server_that_speaks_tls_does_not_answer_without(serve: Serve, speak_tls: SpeakTls) -> None:
    server = serve()
    speak_tls(server)
    assert Api("", server.port).health() == 0


def test_a_server_without_tls_has_no_certificate(serve: Serve) -> None:
    api = Api("", serve().port, tls=True)
    assert (api.health(), api.certificate()) == (0, "")


def test_nobody_there_is_status_0() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert Api("", port).answers("tiny") == Answers(0)


@pytest.mark.parametrize("key", ["sk-1\n", "sk-\u20ac"], ids=["a line end", "no Latin-1"])
def test_a_key_that_can_not_be_a_header_is_status_0(serve: Serve, key: str) -> None:
    server = serve()
    assert (Api("127.0.0.1", server.port, key).answers("tiny"), server.asked) == (Answers(0), [])


@pytest.mark.parametrize(
    ("host", "expected"), [("", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("10.0.0.11", "10.0.0.11")]
)
def test_the_api_is_asked_on_the_address_it_listens_on(host: str, expected: str) -> None:
    assert Api(host, 30000).host == expected

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who uses a node's models, on an engine that only says which containers there are, and a real API."""

from __future__ import annotations

import http.server
import json
import threading
import types
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges import _serving
from ansible_collections.dgxspark.sglang.plugins.module_utils.model._inventory import Mounted
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._container import (
    LABEL,
    SPEC_LABEL,
    Observed,
    build,
)
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._secrets import tls_args
from ansible_collections.dgxspark.sglang.tests.unit.builders import IMAGE_ID, observed, server_params

KEY = "sk-inventory"


@pytest.fixture
def api() -> t.Iterator[int]:
    """The port of an API that answers to who has the key."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == f"Bearer {KEY}" and self.path == "/v1/models"
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(json.dumps({"data": [{"id": "tiny"}]}).encode())

        def log_message(self, *_: t.Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


def ours(folder: Path, port: int, rank: int = 0, tls: bool = False, **changes: t.Any) -> Observed:
    more = tls_args(refresh=True) if tls else {}
    params = server_params(model_path=str(folder), args={"port": port, "node_rank": rank, **more})
    labels = {LABEL + "name": "sglang", LABEL + "port": str(port), LABEL + "rank": str(rank), LABEL + "model": "tiny"}
    labels[LABEL + "tls"] = "true" if tls else ""
    return observed(build(params, IMAGE_ID, {}), labels=labels, **changes)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """What Docker would say: `servers` are ours, `containers` all of them as its list shows them."""
    known = types.SimpleNamespace(servers=[], containers=[])

    class Engine:
        client = types.SimpleNamespace(api=types.SimpleNamespace(containers=lambda **_options: known.containers))

        def ours(self) -> list[Observed]:
            return list(known.servers)

    monkeypatch.setattr(_serving, "Docker", Engine)
    return known


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with the API key of the instance sglang."""
    (tmp_path / "state" / "sglang.secrets").mkdir(parents=True)
    (tmp_path / "state" / "sglang.secrets" / "config.yaml").write_text(f'admin-api-key: "x"\napi-key: "{KEY}"\n')
    return tmp_path / "state"


def test_the_api_is_asked_with_the_instance_s_own_key(
    engine: types.SimpleNamespace, api: int, state: Path, tmp_path: Path
) -> None:
    engine.servers = [ours(tmp_path, api)]
    known, error = _serving.look(str(state), [])
    assert (known.servers[0].names, known.servers[0].api, error) == (("tiny",), "answers", "")
    assert KEY not in repr(known)


def test_an_api_that_speaks_tls_is_asked_that_way(
    engine: types.SimpleNamespace, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, str, bool]] = []

    class Asked:
        def __init__(self, *args: t.Any) -> None:
            asked.append(args)  # type: ignore[arg-type]

        def ask(self, path: str, timeout: float) -> tuple[int, t.Any]:
            return 0, None

    monkeypatch.setattr(_serving, "Api", Asked)
    engine.servers = [ours(tmp_path, 30000, tls=True)]
    assert _serving.look(str(state), [])[0].servers[0].tls
    assert asked == [("", 30000, KEY, True)]


def test_without_the_key_the_api_says_no(engine: types.SimpleNamespace, api: int, tmp_path: Path) -> None:
    engine.servers = [ours(tmp_path, api)]
    assert _serving.look(str(tmp_path), [])[0].servers[0].api == "HTTP 401"


@pytest.mark.parametrize("changes", [{"status": "exited"}, {"rank": 1}], ids=["stopped", "not the head"])
def test_who_can_not_know_is_not_asked(
    engine: types.SimpleNamespace, api: int, state: Path, tmp_path: Path, changes: dict[str, t.Any]
) -> None:
    engine.servers = [ours(tmp_path, api, **changes)]
    assert _serving.look(str(state), [])[0].servers[0].api == ""


def test_folders_are_compared_with_their_links_resolved(
    engine: types.SimpleNamespace, state: Path, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (state / "sglang.last_good.json").write_text(json.dumps({"server": {"model_path": f"{tmp_path}/link/last"}}))
    (state / "broken.last_good.json").write_text("{")
    engine.servers = [ours(tmp_path / "link" / "tiny", 1, status="exited")]
    engine.containers = [
        {"Id": "1", "Names": ["/sglang"], "Labels": {SPEC_LABEL: "{}"}, "Mounts": [{"Source": "/ours"}]},
        {"Id": "2", "Names": ["/vllm"], "Mounts": [{"Source": f"{tmp_path}/link/b"}, {"Type": "tmpfs"}]},
        {"Id": "0123456789abcdef", "Names": None, "Labels": None, "Mounts": None},
    ]
    known, _error = _serving.look(str(state), [f"{tmp_path}/link/needed"])
    real = f"{tmp_path}/real"
    assert (known.servers[0].path, known.needed, known.kept) == (f"{real}/tiny", (f"{real}/needed",), (f"{real}/last",))
    assert known.mounted == (Mounted("vllm", (f"{real}/b",)), Mounted("0123456789ab", ()))
    assert known.complete


def test_where_nobody_says_what_is_needed_not_all_is_known(engine: types.SimpleNamespace, tmp_path: Path) -> None:
    assert not _serving.look(str(tmp_path), None)[0].complete


def test_without_docker_not_all_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse() -> t.NoReturn:
        raise SparkError("Docker does not answer.", "start it.")

    monkeypatch.setattr(_serving, "Docker", refuse)
    known, error = _serving.look(str(tmp_path), [])
    assert (known.complete, error) == (False, "Docker does not answer.\n  Next step: start it.")

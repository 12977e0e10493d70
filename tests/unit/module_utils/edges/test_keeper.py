# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A keeper's threads and files, on an engine that only remembers, with real sockets, and an API that answers."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges import (
    _keeper,
    _keeper_eyes,
    _keeper_files,
    _keeper_hands,
    _keeper_talk,
    _rank,
)
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges._keeper_files import Place
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges._keeper_talk import Asker, Listener, ask
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges._notify import longer, notify, status
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper import _head
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._kept import Kept, parse_kept
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._told import answer
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._types import (
    ABSENT,
    FOREIGN,
    OTHER,
    OTHER_UP,
    RUNNING,
    SERVING,
    START,
    STOP,
    STOPPED,
    UNKNOWN,
    UP,
    Action,
    Memory,
    Own,
)
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._container import LABEL, ContainerSpec, Observed
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._secrets import tls_args
from ansible_collections.dgxspark.sglang.tests.unit.builders import IMAGE_ID, server_params
from ansible_collections.dgxspark.sglang.tests.unit.keepers import GENERATION, last_good

NEVER = "0001-01-01T00:00:00Z"
LIMIT = 30.0  # seconds for what takes none


def soon(what: t.Callable[[], t.Any]) -> t.Any:
    """Return what becomes true, as soon as it is."""
    end = time.monotonic() + LIMIT
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


class Engine:
    """An engine with one container at most, and a record of what was asked of it."""

    def __init__(self) -> None:
        self.found: Observed | None = None
        self.did: list[tuple[t.Any, ...]] = []
        self.refuses = ""
        self.log_lines: list[str] = []
        self.made: ContainerSpec | None = None
        self.starts = 0

    def container(self, _name: str) -> Observed | None:
        if self.refuses == "everything":
            raise SparkError("Docker does not run.", "start it.")
        return self.found

    def image_id(self, _name: str) -> str:
        return "" if self.refuses == "image" else IMAGE_ID

    def log(self, _name: str, _since: str, _seconds: int) -> list[str]:
        return self.log_lines

    def tail(self, _name: str, _since: str, count: int) -> list[str]:
        return self.log_lines[-count:]

    def create(self, spec: ContainerSpec, labels: t.Mapping[str, str]) -> None:
        self.did.append(("create", dict(labels)))
        self.made = spec

    def rename(self, name: str) -> None:
        self.did.append(("rename", name))
        assert self.made
        self.found = container(status="created", started_at=NEVER, spec=self.made.canonical())

    def remove(self, name: str) -> None:
        self.did.append(("remove", name))

    def start(self, name: str) -> None:
        if self.refuses == "start":
            raise SparkError("Docker refuses to start it.", "mend it.")
        self.starts += 1
        self.did.append(("start", name))
        assert self.found
        self.found = replace(self.found, status="running", started_at=f"2026-11-21T02:03:{self.starts:02d}Z")

    def stop(self, name: str, timeout: int) -> None:
        self.did.append(("stop", name, timeout))
        self.end(0)

    def end(self, code: int) -> None:
        assert self.found
        self.found = replace(
            self.found, status="exited", exit_code=code, finished_at=self.found.started_at.replace("02:03", "02:59")
        )


def container(**changes: t.Any) -> Observed:
    labels = {LABEL + "name": "sglang", LABEL + "generation": changes.pop("generation", GENERATION)}
    given = {
        "id": "8f2c7d1e9a0b",
        "spec": "{}",
        "status": "running",
        "image_id": IMAGE_ID,
        "started_at": "2026-11-21T02:03:04Z",
        "finished_at": NEVER,
        "labels": labels,
    }
    return Observed(**{**given, **changes})


class Api:
    """What a server of SGLang's answers, as far as a keeper asks. `status`: of /health."""

    def __init__(self) -> None:
        self.status, self.model, self.tokens = 200, "tiny", 4
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.give(api.status if self.path == "/health" else 200)

            def do_POST(self) -> None:
                self.give(200)

            def give(self, status: int) -> None:
                known = {
                    "/v1/models": {"data": [{"id": api.model}]},
                    "/server_info": {"model_path": "/models/tiny", "tp_size": 2, "version": "0.5.23"},
                    "/v1/completions": {"usage": {"completion_tokens": api.tokens}},
                }
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(known.get(self.path, {})).encode())

            def log_message(self, *_: t.Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def api() -> t.Iterator[Api]:
    made = Api()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The node's engine, and looks that follow each other at once."""
    made = Engine()
    for module in (_keeper_eyes, _keeper_hands):
        monkeypatch.setattr(module, "Docker", lambda: made)
    for name in ("_EVERY", "_STARTING_EVERY", "_SERVING_EVERY"):
        monkeypatch.setattr(_keeper_eyes, name, 0.01)
    monkeypatch.setattr(_rank, "free_page_cache", lambda: made.did.append(("free",)))
    monkeypatch.setattr(_keeper_talk, "_EVERY", 0.01)
    monkeypatch.setattr(_keeper, "_TICK", 0.01)
    monkeypatch.setattr(_keeper, "_PLAN_EVERY", 0.05)
    monkeypatch.setattr(_head, "PAUSES", (0.05, 0.05, 0.05))
    return made


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def kept(folder: Path, **changes: t.Any) -> Kept:
    """Return the plan of a lone rank, or what the changes make of it, with folders of this test."""
    (folder / "tiny").mkdir(exist_ok=True)
    lone = [{"node": "spark-01", "rank": 0, "address": ""}]
    raw = last_good(**{"gpus": "none", "rails": [], "addresses": [], "peers": lone, "rank": 0, **changes})
    raw["server"] = server_params(
        model_path=str(folder / "tiny"), state_dir=str(folder / "state"), image_id=IMAGE_ID, restart_policy="no"
    )
    raw["gate"]["rank"] = raw["keep"]["rank"]
    return parse_kept(raw, "sglang", str)


# The service manager


def test_the_service_manager_hears_every_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1", status("Serves;\n 2 ranks."), longer(60))
        assert heard.recv(1000) == b"READY=1\nSTATUS=Serves; 2 ranks.\nEXTEND_TIMEOUT_USEC=60000000"


def test_who_has_no_service_manager_tells_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")


# Question and answer


def test_whoever_connects_gets_one_line_and_says_nothing() -> None:
    port = free_port()
    Listener("127.0.0.1", port, lambda: '{"state": "serving"}').start()
    soon(lambda: ask("127.0.0.1", port))
    assert ask("127.0.0.1", port) == '{"state": "serving"}\n'
    with socket.create_connection(("127.0.0.1", port)) as talk:
        talk.sendall(b"stop\n")
    assert ask("127.0.0.1", port) == '{"state": "serving"}\n'


def test_a_keeper_without_its_port_says_so_until_it_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_keeper_talk, "_AGAIN", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = int(other.getsockname()[1])
        listener = Listener("127.0.0.1", port, lambda: "x")
        listener.start()
        assert soon(lambda: listener.error) == f"127.0.0.1 port {port}: Address already in use"
    soon(lambda: ask("127.0.0.1", port))
    assert listener.error == ""


def test_who_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_keeper_talk, "_LIMIT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert ask("127.0.0.1", int(silent.getsockname()[1])) == ""
    assert ask("127.0.0.1", free_port()) == ""


def test_the_last_answer_is_kept_when_none_comes(engine: Engine, tmp_path: Path) -> None:
    port, plan = free_port(), kept(tmp_path, rank=1, peers=peers("127.0.0.1", "127.0.0.2"), watch_port=1)
    head = Memory(GENERATION, SERVING, epoch="e1")
    said = [json.dumps(answer(replace(plan.settings, rank=0), head, "Serves.", 0.0))]
    Listener("127.0.0.1", port, lambda: said[0]).start()
    asker = Asker(plan.settings, plan.settings.others[0], port)
    asker.start()
    assert soon(lambda: asker.told).words == "Serves."
    asked: list[str] = []
    said[0] = "nonsense"
    soon(lambda: asked.append(ask("127.0.0.1", port)) or len(asked) > 5)
    assert asker.told
    assert asker.told.words == "Serves."


def peers(*addresses: str) -> list[dict[str, t.Any]]:
    return [{"node": f"spark-0{rank + 1}", "rank": rank, "address": one} for rank, one in enumerate(addresses)]


# Files


def test_only_one_keeper_has_an_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_keeper_files, "_CLAIM_PAUSE", 0.0)
    place = Place("sglang", str(tmp_path / "run"))
    assert place.alive() is False
    with place.claim():
        assert (tmp_path / "run/sglang.keeper").stat().st_mode & 0o777 == 0o600
        assert place.alive() is True
        with pytest.raises(SparkError, match="Another keeper of this instance runs"), place.claim():
            pass
    assert place.alive() is False
    with place.claim():
        pass


def test_a_memory_is_kept_told_and_forgotten(tmp_path: Path) -> None:
    place = Place("sglang", str(tmp_path))
    assert (place.memory(), place.told()) == ("", {})
    place.remember("m")
    place.tell('{"state": "serving"}')
    assert (place.memory(), place.told()) == ("m", {"state": "serving"})
    place.remember("")
    place.remember("")
    assert place.memory() == ""


def test_who_has_the_lock_of_the_cluster_is_read(tmp_path: Path) -> None:
    place = Place("sglang", str(tmp_path))
    assert place.lock("alpha") == ""
    holder = {"user": "ops", "host": "desk", "pid": 7, "birth": "", "place": "", "run": "r"}
    now = int(time.time())
    lock = {"cluster": "alpha", "holder": holder, "purpose": "to serve", "since": now, "expires": now + 900}
    (tmp_path / "alpha.lock").write_text(json.dumps(lock))
    assert place.lock("alpha").startswith("ops@desk (process 7) since ")
    (tmp_path / "alpha.lock").write_text(json.dumps({**lock, "expires": now - 1}))
    assert place.lock("alpha") == ""


def test_another_instance_s_state_counts_while_its_keeper_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_keeper_files, "WANTS", str(tmp_path))
    first, mine = Place("first", str(tmp_path)), Place("sglang", str(tmp_path))
    first.tell('{"state": "starting"}')
    assert mine.before("first") == ("", False)
    (tmp_path / "dgxspark-sglang@first.service").touch()
    with first.claim():
        assert mine.before("first") == ("starting", True)


def test_a_plan_that_can_not_be_read_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(SparkError, match="no last good plan"):
        _keeper_files.load(str(tmp_path), "sglang")
    (tmp_path / "sglang.last_good.json").write_text("{")
    with pytest.raises(SparkError, match="no last good plan"):
        _keeper_files.load(str(tmp_path), "sglang")
    (tmp_path / "sglang.last_good.json").write_text(json.dumps(last_good()))
    assert _keeper_files.load(str(tmp_path), "sglang").settings.rank == 1


# Eyes


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, Own(ABSENT)),
        (container(), Own(UP, "2026-11-21T02:03:04Z")),
        (container(status="paused"), Own(UP, "2026-11-21T02:03:04Z")),
        (container(status="created", started_at=NEVER), Own(STOPPED)),
        (container(spec=None), Own(FOREIGN)),
        (container(generation="other"), Own(OTHER_UP, "2026-11-21T02:03:04Z")),
        (container(generation="other", status="exited"), Own(OTHER, "2026-11-21T02:03:04Z")),
    ],
)
def test_what_a_container_is_to_its_keeper(
    engine: Engine, tmp_path: Path, found: Observed | None, expected: Own
) -> None:
    engine.found = found
    look = _keeper_eyes.ContainerLook(kept(tmp_path), lambda: "")
    assert look._look(t.cast(t.Any, engine))[0] == expected


def test_how_it_ended_is_told_with_what_that_means(engine: Engine, tmp_path: Path) -> None:
    engine.found = container(status="exited", exit_code=137, oom_killed=True, finished_at="2026-11-21T02:05:00Z")
    own = _keeper_eyes.ContainerLook(kept(tmp_path), lambda: "")._look(t.cast(t.Any, engine))[0]
    assert (own.status, own.end) == (STOPPED, "2026-11-21T02:05:00Z")
    assert own.words.startswith("was killed for lack of memory.")
    assert "Next step:" in own.words


def test_last_words_tell_no_secret(engine: Engine, tmp_path: Path) -> None:
    engine.found = container(status="exited", exit_code=1, finished_at="2026-11-21T02:05:00Z")
    engine.log_lines = ["ValueError: api_key='sk-very-secret' is wrong"]
    own = _keeper_eyes.ContainerLook(kept(tmp_path), lambda: "")._look(t.cast(t.Any, engine))[0]
    assert "very-secret" not in own.words


def test_a_docker_that_does_not_run_is_no_end(engine: Engine, tmp_path: Path) -> None:
    engine.refuses = "everything"
    look = _keeper_eyes.ContainerLook(kept(tmp_path), lambda: "")
    look.start()
    soon(lambda: look.latest()[0])
    assert look.latest()[1] == Own(UNKNOWN, words="Docker does not run.")
    engine.refuses, engine.found = "", container()
    assert soon(lambda: look.latest()[1].status == UP)


def test_a_docker_that_hangs_is_no_end_either(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_keeper_eyes, "_STALE", -1.0)
    look = _keeper_eyes.ContainerLook(kept(tmp_path), lambda: "")
    assert look.latest() == (0.0, Own(), ())
    look.start()
    assert soon(lambda: look.latest()[1].words) == "Docker does not answer."


def test_what_a_start_needs_is_looked_at(engine: Engine, tmp_path: Path) -> None:
    plan = kept(tmp_path, addresses=["127.0.0.1", "203.0.113.7"], rails=["rocep9"])
    (tmp_path / "tiny").rmdir()
    engine.refuses = "image"
    lacking = _keeper_eyes.ContainerLook(plan, lambda: "the port is taken")._look(t.cast(t.Any, engine))[1]
    assert [what.split(" ")[0:2] for what in lacking] == [
        ["no", "interface"],
        ["no", "link"],
        ["the", "model"],
        ["the", "image"],
        ["the", "other"],
    ]
    assert "203.0.113.7" in lacking[0]
    assert "127.0.0.1" not in lacking[0]


def test_a_server_serves_when_it_has_proven_to_be_ours(engine: Engine, tmp_path: Path, api: Api) -> None:
    engine.found, api.status = container(), 503
    plan = kept(tmp_path, api={"host": "127.0.0.1", "port": api.port, "tls": False})
    engine.log_lines = ["Load weight begin."]
    look = _keeper_eyes.HealthLook(plan, lambda: Own(UP, "2026-11-21T02:03:04Z"))
    look.start()
    assert soon(lambda: look.health.phase) == "loading weights"
    assert (look.health.passed, look.health.at) == (False, 0.0)
    api.status = 200
    soon(lambda: look.health.passed)
    api.status = 503
    soon(lambda: api.status == 503)
    first = look.health.at
    api.status = 200
    assert soon(lambda: look.health.at > first)


def test_another_server_on_the_port_is_refused(engine: Engine, tmp_path: Path, api: Api) -> None:
    engine.found, api.model = container(), "other"
    plan = kept(tmp_path, api={"host": "127.0.0.1", "port": api.port, "tls": False})
    look = _keeper_eyes.HealthLook(plan, lambda: Own(UP, "2026-11-21T02:03:04Z"))
    look.start()
    assert soon(lambda: look.health.refused) == "/v1/models lists other, needed is tiny."


def test_the_key_of_the_api_is_the_engine_s_own(tmp_path: Path) -> None:
    plan = kept(tmp_path)
    state_dir, instance = plan.server["state_dir"], plan.settings.instance
    assert _rank.api_key(state_dir, instance) == ""
    (tmp_path / "state/sglang.secrets").mkdir(parents=True)
    (tmp_path / "state/sglang.secrets/config.yaml").write_text('admin-api-key: "a"\napi-key: "sk-1"\n')
    assert _rank.api_key(state_dir, instance) == "sk-1"


def test_a_silent_head_s_api_is_asked_over_the_rails(engine: Engine, tmp_path: Path, api: Api) -> None:
    place = {"host": "0.0.0.0", "port": api.port, "tls": False}
    plan, quiet = kept(tmp_path, rank=1, peers=peers("127.0.0.1", "127.0.0.2"), api=place), [20.0]
    look = _keeper_eyes.HeadLook(plan, lambda: quiet[0])
    look.start()
    assert soon(lambda: look.serves)
    quiet[0] = 1.0
    assert soon(lambda: not look.serves)


# Hands


def carry_out(plan: Kept, action: Action) -> _keeper_hands.Hands:
    hands = _keeper_hands.Hands(plan)
    hands.start()
    hands.give(action)
    soon(lambda: not hands.busy)
    return hands


def test_the_kept_container_is_started_as_it_is(engine: Engine, tmp_path: Path) -> None:
    engine.found = container(status="exited")
    hands = carry_out(kept(tmp_path), Action(START))
    assert (engine.did, hands.fault, hands.did) == ([("free",), ("start", "sglang")], "", "")
    assert hands.ended > 0


def test_one_that_runs_is_left_alone(engine: Engine, tmp_path: Path) -> None:
    engine.found = container()
    assert carry_out(kept(tmp_path), Action(START)).fault == ""
    assert engine.did == []


@pytest.mark.parametrize("found", [None, container(generation="other")], ids=["missing", "of another plan"])
def test_a_container_is_made_anew_from_the_plan_and_its_secrets(
    engine: Engine, tmp_path: Path, found: Observed | None
) -> None:
    engine.found = found
    (tmp_path / "state/sglang.secrets").mkdir(parents=True)
    (tmp_path / "state/sglang.secrets/config.yaml").write_text('api-key: "sk-1"\n')
    hands = carry_out(kept(tmp_path), Action(START))
    names = [did[0] for did in engine.did]
    assert names == ["create", *(["stop", "remove"] if found else []), "rename", "free", "start"]
    assert engine.made
    assert (engine.made.restart_policy, set(engine.made.secrets), engine.made.image_id) == ("no", {"api_key"}, IMAGE_ID)
    assert engine.made.generation == GENERATION
    assert "made anew from the last good plan" in hands.did


def test_a_plan_with_tls_gets_the_certificate_that_an_interrupted_run_has_put_aside(
    engine: Engine, tmp_path: Path
) -> None:
    plan = kept(tmp_path)
    plan.server["args"].update(tls_args(refresh=True))
    former = tmp_path / "state/sglang.secrets.former/tls.pem"
    former.parent.mkdir(parents=True)
    former.write_text("certificate and key")
    assert carry_out(plan, Action(START)).fault == ""
    assert (tmp_path / "state/sglang.secrets/tls.pem").read_text() == "certificate and key"


def test_a_container_of_somebody_else_is_not_touched(engine: Engine, tmp_path: Path) -> None:
    engine.found = container(spec=None)
    assert "this collection did not make" in carry_out(kept(tmp_path), Action(START)).fault
    assert engine.did == []


def test_what_docker_refuses_is_a_fault_until_the_next_action(engine: Engine, tmp_path: Path) -> None:
    engine.found, engine.refuses = container(status="exited"), "start"
    hands = carry_out(kept(tmp_path), Action(START))
    assert hands.fault == "Docker refuses to start it. Next step: mend it."
    engine.refuses = ""
    hands.give(Action(STOP, 5))
    soon(lambda: not hands.busy)
    assert (hands.fault, engine.did[-1]) == ("", ("stop", "sglang", 5))


# The keeper


class Running:
    """A keeper in a thread, with its exit status and its log."""

    def __init__(self, plan: Kept, folder: Path) -> None:
        self.lines: list[str] = []
        self.ended: list[t.Any] = []
        self.place = Place("sglang", str(folder))
        self.plan = plan
        self.keeper = _keeper.Keeper(plan, self.place, lambda: self.plan, self.lines.append)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self.ended.append(self.keeper.run())
        except _keeper.Reload:
            self.ended.append("reload")

    @property
    def state(self) -> str:
        return str(self.place.told().get("state", ""))

    def leave(self) -> t.Any:
        self.keeper.leave()
        return soon(lambda: self.ended)[0]


def lone(tmp_path: Path, api: Api) -> Running:
    plan = kept(tmp_path, api={"host": "127.0.0.1", "port": api.port, "tls": False})
    return Running(plan, tmp_path)


def test_a_lone_rank_is_taken_over_restarted_and_stopped(engine: Engine, tmp_path: Path, api: Api) -> None:
    engine.found = container()
    keeper = lone(tmp_path, api)
    soon(lambda: keeper.state == SERVING)
    assert (engine.did, keeper.lines[-1]) == ([], "Serves; what ran was taken over without a restart.")
    engine.end(1)
    soon(lambda: keeper.state != SERVING)
    soon(lambda: keeper.state == SERVING)
    assert engine.did == [("free",), ("start", "sglang")]
    assert json.loads(keeper.place.memory())["state"] == SERVING
    assert keeper.leave() == 0
    assert (engine.did[-1], keeper.place.memory()) == (("stop", "sglang", 60), "")


def test_a_new_keeper_goes_on_where_the_last_one_was(engine: Engine, tmp_path: Path, api: Api) -> None:
    engine.found = container()
    first = lone(tmp_path, api)
    soon(lambda: first.state == SERVING)
    epoch = json.loads(first.place.memory())["epoch"]
    first.keeper.reload()
    assert soon(lambda: first.ended) == ["reload"]
    second = lone(tmp_path, api)
    soon(lambda: second.lines)
    assert (json.loads(second.place.memory())["epoch"], engine.did) == (epoch, [])
    second.leave()


def test_another_plan_on_disk_makes_the_keeper_begin_anew(engine: Engine, tmp_path: Path, api: Api) -> None:
    engine.found = container()
    keeper = lone(tmp_path, api)
    soon(lambda: keeper.state == SERVING)
    keeper.plan = replace(keeper.plan, settings=replace(keeper.plan.settings, patience=240.0))
    assert soon(lambda: keeper.ended) == ["reload"]
    assert engine.did == []


def test_a_worker_follows_its_head(engine: Engine, tmp_path: Path) -> None:
    port = free_port()
    plan = kept(tmp_path, rank=1, peers=peers("127.0.0.1", "127.0.0.2"), watch_port=port)
    head = [Memory(GENERATION, "waiting")]
    Listener("127.0.0.1", port, lambda: json.dumps(answer(replace(plan.settings, rank=0), head[0], "", 0.0))).start()
    keeper = Running(plan, tmp_path)
    soon(lambda: keeper.state == "ready")
    engine.found = container(status="exited", exit_code=0, finished_at="2026-11-21T02:05:00Z")
    head[0] = Memory(GENERATION, "starting", epoch="e1")
    soon(lambda: keeper.state == RUNNING)
    told = json.loads(ask("127.0.0.2", port))
    assert (told["epoch"], told["rank"], told["generation"]) == ("e1", 1, GENERATION)
    engine.end(1)
    soon(lambda: keeper.state == "ended")
    assert json.loads(ask("127.0.0.2", port))["fall"]["epoch"] == "e1"
    head[0] = Memory(GENERATION, "pausing")
    soon(lambda: keeper.state == "ready")
    assert keeper.leave() == 0
    assert [did[0] for did in engine.did] == ["free", "start"]


def test_a_lost_thread_ends_the_keeper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Half a keeper would be worse than none: systemd starts it again."""
    ended: list[int] = []
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(_keeper.os, "_exit", ended.append)
    assert _keeper.keep(str(tmp_path), "sglang") == 3  # nothing to keep
    threading.excepthook(threading.ExceptHookArgs((ValueError, ValueError("x"), None, None)))
    assert ended == [1]

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How sglang_server converges one container, on an engine that only remembers what it was told."""

from __future__ import annotations

import socket
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges import _plans, _rank
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._container import ContainerSpec, Observed
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._secrets import tls_args
from ansible_collections.dgxspark.sglang.plugins.modules import sglang_server
from ansible_collections.dgxspark.sglang.tests.unit.builders import IMAGE_ID, OTHER_ID, observed, server_params, shown


class Engine:
    """An engine with the interface of Docker: one container at most, and a record of what was asked of it."""

    def __init__(self, found: Observed | None = None, image_id: str = IMAGE_ID, gpu: bool = True) -> None:
        self.found, self.local_image, self.gpu = found, image_id, gpu
        self.next: ContainerSpec | None = None
        self.did: list[tuple[str, ...]] = []
        self.freed: list[int] = []  # how much was done before the page cache was given back
        self.labels: t.Mapping[str, str] = {}
        self.refuses = ""

    def container(self, name: str) -> Observed | None:
        return self.found

    def image_id(self, name: str) -> str:
        return self.local_image

    def gpu_runtime(self) -> bool:
        return self.gpu

    def name_of(self, container_id: str) -> str:
        return ""

    def refuse(self, action: str) -> None:
        if action == self.refuses:
            raise SparkError(f"Docker refuses to {action}.", "mend it.")

    def create(self, spec: ContainerSpec, labels: t.Mapping[str, str]) -> None:
        self.refuse("create")
        self.did.append(("create",))
        self.next, self.labels = spec, labels

    def rename(self, name: str) -> None:
        self.refuse("rename")
        self.did.append(("rename", name))
        assert self.next
        self.found = observed(self.next, status="created")

    def start(self, name: str) -> None:
        self.refuse("start")
        self.did.append(("start", name))
        assert self.found
        self.found = replace(self.found, status="running")

    def stop(self, name: str, timeout: int) -> None:
        self.refuse("stop")
        self.did.append(("stop", name, str(timeout)))
        assert self.found
        self.found = replace(self.found, status="exited")

    def remove(self, name: str) -> None:
        self.refuse("remove")
        self.did.append(("remove", name))
        self.found = None


class Module:
    """The part of AnsibleModule that converge uses."""

    def __init__(self, params: dict[str, t.Any], check_mode: bool) -> None:
        self.params, self.check_mode = params, check_mode
        self.warnings: list[str] = []
        # systemctl is only called where keepers are installed; there it says this of the one that is asked for.
        self.keeper = ""
        self.systemctl: list[str] = []

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        if "show" in command:
            return 0, self.keeper, ""
        self.systemctl.append(" ".join(command))
        return (1, "", "refused") if "refused" in self.keeper else (0, "", "")

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def params(tmp_path: Path) -> dict[str, t.Any]:
    """Options with folders of this test and a port that nobody uses."""
    (tmp_path / "model").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return server_params(
        model_path=str(tmp_path / "model"), state_dir=str(tmp_path / "state"), args={"port": port}, image=IMAGE_ID
    )


@pytest.fixture
def converge(params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, t.Any]]:
    """Return a function that converges an engine with some options changed."""

    def run(engine: Engine, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
        monkeypatch.setattr(sglang_server, "Docker", lambda: engine)
        monkeypatch.setattr(sglang_server, "HAVE_DOCKER", True)
        monkeypatch.setattr(_rank, "free_page_cache", lambda: engine.freed.append(len(engine.did)))
        return sglang_server.converge(t.cast(t.Any, Module({**params, **changes}, check_mode)))

    return run


Converge = t.Callable[..., dict[str, t.Any]]


def running(converge: Converge, **changes: t.Any) -> Engine:
    """Return an engine whose container runs as these options say, with nothing on its record."""
    engine = Engine()
    converge(engine, **changes)
    engine.did.clear()
    return engine


def test_a_new_container_is_created_named_and_started(converge: Converge) -> None:
    engine = Engine()
    result = converge(engine)
    assert engine.did == [("create",), ("rename", "sglang"), ("start", "sglang")]
    assert engine.freed == [2]  # right before it starts: on GB10 the cache is memory that CUDA can't have
    assert (result["changed"], result["actions"], result["container"]["running"]) == (
        True,
        ["create", "rename", "start"],
        True,
    )


def test_a_second_run_does_nothing(converge: Converge) -> None:
    engine = running(converge)
    result = converge(engine)
    assert (engine.did, result["changed"], result["actions"]) == ([], False, [])
    assert result["diff"]["before"] == result["diff"]["after"]


def test_a_replacement_is_created_before_the_old_one_is_stopped(converge: Converge) -> None:
    engine = running(converge)
    converge(engine, env={"NCCL_DEBUG": "INFO"})
    assert engine.did == [
        ("create",),
        ("stop", "sglang", "60"),
        ("remove", "sglang"),
        ("rename", "sglang"),
        ("start", "sglang"),
    ]


def test_a_restart_keeps_the_container(converge: Converge) -> None:
    engine = running(converge)
    converge(engine, state="restarted")
    assert engine.did == [("stop", "sglang", "60"), ("start", "sglang")]


def test_a_stop_keeps_the_container(converge: Converge) -> None:
    engine = running(converge)
    result = converge(engine, state="stopped", stop_timeout=5)
    assert (engine.did, result["container"]["status"]) == ([("stop", "sglang", "5")], "exited")


def test_absent_removes_container_and_secrets(converge: Converge, tmp_path: Path) -> None:
    engine = running(converge, api_key="sk-1")
    result = converge(engine, state="absent")
    assert (engine.did, result["container"]) == ([("stop", "sglang", "60"), ("remove", "sglang")], {})
    assert not (tmp_path / "state/sglang.secrets").exists()


@pytest.mark.parametrize("state", ["started", "restarted", "stopped", "absent"])
def test_check_mode_tells_the_same_and_touches_nothing(converge: Converge, state: str, tmp_path: Path) -> None:
    told, done = running(converge), running(converge)
    changes = {"state": state, "env": {"A": "1"}, "api_key": "sk-1"}
    before = {path.name for path in tmp_path.rglob("*")}
    predicted = converge(told, check_mode=True, **changes)
    assert (told.did, {path.name for path in tmp_path.rglob("*")}) == ([], before)
    result = converge(done, **changes)
    assert set(predicted) == set(result)
    kept = ("changed", "actions", "command", "digest", "diff")
    assert {key: predicted[key] for key in kept} == {key: result[key] for key in kept}


def test_secrets_are_written_for_the_engine_and_nowhere_in_the_result(converge: Converge, tmp_path: Path) -> None:
    engine = Engine()
    result = converge(engine, api_key="sk-very-secret", hf_token="hf_very-secret")
    folder = tmp_path / "state/sglang.secrets"
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == {
        "config.yaml": 'api-key: "sk-very-secret"\n',
        "hf_token": "hf_very-secret",
    }
    assert "very-secret" not in repr((result, engine.next, engine.labels))


def test_a_secret_that_is_no_longer_set_leaves_the_node(converge: Converge, tmp_path: Path) -> None:
    engine = running(converge, api_key="sk-1")
    converge(engine)
    assert not (tmp_path / "state/sglang.secrets").exists()


def tls(params: dict[str, t.Any], pem: str = "first", refresh: bool = True) -> dict[str, t.Any]:
    """Return options with which rank 0 speaks TLS."""
    return {"args": {**params["args"], **tls_args(refresh)}, "tls_pem": pem}


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_renewed_certificate_is_a_change_that_leaves_the_server_alone(
    converge: Converge, params: dict[str, t.Any], tmp_path: Path, check_mode: bool
) -> None:
    engine = running(converge, **tls(params))
    result = converge(engine, check_mode, **tls(params, "renewed"))
    assert (engine.did, result["changed"], result["actions"]) == ([], True, ["renew"])
    diff = result["diff"]
    assert diff["before"] == {**diff["after"], "secret_files": "as they were"}
    kept = (tmp_path / "state/sglang.secrets/tls.pem").read_text(encoding="utf-8")
    assert kept == ("first" if check_mode else "renewed")
    assert converge(engine, **tls(params, kept))["changed"] is False


def test_a_secret_file_that_somebody_removed_is_written_again(converge: Converge, tmp_path: Path) -> None:
    engine = running(converge, api_key="sk-1")
    (tmp_path / "state/sglang.secrets/config.yaml").unlink()
    assert (converge(engine, api_key="sk-1")["actions"], engine.did) == (["renew"], [])
    assert (tmp_path / "state/sglang.secrets/config.yaml").exists()


def test_where_the_engine_reads_it_once_a_renewed_certificate_is_another_server(
    converge: Converge, params: dict[str, t.Any]
) -> None:
    engine = running(converge, **tls(params, refresh=False))
    assert converge(engine, **tls(params, "renewed", refresh=False))["actions"] == [
        *("create", "stop", "remove", "rename", "start")
    ]


def test_a_worker_gets_no_private_key(converge: Converge, tmp_path: Path) -> None:
    result = converge(Engine(), tls_pem="first")
    assert (result["container"]["tls"], (tmp_path / "state/sglang.secrets").exists()) == ("", False)


def test_the_way_back_to_a_plan_with_tls_has_its_certificate(
    converge: Converge, params: dict[str, t.Any], tmp_path: Path
) -> None:
    """A request that takes TLS away and fails gives none for the plan before."""
    engine, kept = running(converge, **tls(params)), tmp_path / "state/sglang.secrets/tls.pem"
    assert converge(engine)["changed"] is True
    assert not kept.exists()
    assert converge(engine, **tls(params, ""))["changed"] is True
    assert kept.read_text(encoding="utf-8") == "first"
    _plans.settle(str(tmp_path / "state"), "sglang")
    assert [path.name for path in (tmp_path / "state").iterdir() if path.is_dir()] == ["sglang.secrets"]


def test_a_plan_with_tls_and_no_certificate_is_refused_while_the_old_server_runs(
    converge: Converge, params: dict[str, t.Any]
) -> None:
    assert refusal(converge, running(converge, **tls(params)), **tls(params, "")) == (
        "This plan speaks TLS (ssl_certfile), and there is no key and certificate for it.",
        "set server_tls_certificate and server_tls_key.",
    )


def test_a_label_says_that_the_api_speaks_tls(converge: Converge, params: dict[str, t.Any]) -> None:
    engine = Engine()
    converge(engine, **tls(params))
    assert engine.labels["dgxspark.sglang.tls"] == "true"


def test_labels_for_people_name_model_image_and_port(converge: Converge, params: dict[str, t.Any]) -> None:
    engine = Engine()
    converge(engine)
    assert engine.labels == {
        "dgxspark.sglang.model": "tiny",
        "dgxspark.sglang.image": IMAGE_ID,
        "dgxspark.sglang.port": str(params["args"]["port"]),
        "dgxspark.sglang.tls": "",
    }


def refusal(converge: Converge, engine: Engine, **changes: t.Any) -> tuple[str, str]:
    with pytest.raises(SparkError) as caught:
        converge(engine, **changes)
    assert engine.did == []
    (only,) = shown(caught.value.problems)
    return only


@pytest.mark.parametrize("state", ["started", "restarted", "stopped", "absent"])
def test_a_container_of_somebody_else_is_refused_and_not_touched(converge: Converge, state: str) -> None:
    assert refusal(converge, Engine(observed(image_id=OTHER_ID)), state=state) == (
        "A container named sglang exists that this collection did not make.",
        "rename or remove it, or choose another name; it is not touched.",
    )


def test_an_image_that_is_not_there_is_refused(converge: Converge) -> None:
    assert refusal(converge, Engine(image_id=""), image="example/x:1") == (
        "Image example/x:1 is not on this node.",
        "pull it first with dgxspark.sglang.sglang_image.",
    )


def test_a_model_folder_that_is_not_there_is_refused_while_the_old_server_runs(converge: Converge) -> None:
    assert refusal(converge, running(converge), model_path="/nowhere/tiny") == (
        "The model folder /nowhere/tiny does not exist.",
        "copy the model there first.",
    )


def test_a_node_without_a_gpu_runtime_is_refused(converge: Converge) -> None:
    assert refusal(converge, Engine(gpu=False)) == (
        "Docker knows no NVIDIA runtime, so the container would get no GPU.",
        "install nvidia-container-toolkit and restart Docker (DGX OS ships it), or set gpus: none.",
    )


def test_rdma_without_its_devices_is_refused(
    converge: Converge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sglang_server, "RDMA_DEVICES", str(tmp_path / "infiniband"))
    assert refusal(converge, Engine(), rdma=True) == (
        f"This node has no {tmp_path}/infiniband.",
        "check the ConnectX-7 card and its driver, or set rdma: false.",
    )


def test_rdma_with_its_devices_starts(converge: Converge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sglang_server, "RDMA_DEVICES", str(tmp_path))
    assert converge(Engine(), rdma=True)["changed"] is True


def test_without_rdma_nobody_looks_for_its_devices(
    converge: Converge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sglang_server, "RDMA_DEVICES", str(tmp_path / "infiniband"))
    assert converge(Engine(), rdma=False)["changed"] is True


@pytest.mark.parametrize(
    ("refused", "touched"),
    [("create", False), ("stop", True), ("remove", True), ("rename", True), ("start", True)],
)
def test_a_failure_says_whether_the_old_server_was_touched(converge: Converge, refused: str, touched: bool) -> None:
    engine = running(converge)
    engine.refuses = refused
    with pytest.raises(SparkError) as caught:
        converge(engine, env={"A": "1"})
    assert caught.value.as_result() == {
        "msg": f"Docker refuses to {refused}.\n  Next step: mend it.",
        "reason": f"Docker refuses to {refused}.",
        "hint": "mend it.",
        "touched": touched,
        "seconds": caught.value.facts["seconds"],
    }


def test_a_new_container_that_got_no_name_touched_nothing(converge: Converge) -> None:
    engine = Engine()
    engine.refuses = "rename"
    with pytest.raises(SparkError) as caught:
        converge(engine)
    assert (engine.did, caught.value.facts["touched"]) == ([("create",)], False)


def test_after_a_refused_create_the_old_server_runs_on(converge: Converge) -> None:
    engine = running(converge)
    engine.refuses = "create"
    with pytest.raises(SparkError):
        converge(engine, env={"A": "1"})
    assert engine.did == []
    assert engine.found
    assert engine.found.running


def test_the_folder_of_the_last_good_plan_is_made_for_its_owner_alone(converge: Converge, tmp_path: Path) -> None:
    converge(Engine())
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_an_engine_on_cpu_needs_no_gpu_runtime(converge: Converge) -> None:
    assert converge(Engine(gpu=False), gpus="none")["changed"] is True


def test_a_port_that_somebody_else_has_is_refused(converge: Converge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        what, hint = refusal(converge, Engine(), args={"port": port})
    assert what.startswith(f"Port {port} is taken by ")
    assert hint == "stop it, or choose another port."


def test_what_runs_as_wanted_is_not_checked_again(converge: Converge) -> None:
    engine = running(converge)
    engine.gpu = False
    assert converge(engine)["changed"] is False


def test_in_check_mode_without_the_sdk_nothing_is_assumed_to_be_there(
    params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sglang_server, "HAVE_DOCKER", False)
    module = Module(params, check_mode=True)
    result = sglang_server.converge(t.cast(t.Any, module))
    assert (result["actions"], result["container"], module.warnings) == (
        ["create", "rename", "start"],
        {},
        [
            "Docker was not asked: install python3-docker on the node (the role host does). Assuming that no server of"
            " this collection is here."
        ],
    )


def test_what_takes_long_is_told_by_what_it_was_for(converge: Converge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by as many seconds as letters: create 6, stop 4, remove 6, rename 6, start 5."""
    engine = running(converge)
    now = [0.0]
    monkeypatch.setattr(sglang_server.time, "monotonic", lambda: now[0])
    act = sglang_server.act

    def slow(engine: t.Any, action: str, *rest: t.Any) -> None:
        now[0] += len(action)
        act(engine, action, *rest)

    monkeypatch.setattr(sglang_server, "act", slow)
    assert converge(engine, env={"A": "1"})["seconds"] == {"stop": 4.0, "start": 17.0}
    assert converge(engine, env={"A": "1"})["seconds"] == {"stop": 0.0, "start": 0.0}
    engine.refuses = "start"
    with pytest.raises(SparkError) as caught:
        converge(engine, env={"A": "2"})
    assert caught.value.facts["seconds"] == {"stop": 4.0, "start": 12.0}


def test_check_mode_takes_no_time(converge: Converge) -> None:
    assert converge(Engine(), check_mode=True)["seconds"] == {"stop": 0.0, "start": 0.0}


KEPT = "ActiveState=active\nUnitFileState=enabled\nStatusText=Serves.\n"
HELD = "ActiveState=inactive\nUnitFileState=enabled\n"
UNIT = "dgxspark-sglang@sglang.service"
HOLD, DISABLE = (
    [f"systemctl stop {UNIT}"],
    [f"systemctl disable --quiet --now {UNIT}", f"systemctl reset-failed {UNIT}"],
)


@pytest.fixture
def kept(params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., tuple[Module, dict[str, t.Any]]]:
    """Return a function that converges on a node whose keeper says this of itself."""
    monkeypatch.setattr(sglang_server._units, "installed", lambda: True)
    monkeypatch.setattr(sglang_server, "HAVE_DOCKER", True)

    def run(engine: Engine, keeper: str, check: bool = False, **changes: t.Any) -> tuple[Module, dict[str, t.Any]]:
        monkeypatch.setattr(sglang_server, "Docker", lambda: engine)
        module = Module({**params, **changes}, check)
        module.keeper = keeper
        return module, sglang_server.converge(t.cast(t.Any, module))

    return run


Keep = t.Callable[..., tuple[Module, dict[str, t.Any]]]


@pytest.mark.parametrize("check", [False, True])
def test_the_keeper_is_held_once_docker_has_taken_the_replacement(converge: Converge, kept: Keep, check: bool) -> None:
    engine = running(converge)
    module, result = kept(engine, KEPT, check, env={"A": "1"})
    assert result["actions"] == ["create", "hold", "stop", "remove", "rename", "start"]
    assert module.systemctl == ([] if check else HOLD)


def test_a_keeper_that_was_held_already_is_left_alone(converge: Converge, kept: Keep) -> None:
    module, result = kept(running(converge), HELD, state="restarted")
    assert (result["actions"], module.systemctl) == (["stop", "start"], [])


def test_what_runs_as_wanted_keeps_its_keeper(converge: Converge, kept: Keep) -> None:
    module, result = kept(running(converge), KEPT)
    assert (result["changed"], module.systemctl) == (False, [])


@pytest.mark.parametrize("state", ["stopped", "absent"])
@pytest.mark.parametrize("keeper", [KEPT, HELD])
def test_what_is_not_to_run_is_not_even_started_at_boot(
    converge: Converge, kept: Keep, state: str, keeper: str
) -> None:
    module, result = kept(running(converge), keeper, state=state)
    assert (result["actions"][0], module.systemctl) == ("disable", DISABLE)


def test_a_keeper_without_a_container_is_no_reason_to_leave_it(kept: Keep) -> None:
    module, result = kept(Engine(), KEPT, state="absent")
    assert (result["changed"], result["actions"], module.systemctl) == (True, ["disable"], DISABLE)


def test_a_keeper_that_can_not_be_held_stops_the_run_before_the_container_is_touched(
    converge: Converge, kept: Keep
) -> None:
    engine = running(converge)
    with pytest.raises(SparkError, match="systemctl stop") as caught:
        kept(engine, KEPT + "refused=1\n", env={"A": "1"})
    assert ([did[0] for did in engine.did], caught.value.facts["touched"]) == (["create"], True)

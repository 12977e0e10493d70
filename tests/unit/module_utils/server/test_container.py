# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._container import (
    ContainerSpec,
    Mount,
    Observed,
    build,
    decide,
    diff,
)
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._secrets import checksum, tls_args
from ansible_collections.dgxspark.sglang.tests.unit.builders import IMAGE_ID, OTHER_ID, observed, server_params

SECRETS = {"api_key": "sk-live-1234", "admin_api_key": "root-5678", "hf_token": "hf_very-secret"}
REPLACE_RUNNING = ("create", "stop", "remove", "rename", "start")


def spec(secrets: t.Mapping[str, str] | None = None, image_id: str = IMAGE_ID, **changes: t.Any) -> ContainerSpec:
    return build(server_params(**changes), image_id, secrets or {})


def test_a_spec_holds_everything_that_decides_how_a_rank_runs() -> None:
    built = build(
        server_params(
            model_path="/srv/models/tiny/tiny-1b/",
            args={"port": 30000, "nnodes": 2, "node_rank": 1},
            env={"NCCL_DEBUG": "INFO"},
            mounts=[{"source": "/srv/moe", "target": "/moe", "read_only": False}],
            cache_dir="/srv/cache",
            rdma=True,
            memory=1024,
        ),
        IMAGE_ID,
        SECRETS,
    )
    assert built == ContainerSpec(
        name="sglang",
        image_id=IMAGE_ID,
        command=(
            *("python3", "-m", "sglang.launch_server", "--model-path", "/models/tiny-1b", "--port", "30000"),
            *("--nnodes", "2", "--node-rank", "1", "--config", "/run/sglang/config.yaml"),
        ),
        env={"NCCL_DEBUG": "INFO", "HF_TOKEN_PATH": "/run/sglang/hf_token"},
        mounts=(
            Mount("/srv/models/tiny/tiny-1b", "/models/tiny-1b"),
            Mount("/srv/cache", "/root/.cache", read_only=False),
            Mount("/etc/dgxspark-sglang/sglang.secrets", "/run/sglang"),
            Mount("/srv/moe", "/moe", read_only=False),
        ),
        gpus="all",
        rdma=True,
        restart_policy="unless-stopped",
        stop_timeout=60,
        memory=1024,
        cluster="alpha",
        rank=1,
        generation="aaaa0000aaaa",
        secrets={name: checksum(name, SECRETS[name]) for name in ("admin_api_key", "api_key", "hf_token")},
    )


def test_without_secrets_there_is_no_secret_folder_and_no_config_file() -> None:
    plain = spec()
    assert (plain.mounts, plain.command[-2:]) == (
        (Mount("/srv/models/tiny/tiny-1b", "/models/tiny-1b"),),
        ("--port", "30000"),
    )


def test_a_hugging_face_token_alone_needs_no_config_file() -> None:
    assert "--config" not in spec({"hf_token": "x"}).command


def test_the_canonical_spec_is_compact_json_with_sorted_keys() -> None:
    assert spec().canonical() == (
        '{"cluster":"alpha","command":["python3","-m","sglang.launch_server","--model-path","/models/tiny-1b","--port",'
        '"30000"],"env":{},"generation":"aaaa0000aaaa","gpus":"all","image_id":"' + IMAGE_ID + '","memory":0,"mounts":'
        '[{"read_only":true,"source":"/srv/models/tiny/tiny-1b","target":"/models/tiny-1b"}],"name":"sglang","rank":0,'
        '"rdma":false,"restart_policy":"unless-stopped","secrets":{},"stop_timeout":60}'
    )


def test_the_digest_of_a_spec_stays_the_same_over_releases() -> None:
    assert spec().digest() == "f7f08117728a4916"


def test_the_order_of_args_and_env_is_no_change() -> None:
    first = spec(args={"port": 1, "host": "x"}, env={"A": "1", "B": "2"})
    assert first.canonical() == spec(args={"host": "x", "port": 1}, env={"B": "2", "A": "1"}).canonical()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({"env": {"A": "1", "B": "2"}}, {"env": {"A": "1"}}, id="an environment variable removed"),
        pytest.param({"env": {"A": "1"}}, {"env": {"A": "2"}}, id="an environment variable changed"),
        pytest.param({"args": {"port": 1, "tp_size": 2}}, {"args": {"port": 1}}, id="a flag removed"),
        pytest.param({"args": {"enable_metrics": True}}, {"args": {"enable_metrics": False}}, id="a flag switched off"),
        pytest.param({"cache_dir": "/a"}, {"cache_dir": ""}, id="the cache removed"),
        pytest.param({}, {"model_path": "/srv/models/tiny/tiny-2b"}, id="another model folder"),
        pytest.param({}, {"generation": "bbbb"}, id="another generation"),
        pytest.param({}, {"rdma": True}, id="RDMA"),
        pytest.param({}, {"gpus": "none"}, id="no GPU"),
        pytest.param({}, {"memory": 1}, id="a memory cap"),
        pytest.param({}, {"restart_policy": "always"}, id="another restart policy"),
        pytest.param({}, {"stop_timeout": 61}, id="another stop timeout"),
        pytest.param({}, {"cluster": "beta"}, id="another cluster"),
        pytest.param({}, {"args": {"port": 30000, "node_rank": 1}}, id="another rank"),
        pytest.param({}, {"mounts": [{"source": "/a", "target": "/b", "read_only": True}]}, id="a mount"),
    ],
)
def test_what_decides_how_a_rank_runs_is_a_change(before: dict[str, t.Any], after: dict[str, t.Any]) -> None:
    assert decide("started", spec(**after), observed(spec(**before))) == REPLACE_RUNNING


@pytest.mark.parametrize(
    "params",
    [
        {"model": "another-label"},
        {"image": "example/same-image:other-tag"},
        {"args": {"port": 30000, "quantization": None}},
    ],
    ids=["the profile's name", "the name of the same image", "a flag that is left out"],
)
def test_what_decides_nothing_is_no_change(params: dict[str, t.Any]) -> None:
    assert decide("started", spec(**params), observed(spec())) == ()


def test_another_secret_is_a_change() -> None:
    assert decide("started", spec({"api_key": "new"}), observed(spec({"api_key": "old"}))) == REPLACE_RUNNING


def test_a_secret_removed_is_a_change() -> None:
    assert decide("started", spec(), observed(spec({"api_key": "old"}))) == REPLACE_RUNNING


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_never_in_the_spec(name: str) -> None:
    built = spec(SECRETS)
    assert SECRETS[name] not in built.canonical() + " ".join(built.command) + json.dumps(dict(built.env))


TLS_ARGS = {"port": 30000, **tls_args(refresh=True)}


def test_a_certificate_that_is_read_again_is_no_part_of_the_spec() -> None:
    first, renewed = (spec({"tls_pem": text}, args=TLS_ARGS) for text in ("first", "renewed"))
    assert (first.secrets, first.canonical()) == ({}, renewed.canonical())


def test_where_it_is_not_read_again_another_certificate_is_another_server() -> None:
    args = {"port": 30000, **tls_args(refresh=False)}
    assert spec({"tls_pem": "first"}, args=args) != spec({"tls_pem": "renewed"}, args=args)


def test_a_certificate_alone_needs_the_secret_folder() -> None:
    assert Mount("/etc/dgxspark-sglang/sglang.secrets", "/run/sglang") in spec({"tls_pem": "x"}, args=TLS_ARGS).mounts


WANTED = spec()
SAME, OTHER = observed(WANTED), observed(spec(generation="bbbb"))
HALTED = [replace(SAME, status=status) for status in ("created", "exited", "dead")]


@pytest.mark.parametrize(
    ("state", "found", "expected"),
    [
        ("started", None, ("create", "rename", "start")),
        ("restarted", None, ("create", "rename", "start")),
        ("stopped", None, ()),
        ("absent", None, ()),
        ("started", SAME, ()),
        ("restarted", SAME, ("stop", "start")),
        ("stopped", SAME, ("stop",)),
        ("absent", SAME, ("stop", "remove")),
        *[("started", found, ("start",)) for found in HALTED],
        *[("restarted", found, ("start",)) for found in HALTED],
        *[("stopped", found, ()) for found in HALTED],
        *[("absent", found, ("remove",)) for found in HALTED],
        *[("started", replace(SAME, status=status), ("stop", "start")) for status in ("restarting", "paused")],
        *[("stopped", replace(SAME, status=status), ("stop",)) for status in ("restarting", "paused")],
        ("started", OTHER, REPLACE_RUNNING),
        ("restarted", OTHER, REPLACE_RUNNING),
        ("stopped", OTHER, ("stop",)),
        ("absent", OTHER, ("stop", "remove")),
        ("started", replace(OTHER, status="exited"), ("create", "remove", "rename", "start")),
        ("restarted", replace(OTHER, status="exited"), ("create", "remove", "rename", "start")),
        ("started", replace(SAME, image_id=OTHER_ID), REPLACE_RUNNING),
        ("started", replace(SAME, image_id=OTHER_ID, status="exited"), ("create", "remove", "rename", "start")),
    ],
    ids=lambda value: (
        value
        if isinstance(value, str)
        else "gone"
        if value is None
        else f"{'same' if value.spec == WANTED.canonical() and value.image_id == IMAGE_ID else 'other'}-{value.status}"
        if isinstance(value, Observed)
        else "+".join(value) or "nothing"
    ),
)
def test_the_actions_that_lead_to_a_state(state: str, found: Observed | None, expected: tuple[str, ...]) -> None:
    assert decide(state, WANTED if state in ("started", "restarted") else None, found) == expected


@pytest.mark.parametrize(
    ("state", "found"),
    [("started", SAME), ("stopped", replace(SAME, status="exited")), ("stopped", None), ("absent", None)],
    ids=["runs as wanted", "is stopped", "nothing to stop", "nothing to remove"],
)
def test_before_and_after_are_equal_when_nothing_changes(state: str, found: Observed | None) -> None:
    changes = diff(state, WANTED if state == "started" else None, found)
    assert changes["before"] == changes["after"]


def test_the_diff_of_a_new_container_is_its_whole_spec() -> None:
    assert diff("started", WANTED, None) == {
        "before": {"state": "absent"},
        "after": {**json.loads(WANTED.canonical()), "state": "started"},
    }


def test_the_diff_of_a_removed_variable_shows_it_before_and_not_after() -> None:
    changes = diff("started", WANTED, observed(spec(env={"A": "1"})))
    assert (changes["before"]["env"], changes["after"]["env"]) == ({"A": "1"}, {})


@pytest.mark.parametrize(("state", "after"), [("stopped", "stopped"), ("absent", "absent")])
def test_the_diff_of_an_end_changes_the_state(state: str, after: str) -> None:
    changes = diff(state, None, SAME)
    assert (changes["before"]["state"], changes["after"]["state"]) == ("started", after)


def test_what_a_result_shows_of_a_container() -> None:
    assert observed(WANTED).public() == {
        "id": "8f2c7d1e9a0b",
        "status": "running",
        "image_id": IMAGE_ID,
        "started_at": "2026-11-21T02:03:04.500000000Z",
        "finished_at": "0001-01-01T00:00:00Z",
        "exit_code": 0,
        "oom_killed": False,
        "restart_count": 0,
        "running": True,
        "ours": True,
        "digest": WANTED.digest(),
        "name": "sglang",
        "generation": "aaaa0000aaaa",
        "cluster": "",
        "rank": "0",
        "model": "tiny",
        "image": "",
        "port": "",
        "tls": "",
    }


def test_a_container_of_somebody_else_is_not_ours() -> None:
    assert (observed().public()["ours"], observed().public()["digest"]) == (False, "")

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge to Docker, as far as it needs no engine: what is kept of a container, and what is read of a log."""

from __future__ import annotations

import types
import typing as t

import docker.errors
import pytest
import requests.exceptions
import urllib3.exceptions
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges import _docker
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._container import Observed
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._docker_errors import connection_error
from ansible_collections.dgxspark.sglang.tests.unit.builders import IMAGE_ID, shown


def inspected(**labels: str) -> dict[str, t.Any]:
    """Return what `docker inspect` says of a container, as far as it is read."""
    return {
        "Id": "8f2c7d1e9a0b" + "0" * 52,
        "Name": "/sglang",
        "Image": IMAGE_ID,
        "RestartCount": 2,
        "Config": {"Labels": labels or None},
        "State": {
            "Status": "exited",
            "StartedAt": "2026-11-21T02:03:04.123456789Z",
            "FinishedAt": "2026-11-21T02:05:00.5Z",
            "ExitCode": 137,
            "OOMKilled": True,
        },
    }


def test_what_is_kept_of_a_container_of_ours() -> None:
    labels = {"dgxspark.sglang.spec": "{}", "dgxspark.sglang.generation": "gggg"}
    assert _docker._observed(inspected(**labels)) == Observed(
        id="8f2c7d1e9a0b",
        spec="{}",
        status="exited",
        image_id=IMAGE_ID,
        started_at="2026-11-21T02:03:04.123456789Z",
        finished_at="2026-11-21T02:05:00.5Z",
        exit_code=137,
        oom_killed=True,
        restart_count=2,
        labels={**labels, "dgxspark.sglang.name": "sglang"},
    )


def test_a_container_without_labels_is_not_ours() -> None:
    assert _docker._observed(inspected()).spec is None


def test_a_replacement_has_a_name_of_its_own_until_the_old_container_is_gone() -> None:
    assert _docker.provisional("sglang") == "sglang.next"


@pytest.mark.parametrize("when", ["2026-11-21T02:03:04Z", "2026-11-21T02:03:04.5Z", "2026-11-21T02:03:04.123456789Z"])
def test_docker_s_times_are_read_to_the_second_in_utc(when: str) -> None:
    assert _docker._epoch(when) == 1795226584.0


def engine(**api: t.Any) -> _docker.Docker:
    """Return the edge with a client whose low-level API has these functions."""
    made = _docker.Docker.__new__(_docker.Docker)
    made.client = t.cast(t.Any, types.SimpleNamespace(api=types.SimpleNamespace(**api)))
    return made


LOG = (
    "2026-11-21T02:03:04.499999999Z the start before\n"
    "2026-11-21T02:03:04.500000000Z first\n"
    "2026-11-21T02:03:05.000000000Z shard 1\rshard 2\r\n"
)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2026-11-21T02:03:04.5Z", ["first", "shard 2"]),
        ("2026-11-21T02:03:04.500000000Z", ["first", "shard 2"]),
        ("2026-11-21T02:03:04.6Z", ["shard 2"]),
        ("2026-11-21T02:03:04Z", ["the start before", "first", "shard 2"]),
    ],
)
def test_the_log_begins_with_the_start(since: str, expected: list[str]) -> None:
    asked: list[dict[str, t.Any]] = []

    def logs(name: str, **options: t.Any) -> bytes:
        asked.append({"name": name, **options})
        return LOG.encode()

    assert engine(logs=logs).log("sglang", since, 60) == expected
    assert asked == [{"name": "sglang", "timestamps": True, "since": 1795226584, "until": 1795226644}]


def test_last_words_are_asked_for_by_their_number() -> None:
    """A server that has run for weeks has a log of gigabytes."""
    asked: list[dict[str, t.Any]] = []

    def logs(name: str, **options: t.Any) -> bytes:
        asked.append(options)
        return LOG.encode()

    assert engine(logs=logs).tail("sglang", "2026-11-21T02:03:04.5Z", 25) == ["first", "shard 2"]
    assert asked == [{"timestamps": True, "since": 1795226584, "tail": 25}]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param({}, [], id="none"),
        pytest.param({"RepoDigests": None}, [], id="built here"),
        pytest.param(
            {"RepoDigests": ["example/b@sha256:2", "registry:5000/a@sha256:1"]},
            ["sha256:1", "sha256:2"],
            id="of two registries",
        ),
    ],
)
def test_the_digests_of_an_image_are_those_of_its_registries(image: dict[str, t.Any], expected: list[str]) -> None:
    assert engine(inspect_image=lambda name: image).image_digests("example/sglang:1") == expected


def raising(error: Exception) -> t.Callable[..., t.Any]:
    def call(*args: t.Any, **options: t.Any) -> t.Any:
        raise error

    return call


def test_an_image_that_is_not_here_has_neither_id_nor_digests() -> None:
    bare = engine(inspect_image=raising(docker.errors.ImageNotFound("no such image")))
    assert (bare.image_id("example/sglang:1"), bare.image_digests("example/sglang:1")) == ("", [])


def test_a_container_that_is_not_here_is_none_and_has_no_name() -> None:
    bare = engine(inspect_container=raising(docker.errors.NotFound("no such container")))
    assert (bare.container("sglang"), bare.name_of("8f2c7d1e9a0b")) == (None, "")


def test_the_name_of_a_container_is_known_by_its_id() -> None:
    assert engine(inspect_container=lambda name: inspected()).name_of("8f2c7d1e9a0b") == "sglang"


@pytest.mark.parametrize(
    "error",
    [
        docker.errors.APIError("x", explanation="the reason"),
        docker.errors.DockerException("the reason"),
        requests.exceptions.ConnectionError("the reason"),
        urllib3.exceptions.ProtocolError("the reason"),
        TypeError("the reason"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_breaks_below_is_told_in_words(error: Exception) -> None:
    with pytest.raises(SparkError) as caught:
        engine(inspect_container=raising(error)).container("sglang")
    assert shown(caught.value.problems) == shown(connection_error("the reason").problems)

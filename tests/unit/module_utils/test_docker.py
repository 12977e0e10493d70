# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pure parts of the edge to Docker: what its words mean, and what is kept of a container."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils import _docker
from ansible_collections.dgxspark.sglang.plugins.module_utils._container import Observed
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.tests.unit.builders import IMAGE_ID, shown

IMAGE = "lmsysorg/sglang:v0.5.23"


def told(error: SparkError) -> tuple[str, str]:
    (only,) = shown(error.problems)
    return only


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        pytest.param(
            "manifest unknown: manifest unknown",
            "Image {image} does not exist in its registry: {text}",
            "check the image's name and tag (server_image, or the profile's needs.image).",
            id="no such tag",
        ),
        pytest.param(
            "manifest for lmsysorg/sglang:v0.5.23 not found",
            "Image {image} does not exist in its registry: {text}",
            "check the image's name and tag (server_image, or the profile's needs.image).",
            id="no such tag, in older words",
        ),
        pytest.param(
            "pull access denied for lmsysorg/sgl, repository does not exist or may require 'docker login'",
            "The registry refuses {image}: {text}",
            "check the name; for a private image, docker login.",
            id="no such repository, or a private one",
        ),
        pytest.param(
            "unauthorized: authentication required",
            "The registry refuses {image}: {text}",
            "check the name; for a private image, docker login.",
            id="a login is wanted",
        ),
        pytest.param(
            "write /var/lib/docker/tmp/GetImageBlob1: no space left on device",
            "No room to pull {image}: {text}",
            "free disk space: docker system df.",
            id="the disk is full",
        ),
        pytest.param(
            "failed to register layer: [Errno 28] No space left on device",
            "No room to pull {image}: {text}",
            "free disk space: docker system df.",
            id="the disk is full, in Python's words",
        ),
        pytest.param(
            'Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host',
            "The registry of {image} can't be reached: {text}",
            "check network and name resolution on the node; a server that runs already is not touched.",
            id="no such host",
        ),
        pytest.param(
            'Get "https://registry.example/v2/": context deadline exceeded',
            "The registry of {image} can't be reached: {text}",
            "check network and name resolution on the node; a server that runs already is not touched.",
            id="no answer",
        ),
    ],
)
def test_what_a_failed_pull_means(text: str, what: str, hint: str) -> None:
    assert told(_docker.pull_error(IMAGE, text)) == (what.format(image=IMAGE, text=text), hint)


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        pytest.param(
            'could not select device driver "" with capabilities: [[gpu]]',
            "Docker can't give sglang the GPU: {text}",
            "install the NVIDIA container toolkit and restart Docker (DGX OS ships it).",
            id="no GPU runtime",
        ),
        pytest.param(
            "error running hook: exit status 1, stderr: nvidia-container-cli: initialization error: driver error",
            "Docker can't give sglang the GPU: {text}",
            "install the NVIDIA container toolkit and restart Docker (DGX OS ships it).",
            id="the GPU runtime fails",
        ),
        pytest.param(
            'Conflict. The container name "/sglang.next" is already in use by container "abc".',
            "The name sglang is taken: {text}",
            "run the play again; another one was at work.",
            id="the name is taken",
        ),
        pytest.param(
            'error gathering device information: "/dev/infiniband": no such file or directory',
            "Docker refuses to start sglang: {text}",
            "the text above is Docker's own.",
            id="something else",
        ),
    ],
)
def test_what_a_refused_start_means(text: str, what: str, hint: str) -> None:
    assert told(_docker.start_error("sglang", text)) == (what.format(text=text), hint)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "('Connection aborted.', PermissionError(13, 'Permission denied'))",
            (
                "No permission on Docker's socket.",
                "run with become: true, or add the user to the docker group and log in again.",
            ),
            id="no permission",
        ),
        pytest.param(
            "('Connection aborted.', FileNotFoundError(2, 'No such file or directory'))",
            (
                "Docker does not answer on this node: ('Connection aborted.', FileNotFoundError(2, 'No such file or"
                " directory'))",
                "start it: sudo systemctl start docker",
            ),
            id="not running",
        ),
    ],
)
def test_what_a_failed_connection_means(text: str, expected: tuple[str, str]) -> None:
    assert told(_docker._connection_error(Exception(text))) == expected


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

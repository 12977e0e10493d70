# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker on a node, through its SDK. The only place that talks to the engine."""

from __future__ import annotations

import contextlib
import datetime
import shutil
import typing as t

from .._errors import SparkError
from ..server._container import LABEL, RDMA_DEVICES, SPEC_LABEL, ULIMITS, ContainerSpec, Observed
from ..server._docker_errors import connection_error, pull_error, start_error, stop_error
from ..transfer._route import pinned, stand_ins

try:
    import docker
    import docker.errors
    import docker.types
    import docker.utils
    import requests.exceptions
    import urllib3.exceptions

    HAVE_DOCKER = True
except ImportError:
    HAVE_DOCKER = False

NO_SDK_HINT = "install python3-docker on the node (the role host does)."
_HTTP_TIMEOUT = 120
# Between two words of the engine: unpacking one large layer of an image can take minutes without a word.
_PULL_TIMEOUT = 3600
# Docker keeps logs without limit unless told: a busy server would fill the disk.
LOG_OPTIONS = {"max-size": "50m", "max-file": "5"}


class Docker:
    """The engine of this node. Every failure is a SparkError that says what to do."""

    def __init__(self) -> None:
        if not HAVE_DOCKER:
            raise SparkError("The Docker SDK for Python is missing on this node.", NO_SDK_HINT)
        with said(connection_error):
            self.client = docker.DockerClient.from_env(version="auto", timeout=_HTTP_TIMEOUT)
            self.client.ping()

    def container(self, name: str) -> Observed | None:
        with said(connection_error), contextlib.suppress(docker.errors.NotFound):
            return _observed(self.client.api.inspect_container(name))
        return None

    def ours(self) -> list[Observed]:
        """Return every container that this collection made on the node, running or not."""
        with said(connection_error):
            found = self.client.api.containers(all=True, filters={"label": SPEC_LABEL})
        seen = [self.container(item["Id"]) for item in found]
        return [item for item in seen if item]

    def name_of(self, container_id: str) -> str:
        found = self.container(container_id)
        return found.labels[LABEL + "name"] if found else ""

    def gpu_runtime(self) -> bool:
        """Whether `--gpus all` can work: an NVIDIA runtime is registered, or CDI devices are known."""
        with said(connection_error):
            info = self.client.info()
        return (
            "nvidia" in info.get("Runtimes", {})
            or any("nvidia" in str(device) for device in info.get("DiscoveredDevices") or ())
            or shutil.which("nvidia-container-runtime-hook") is not None
        )

    def image_id(self, name: str) -> str:
        """Return the ID of a local image, by name, digest or ID; empty when it is not here."""
        return str(self._image(name).get("Id", ""))

    def image_digests(self, name: str) -> list[str]:
        """Return the registry digests (sha256:...) of a local image: the same on every node, whatever its store."""
        image = self._image(name)
        told = {known.rpartition("@")[2] for known in image.get("RepoDigests") or ()}
        return sorted(told | set(pinned(image.get("RepoTags") or ())))

    def _image(self, name: str) -> dict[str, t.Any]:
        for known in stand_ins(name):
            with said(connection_error), contextlib.suppress(docker.errors.ImageNotFound):
                return dict(self.client.api.inspect_image(known))
        return {}

    def outdated(self, name: str) -> bool:
        """Whether the registry has another image under this name than the node."""
        with said(lambda text: pull_error(name, text)):
            digest = self.client.images.get_registry_data(name).id
        return digest not in self.image_digests(name)

    def pull(self, name: str) -> str:
        """Pull an image and return its ID."""
        repository, tag = docker.utils.parse_repository_tag(name)
        with said(connection_error):
            api = docker.DockerClient.from_env(version="auto", timeout=_PULL_TIMEOUT).api
        with said(lambda text: pull_error(name, text)):
            for word in api.pull(repository, tag=tag or "latest", stream=True, decode=True):
                if "error" in word:  # the SDK raises nothing for what goes wrong after the first answer
                    raise pull_error(name, str(word["error"]))
        return self.image_id(name)

    def create(self, spec: ContainerSpec, labels: t.Mapping[str, str]) -> None:
        """Create the container under a provisional name; `rename` gives it its own once the old one is gone."""
        api = self.client.api
        self.remove(provisional(spec.name))  # left over when an earlier run was interrupted
        devices = [f"{RDMA_DEVICES}:{RDMA_DEVICES}:rwm"] if spec.rdma else []
        host_config = api.create_host_config(
            network_mode="host",
            ipc_mode="host",
            init=True,
            cap_add=["IPC_LOCK"] if spec.rdma else [],
            devices=devices,
            device_requests=[docker.types.DeviceRequest(count=-1, capabilities=[["gpu"]])]
            if spec.gpus == "all"
            else [],
            ulimits=[docker.types.Ulimit(name=name, soft=value, hard=value) for name, value in ULIMITS.items()],
            restart_policy={"Name": spec.restart_policy},
            mem_limit=spec.memory or None,
            log_config=docker.types.LogConfig(type="json-file", config=LOG_OPTIONS),
            mounts=[
                docker.types.Mount(mount.target, mount.source, type="bind", read_only=mount.read_only)
                for mount in spec.mounts
            ],
        )
        fixed = {
            SPEC_LABEL: spec.canonical(),
            LABEL + "cluster": spec.cluster,
            LABEL + "rank": str(spec.rank),
            LABEL + "generation": spec.generation,
        }
        with said(lambda text: start_error(spec.name, text)):
            api.create_container(
                spec.image_id,
                command=list(spec.command),
                name=provisional(spec.name),
                environment=dict(spec.env),
                labels={**labels, **fixed},
                host_config=host_config,
                stop_signal="SIGTERM",
            )

    def rename(self, name: str) -> None:
        with said(lambda text: start_error(name, text)):
            self.client.api.rename(provisional(name), name)

    def start(self, name: str) -> None:
        with said(lambda text: start_error(name, text)):
            self.client.api.start(name)

    def stop(self, name: str, timeout: int) -> None:
        """Ask for an end (SIGTERM), and insist (SIGKILL) after `timeout` seconds."""
        with said(lambda text: stop_error(name, text)), contextlib.suppress(docker.errors.NotFound):
            container = self.client.containers.get(name)
            if container.status == "paused":  # a paused container can't receive signals
                container.unpause()
            container.stop(timeout=timeout)

    def remove(self, name: str) -> None:
        with said(lambda text: stop_error(name, text)), contextlib.suppress(docker.errors.NotFound):
            self.client.api.remove_container(name, force=True)

    def log(self, name: str, since: str, seconds: int) -> list[str]:
        """Return the log of the start at `since` (ISO 8601, UTC), of its first `seconds`, without timestamps.

        A server that has run for weeks has a long log; what happened at its start is at the beginning.
        """
        return self._lines(name, since, until=int(_epoch(since)) + seconds)

    def tail(self, name: str, since: str, count: int) -> list[str]:
        """Return the last `count` lines of the start at `since`, however long its log is."""
        return self._lines(name, since, tail=count)

    def _lines(self, name: str, since: str, **options: t.Any) -> list[str]:
        try:
            raw = self.client.api.logs(name, timestamps=True, since=int(_epoch(since)), **options)
        except docker.errors.DockerException:
            return []
        # `since` has whole seconds only. Docker prints nanoseconds: compare to the microsecond.
        begins = since.rstrip("Z")[:26]
        lines = [line for line in raw.decode(errors="replace").split("\n") if line[:26] >= begins]
        # Progress bars rewrite their line with carriage returns: only the last state of each is of interest.
        return [line.partition(" ")[2].rstrip("\r").rsplit("\r", 1)[-1] for line in lines if line.strip()]


@contextlib.contextmanager
def said(meaning: t.Callable[[str], SparkError]) -> t.Iterator[None]:
    """Turn what the SDK and the libraries below it raise into what it means."""
    try:
        yield
    except (
        docker.errors.DockerException,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        TypeError,  # an SDK that is too old for its urllib3 calls it with arguments that it does not know
    ) as error:
        raise meaning(str(getattr(error, "explanation", None) or error)) from error


def provisional(name: str) -> str:
    return f"{name}.next"


def _epoch(when: str) -> float:
    return datetime.datetime.fromisoformat(when[:19] + "+00:00").timestamp()


def _observed(raw: t.Mapping[str, t.Any]) -> Observed:
    state, labels = raw["State"], raw["Config"].get("Labels") or {}
    return Observed(
        id=raw["Id"][:12],
        spec=labels.get(SPEC_LABEL),
        status=state["Status"],
        image_id=raw["Image"],
        started_at=state["StartedAt"],
        finished_at=state["FinishedAt"],
        exit_code=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        restart_count=raw["RestartCount"],
        labels={**labels, LABEL + "name": raw["Name"].lstrip("/")},
    )

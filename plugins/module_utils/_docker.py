# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker on a node, through its SDK. The only place that talks to the engine."""

from __future__ import annotations

import contextlib
import datetime
import shutil
import typing as t

from ._container import LABEL, RDMA_DEVICES, SPEC_LABEL, ULIMITS, ContainerSpec, Observed
from ._errors import SparkError

try:
    import docker
    import docker.errors
    import docker.types
    import docker.utils
    import requests.exceptions

    HAVE_DOCKER = True
except ImportError:
    HAVE_DOCKER = False

NO_SDK_HINT = "install python3-docker on the node (the role host does)."
_HTTP_TIMEOUT = 120
# Docker keeps logs without limit unless told: a busy server would fill the disk.
LOG_OPTIONS = {"max-size": "50m", "max-file": "5"}


class Docker:
    """The engine of this node. Every failure is a SparkError that says what to do."""

    def __init__(self) -> None:
        if not HAVE_DOCKER:
            raise SparkError("The Docker SDK for Python is missing on this node.", NO_SDK_HINT)
        try:
            self.client = docker.DockerClient.from_env(version="auto", timeout=_HTTP_TIMEOUT)
            self.version = str(self.client.version()["Version"])
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise _connection_error(error) from error

    def container(self, name: str) -> Observed | None:
        try:
            return _observed(self.client.api.inspect_container(name))
        except docker.errors.NotFound:
            return None

    def ours(self) -> list[Observed]:
        """Return every container that this collection made on the node, running or not."""
        found = self.client.api.containers(all=True, filters={"label": SPEC_LABEL})
        return [_observed(self.client.api.inspect_container(item["Id"])) for item in found]

    def name_of(self, container_id: str) -> str:
        try:
            return str(self.client.api.inspect_container(container_id)["Name"]).lstrip("/")
        except docker.errors.DockerException:
            return ""

    def gpu_runtime(self) -> bool:
        """Whether `--gpus all` can work: an NVIDIA runtime is registered, or CDI devices are known."""
        info = self.client.info()
        return (
            "nvidia" in info.get("Runtimes", {})
            or any("nvidia" in str(device) for device in info.get("DiscoveredDevices") or ())
            or shutil.which("nvidia-container-runtime-hook") is not None
        )

    def image_id(self, name: str) -> str:
        """Return the ID of a local image, by name, digest or ID; empty when it is not here."""
        try:
            return str(self.client.api.inspect_image(name)["Id"])
        except docker.errors.ImageNotFound:
            return ""

    def outdated(self, name: str) -> bool:
        """Whether the registry has another image under this name than the node."""
        try:
            digest = self.client.images.get_registry_data(name).id
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise pull_error(name, _explanation(error)) from error
        local = self.client.api.inspect_image(name).get("RepoDigests") or ()
        return not any(known.endswith(f"@{digest}") for known in local)

    def pull(self, name: str) -> str:
        """Pull an image and return its ID."""
        try:
            repository, tag = docker.utils.parse_repository_tag(name)
            self.client.images.pull(repository, tag=tag or "latest")
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise pull_error(name, _explanation(error)) from error
        return self.image_id(name)

    def sglang_version(self, image: str) -> str:
        """Return the SGLang version that is installed in an image; empty when it has none."""
        code = "from importlib.metadata import version; print(version('sglang'))"
        try:
            output = self.client.containers.run(
                image, ["-c", code], entrypoint="python3", remove=True, network_mode="none", stderr=False
            )
        except docker.errors.DockerException:
            return ""
        return output.decode().strip().splitlines()[-1] if output.strip() else ""

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
        try:
            api.create_container(
                spec.image_id,
                command=list(spec.command),
                name=provisional(spec.name),
                environment=dict(spec.env),
                labels={**labels, **fixed},
                host_config=host_config,
                stop_signal="SIGTERM",
            )
        except docker.errors.DockerException as error:
            raise start_error(spec.name, _explanation(error)) from error

    def rename(self, name: str) -> None:
        self.client.api.rename(provisional(name), name)

    def start(self, name: str) -> None:
        try:
            self.client.api.start(name)
        except docker.errors.DockerException as error:
            raise start_error(name, _explanation(error)) from error

    def stop(self, name: str, timeout: int) -> None:
        """Ask for an end (SIGTERM), and insist (SIGKILL) after `timeout` seconds."""
        container = self.client.containers.get(name)
        if container.status == "paused":  # a paused container can't receive signals
            container.unpause()
        self.client.api.timeout = timeout + _HTTP_TIMEOUT
        container.stop(timeout=timeout)

    def remove(self, name: str) -> None:
        with contextlib.suppress(docker.errors.NotFound):
            self.client.api.remove_container(name, force=True)

    def log(self, name: str, since: str, seconds: int) -> list[str]:
        """Return the log of the start at `since` (ISO 8601, UTC), of its first `seconds`, without timestamps.

        A server that has run for weeks has a long log; what happened at its start is at the beginning.
        """
        begin = int(_epoch(since))
        try:
            raw = self.client.api.logs(name, timestamps=True, since=begin, until=begin + seconds)
        except docker.errors.DockerException:
            return []
        # `since` has whole seconds only. Docker prints nanoseconds: compare to the microsecond.
        lines = [line for line in raw.decode(errors="replace").split("\n") if line[:26] >= since[:26]]
        # Progress bars rewrite their line with carriage returns: only the last state of each is of interest.
        return [line.partition(" ")[2].rstrip("\r").rsplit("\r", 1)[-1] for line in lines if line.strip()]


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


def _explanation(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error)


def _connection_error(error: Exception) -> SparkError:
    text = _explanation(error)
    if "Permission denied" in text:
        return SparkError(
            "No permission on Docker's socket.",
            "run with become: true, or add the user to the docker group and log in again.",
        )
    return SparkError(f"Docker does not answer on this node: {text}", "start it: sudo systemctl start docker")


def start_error(name: str, text: str) -> SparkError:
    """Return what Docker's refusal to create or start a container means."""
    if "capabilities: [[gpu]]" in text or "nvidia-container" in text:
        return SparkError(
            f"Docker can't give {name} the GPU: {text}",
            "install the NVIDIA container toolkit and restart Docker (DGX OS ships it).",
        )
    if "is already in use by container" in text:
        return SparkError(f"The name {name} is taken: {text}", "run the play again; another one was at work.")
    return SparkError(f"Docker refuses to start {name}: {text}", "the text above is Docker's own.")


def pull_error(name: str, text: str) -> SparkError:
    """Return what a failed pull means: the tag is wrong, the registry wants a login, or it can't be reached."""
    if any(word in text for word in ("manifest unknown", "not found", "manifest for")):
        hint = "check the image's name and tag (server_image, or the profile's needs.image)."
        return SparkError(f"Image {name} does not exist in its registry: {text}", hint)
    if any(word in text for word in ("unauthorized", "denied", "authentication required")):
        return SparkError(f"The registry refuses {name}: {text}", "check the name; for a private image, docker login.")
    if any(word in text for word in ("no space left", "No space left")):
        return SparkError(f"No room to pull {name}: {text}", "free disk space: docker system df.")
    return SparkError(
        f"The registry of {name} can't be reached: {text}",
        "check network and name resolution on the node; a server that runs already is not touched.",
    )

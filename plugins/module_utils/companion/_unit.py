# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service beside the server: one unit of systemd that runs one container in the foreground.

The container lives and dies with the unit: systemd starts it at boot and again when it ends, `systemctl stop` stops it.
Its words are in the journal, and nowhere else.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..server._container import LABEL, ULIMITS
from ._systemd import ENGINES, quoted

MARK = "# Written by dgxspark.sglang, role companion."
COMPANION_LABEL = LABEL + "companion"
# Where a container finds the folder of its files.
FILES_MOUNT = "/run/dgxspark-sglang"
FIRST_INSTANCE = "sglang"
_DOCKER = "/usr/bin/docker"
# Longer than the pause between two looks of the gate, so that it always sees a service that has ended.
_AGAIN = 10
# A service that ends as soon as it is started is tried for about three minutes; one that loads a model for several
# minutes never comes to so many starts in half an hour.
_STARTS, _SECONDS = 10, 1800


@dataclass(frozen=True)
class Service:
    """A service as its container is run. `publish`: address:port:port of the container; `mounts` as docker run's
    --mount has them; `exclusive`: whether it shares the node with no other engine; `instances` of our server that the
    node knows; `stop_timeout` in seconds."""

    name: str
    about: str
    image: str
    publish: str
    command: tuple[str, ...] = ()
    entrypoint: str = ""
    env: t.Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[str, ...] = ()
    gpus: str = "none"
    exclusive: bool = False
    instances: tuple[str, ...] = ()
    stop_timeout: int = 30


def service_of(asked: t.Mapping[str, t.Any], checked: t.Mapping[str, t.Any], image: str) -> Service:
    """Return the service that the role companion describes.

    `asked`: its variables without their prefix; `checked`: the answer of the module companion_check; `image`: an ID.
    """
    bind = f"[{asked['bind']}]" if ":" in asked["bind"] else asked["bind"]
    folders = [
        f"type=bind,source={source},target={folder['target']}{',readonly' if folder.get('read_only', True) else ''}"
        for folder, source in zip(asked["folders"], (path.rstrip("/") for path in checked["folders"]), strict=True)
    ]
    volumes = [f"type=volume,source={volume['name']},target={volume['target']}" for volume in asked["volumes"]]
    secrets = [f"type=bind,source={asked['files_dir']},target={FILES_MOUNT},readonly"] if asked["files"] else []
    return Service(
        name=asked["name"],
        about=asked["about"],
        image=image,
        publish=f"{bind}:{asked['port']}:{asked['target_port']}",
        command=tuple(map(str, asked["command"])),
        entrypoint=asked["entrypoint"],
        env={name: str(value) for name, value in asked["env"].items()},
        mounts=(*folders, *volumes, *secrets),
        gpus=asked["gpus"],
        exclusive=asked["exclusive"],
        instances=tuple(checked["instances"]),
        stop_timeout=int(asked["stop_timeout"]),
    )


def run_command(service: Service) -> list[str]:
    """Return the command that runs the container until it ends."""
    words = [_DOCKER, "run", "--rm", "--init", "--pull=never", "--log-driver=none", f"--name={service.name}"]
    words += [f"--label={COMPANION_LABEL}={service.name}", f"--publish={service.publish}"]
    words += [f"--mount={mount}" for mount in service.mounts]
    words += [f"--env={name}={value}" for name, value in sorted(service.env.items())]
    if service.gpus == "all":
        # Processes of an engine share memory with each other; the limits are those of our own servers.
        words += ["--gpus=all", "--ipc=host", *(f"--ulimit={name}={value}" for name, value in sorted(ULIMITS.items()))]
    words += [f"--entrypoint={service.entrypoint}"] if service.entrypoint else []
    return [*words, service.image, *service.command]


def unit_text(service: Service) -> str:
    """Return the unit's file."""
    # A name that somebody else gave to a container of his is left alone: what is removed has our label.
    ours = f"--filter=label={COMPANION_LABEL}={service.name}"
    sweep = quoted(["/bin/sh", "-c", f"{_DOCKER} ps --all --quiet {ours} | xargs -r {_DOCKER} rm --force"])
    rivals = [f"dgxspark-sglang@{name}.service" for name in sorted({FIRST_INSTANCE, *service.instances})]
    rivals += [name for name in ENGINES if name != f"{service.name}.service"]
    lines = [
        MARK,
        "[Unit]",
        f"Description={service.about.replace('%', '%%')}",
        "Requires=docker.service",
        "Wants=network-online.target",
        "After=docker.service network-online.target",
        *([f"Conflicts={' '.join(rivals)}"] if service.exclusive else []),
        f"StartLimitIntervalSec={_SECONDS}",
        f"StartLimitBurst={_STARTS}",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStartPre={sweep}",
        f"ExecStart={quoted(run_command(service))}",
        f"ExecStopPost={sweep}",
        # docker run hands SIGTERM on to the container, and ends as that ends: with 143 where it has no handler.
        "KillMode=mixed",
        "SuccessExitStatus=143",
        f"TimeoutStopSec={service.stop_timeout}",
        "Restart=always",
        f"RestartSec={_AGAIN}",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join([*lines, ""])

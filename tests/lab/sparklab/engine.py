# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own containerd and dockerd: own sockets, own data, no rule or bridge of another Docker touched."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from . import config, daemons, network, ui

SOCKET = config.RUN / "docker.sock"
CONTAINERD_SOCKET = config.RUN / "containerd.sock"
CONTAINERD_CONFIG = config.DATA / "containerd.toml"
DOCKERD_CONFIG = config.DATA / "dockerd.json"
RUNTIME = config.DATA / "bin" / "runc"

# Debian's own client, where there is one: another on PATH may be newer and miss its build plugin.
CLIENT = "/usr/bin/docker"

CONTAINERD = daemons.Daemon("containerd", ["containerd", "--config", str(CONTAINERD_CONFIG)], str(CONTAINERD_CONFIG))
DOCKERD = daemons.Daemon(
    "dockerd",
    [
        "dockerd",
        f"--host=unix://{SOCKET}",
        f"--containerd={CONTAINERD_SOCKET}",
        f"--data-root={config.DATA / 'docker'}",
        f"--exec-root={config.RUN / 'docker'}",
        f"--pidfile={config.RUN / 'docker.pid'}",
        # Not /etc/docker/daemon.json, which is another Docker's.
        f"--config-file={DOCKERD_CONFIG}",
        # No default bridge and no packet filter of dockerd's: a second dockerd would rewrite the first one's chains.
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--userland-proxy=false",
        "--storage-driver=overlay2",
        f"--add-runtime=lab={RUNTIME}",
        "--default-runtime=lab",
        f"--insecure-registry={config.REGISTRY_ADDRESS}",
    ],
    f"--host=unix://{SOCKET}",
)


def docker(*argv: object, **options: object) -> str:
    """Run the docker client against the lab's engine and return what it printed."""
    return ui.run(command(*argv), **options).stdout.strip()  # type: ignore[arg-type]


def command(*argv: object) -> list[str]:
    """The argument vector of a docker client call."""
    return [CLIENT, "--host", f"unix://{SOCKET}", *(str(word) for word in argv)]


def query(*argv: object) -> str:
    """Like docker(), but empty when it fails."""
    return ui.output(command(*argv))


def running() -> bool:
    return bool(DOCKERD.pid()) and bool(query("version", "--format", "{{.Server.Version}}"))


def start() -> None:
    """Start both daemons; files, sockets and rules that a killed run left behind are no obstacle."""
    network.check_free()
    if running():
        network.open_way_out()
        return
    with ui.step("container engine"):
        _write_files()
        for daemon in (CONTAINERD, DOCKERD):
            if not daemon.pid():
                for stale in (SOCKET, config.RUN / "docker.pid") if daemon is DOCKERD else (CONTAINERD_SOCKET,):
                    stale.unlink(missing_ok=True)
            daemon.start()
            if daemon is CONTAINERD:
                _wait(daemon, CONTAINERD_SOCKET.exists)
        _wait(DOCKERD, running)
        network.open_way_out()


def stop() -> None:
    """Stop both daemons."""
    for daemon in (DOCKERD, CONTAINERD):
        if daemon.stop():
            ui.say(f"{daemon.name} stopped")
    _unmount(config.RUN)
    _unmount(config.DATA)
    shutil.rmtree(config.RUN, ignore_errors=True)


def remove_data() -> None:
    """Remove every file of the lab; only after stop()."""
    _unmount(config.DATA)
    shutil.rmtree(config.DATA, ignore_errors=True)
    Path("/var/log/dgxspark-lab-runc.log").unlink(missing_ok=True)


def summary() -> str:
    """One line for status."""
    if not running():
        return "not running"
    return f"dockerd {query('version', '--format', '{{.Server.Version}}')}, pid {DOCKERD.pid()}, {SOCKET}"


def _write_files() -> None:
    """Configuration and the runtime wrapper, which is also what a node gets."""
    real = shutil.which("runc") or "/usr/sbin/runc"
    RUNTIME.parent.mkdir(parents=True, exist_ok=True)
    RUNTIME.write_text("#!/usr/bin/python3 -IS\n" + (config.HERE / "node" / "runc_within_limits.py").read_text())
    RUNTIME.chmod(RUNTIME.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    link = RUNTIME.with_name("runc.real")
    link.unlink(missing_ok=True)
    link.symlink_to(real)
    DOCKERD_CONFIG.write_text("{}\n")
    CONTAINERD_CONFIG.write_text(
        "version = 2\n"
        f'root = "{config.DATA / "containerd"}"\n'
        f'state = "{config.RUN / "containerd"}"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{CONTAINERD_SOCKET}"\n'
    )


def _wait(daemon: daemons.Daemon, ready: Callable[[], bool]) -> None:
    ui.wait_for(daemon.name, lambda: ready() or not daemon.pid(), seconds=60)
    if not daemon.pid():
        raise ui.LabError(f"{daemon.name} ended at once\n{daemon.log_tail()}")


def _unmount(below: Path) -> None:
    """A killed dockerd leaves mounts behind, which would keep its directories busy."""
    mounts: Sequence[str] = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in reversed([path for path in mounts if path.startswith(f"{below}/")]):
        ui.run(["umount", "--lazy", mount], check=False)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated Sparks: containers with systemd, sshd and a Docker Engine of their own."""

from __future__ import annotations

import io
import socket
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import config, engine, hardware, ui

HOST_KEYS = config.DATA / "ssh" / "hosts"
# Everything of a node's engine but its images; the engine stops in order, so that they are whole afterwards.
FORGET_CONTAINERS = """
set -e
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes
docker system prune --force --volumes
systemctl stop docker.socket docker.service containerd.service
"""
# As the installer leaves it: the host's own name is an address that no other host can reach. Its last lines are the
# lab's, which has no name server.
HOSTS = """127.0.0.1 localhost
127.0.1.1 {name}

# The following lines are desirable for IPv6 capable hosts
::1     ip6-localhost ip6-loopback
fe00::0 ip6-localnet
ff00::0 ip6-mcastprefix
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters

{known}"""
ALL = {config.node_name(index): index for index in range(1, max(config.CLUSTERS) + 1)}


def existing() -> list[str]:
    """Names of the nodes that the engine knows, running or not."""
    return sorted(engine.query("ps", "--all", f"--filter=label={config.LABEL}=node", "--format={{.Names}}").split())


def ensure(count: int, image: str, model_archive: bytes) -> None:
    """At least `count` nodes run from `image`; what runs already stays as it is."""
    wanted = [name for name, index in ALL.items() if index <= count]
    have = existing()
    outdated = [name for name in have if engine.query("inspect", "--format={{.Config.Image}}", name) != image]
    if outdated:
        with ui.step(f"remove {' '.join(outdated)}: made from an older image"):
            _remove(outdated)
    missing = [name for name in wanted if name not in have or name in outdated]
    stopped = [n for n in wanted if n not in missing and engine.query("inspect", "-f={{.State.Running}}", n) != "true"]
    if missing or stopped:
        with ui.step("start " + " ".join(sorted(missing + stopped))), ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: _create(name, image, model_archive), missing))
            for name in missing + stopped:
                engine.docker("start", name)
            list(pool.map(_wait, missing + stopped))
    write_known_hosts()


def remove(*, keep_images: bool = False) -> None:
    """Remove all nodes with what their engines held, or with all of that but the images."""
    if names := existing():
        with ui.step(f"remove {' '.join(names)}{', keep their images' if keep_images else ''}"):
            _remove(names, keep_images=keep_images)


def execute(name: str, argv: list[str]) -> int:
    """Run a command as root in a node, on this terminal."""
    return subprocess.run(engine.command("exec", "--interactive", name, *argv), check=False).returncode


def power(name: str, state: str) -> None:
    """`off` ends every process of a node at once, as a cut of its power; `on` boots it, and waits for ssh alone."""
    if state == "off":
        engine.docker("kill", name)
        return
    engine.docker("start", name)
    ui.wait_for(f"{name}: ssh", lambda: _open(config.MANAGEMENT.address(ALL[name])))


def summary() -> list[str]:
    """Lines for status."""
    lines = []
    for name in existing():
        state = engine.query("inspect", "--format={{.State.Status}}, pid {{.State.Pid}}", name)
        address = config.MANAGEMENT.address(ALL[name])
        inside = engine.query("exec", name, "docker", "ps", "--format={{.Names}}").split()
        lines.append(f"{name}  {state}, {address}, containers: {' '.join(inside) or 'none'}")
    if lines:
        first = config.MANAGEMENT.address(1)
        lines.append(f"ssh -i {config.SSH_KEY} -o UserKnownHostsFile={config.KNOWN_HOSTS} {config.USER}@{first}")
    return lines


def write_known_hosts() -> None:
    """Host keys of all possible nodes, under their management addresses and both ports."""
    lines = []
    for name, index in ALL.items():
        public = (_host_key(name) / "ssh_host_ed25519_key.pub").read_text().split()
        address = config.MANAGEMENT.address(index)
        hosts = ",".join([address, *(f"[{address}]:{port}" for port in config.SSH_PORTS if port != 22)])
        lines.append(f"{hosts} {public[0]} {public[1]}\n")
    config.KNOWN_HOSTS.write_text("".join(lines))


def _host_key(name: str) -> Path:
    """A node keeps its host key when it is made anew, as a reinstalled one that restores its keys."""
    folder = HOST_KEYS / name
    if not folder.exists():
        folder.mkdir(parents=True)
        ui.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / "ssh_host_ed25519_key"])
    return folder


def _create(name: str, image: str, model_archive: bytes) -> None:
    index = ALL[name]
    engine.docker(
        "create", f"--name={name}", f"--hostname={name}", f"--label={config.LABEL}=node", "--privileged",
        "--cgroupns=private", "--restart=unless-stopped", "--shm-size=4g",
        "--tmpfs=/run:exec,mode=755", "--tmpfs=/run/lock", "--tmpfs=/tmp:exec,mode=1777",
        *(f"--volume={volume}:{folder}" for volume, folder in _volumes(name).items()),
        f"--network={config.MANAGEMENT.name}", f"--ip={config.MANAGEMENT.address(index)}",
        *(f"--env=LAB_INTERFACE_{number}={network.address(index)}={network.interface}"
          for number, network in enumerate(config.NETWORKS)),
        f"--env=LAB_RAILS={' '.join(rail.interface for rail in config.RAILS)}",
        image,
    )  # fmt: skip
    for rail in config.RAILS:
        engine.docker("network", "connect", f"--ip={rail.address(index)}", rail.name, name)
    for archive in (_own_files(name), model_archive):
        subprocess.run(engine.command("cp", "-", f"{name}:/"), input=archive, check=True, capture_output=True)


def _own_files(name: str) -> bytes:
    """What tells one node from another, and the hardware that it has."""
    known = "".join(f"{config.REGISTRY_ADDRESS} {registry}\n" for registry in config.REGISTRY_NAMES)
    known += f"{config.HUB_ADDRESS} {config.HUB_NAME}\n"
    texts = {
        "etc/hostname": f"{name}\n",
        "etc/hosts": HOSTS.format(name=name, known=known),
        "etc/lab/hardware.json": hardware.tree(hardware.DEFAULT),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(_host_key(name).iterdir()):
            archive.add(path, arcname=f"etc/ssh/{path.name}")
        for path, text in texts.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _remove(names: list[str], *, keep_images: bool = False) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: _remove_one(name, keep_images), names))


def _remove_one(name: str, keep_images: bool) -> None:
    emptied = keep_images and engine.query("exec", name, "sh", "-c", FORGET_CONTAINERS)
    engine.docker("rm", "--force", name)
    if not emptied:
        engine.docker("volume", "rm", "--force", *_volumes(name))


def _volumes(name: str) -> dict[str, str]:
    """The node's engine needs file systems below it that are no overlay: volume -> folder."""
    return {f"{name}-{part}": f"/var/lib/{part}" for part in ("docker", "containerd")}


def _wait(name: str) -> None:
    """Wait until it has booted without a failed unit and ssh answers."""
    ui.wait_for(f"{name}: systemd", lambda: engine.query("exec", name, "systemctl", "is-system-running", "--wait") or
                "degraded" in engine.docker("exec", name, "systemctl", "is-system-running", check=False))  # fmt: skip
    failed = engine.query("exec", name, "systemctl", "--failed", "--plain", "--no-legend")
    if failed:
        raise ui.LabError(f"{name}: failed units\n{failed}")
    ui.wait_for(f"{name}: ssh", lambda: _open(config.MANAGEMENT.address(ALL[name])))


def _open(address: str) -> bool:
    try:
        socket.create_connection((address, config.SSH_PORTS[0]), timeout=1).close()
    except OSError:
        return False
    return True

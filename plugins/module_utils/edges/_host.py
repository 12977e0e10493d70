# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node shows of itself: interfaces, rails, ports and memory. Reads only."""

from __future__ import annotations

import json
import os
import re
import typing as t

from .._errors import SparkError
from ..fabric._fabric import Interface

_LISTEN = "0A"
_CONTAINER_ID = re.compile(r"([0-9a-f]{64})")


# Runs a command and returns its exit status, output and error output (AnsibleModule.run_command).
Run = t.Callable[[list[str]], tuple[int, str, str]]


def ip(run: Run, *words: str) -> list[dict[str, t.Any]]:
    """Return what `ip -json` says. Raises SparkError when it fails."""
    command = ["ip", "-json", *words]
    status, output, error = run(command)
    if status != 0:
        raise SparkError(f"`{' '.join(command)}` failed: {error.strip()}", "install iproute2 on the node.")
    # It says nothing at all where there is nothing to say, and before 6.2 an empty object for what a filter leaves out.
    return [item for item in json.loads(output or "[]") if item]


def interfaces(run: Run) -> list[Interface]:
    """Return the node's interfaces with their addresses and the RDMA device behind each."""
    rdma = rdma_devices()
    return [
        Interface(
            name=link["ifname"],
            addresses=tuple(item["local"] for item in link.get("addr_info", ()) if "local" in item),
            mtu=link.get("mtu", 0),
            up=link.get("operstate") in ("UP", "UNKNOWN"),
            rdma_device=rdma.get(link["ifname"], ""),
        )
        for link in ip(run, "address", "show")
    ]


def rdma_devices(root: str = "/sys/class/infiniband") -> dict[str, str]:
    """Return interface -> RDMA device for every RDMA function of the node."""
    found = {}
    for device in _listdir(root):
        for interface in _listdir(f"{root}/{device}/device/net"):
            found[interface] = device
    return found


def memory() -> dict[str, int]:
    """Return total and available memory in bytes. On GB10 this is the GPU's memory, too; nvidia-smi reports none."""
    with open("/proc/meminfo") as file:
        lines = dict(line.split(":", 1) for line in file)
    return {
        key: int(lines[name].split()[0]) * 1024 for key, name in (("total", "MemTotal"), ("available", "MemAvailable"))
    }


def listeners(ports: t.Iterable[int]) -> dict[int, dict[str, t.Any]]:
    """Return port -> {pid, process, container_id, unit} for those of `ports` on which somebody listens."""
    wanted = {int(port) for port in ports}
    inodes: dict[str, int] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _read(table).splitlines()[1:]:
            fields = line.split()
            port = int(fields[1].rsplit(":", 1)[1], 16)
            if fields[3] == _LISTEN and port in wanted:
                inodes[fields[9]] = port
    found: dict[int, dict[str, t.Any]] = {
        port: {"pid": 0, "process": "", "container_id": "", "unit": ""} for port in inodes.values()
    }
    for pid in filter(str.isdigit, os.listdir("/proc")) if inodes else ():
        for descriptor in _listdir(f"/proc/{pid}/fd"):
            inode = _readlink(f"/proc/{pid}/fd/{descriptor}").removeprefix("socket:[").removesuffix("]")
            if inode in inodes:
                found[inodes[inode]] = {
                    "pid": int(pid),
                    "process": _read(f"/proc/{pid}/comm").strip(),
                    "container_id": container_of(pid),
                    "unit": unit_of(pid),
                }
    return found


def container_of(pid: str) -> str:
    """Return the ID of the container that a process runs in; empty when in none."""
    found = _CONTAINER_ID.search(_read(f"/proc/{pid}/cgroup"))
    return found.group(1) if found else ""


def unit_of(pid: str) -> str:
    """Return the service of systemd that a process belongs to; empty when to none."""
    last = _read(f"/proc/{pid}/cgroup").strip().rpartition("/")[2]
    return last if last.endswith(".service") else ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _listdir(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def _readlink(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""

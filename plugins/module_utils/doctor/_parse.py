# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the texts that a look at a node brought to the facts that the doctor judges."""

from __future__ import annotations

import csv
import re
import shlex
import typing as t

from .._results import trouble
from ..companion._systemd import parse_units
from ..fabric import _cx7
from ..fabric._fabric import Interface
from ..keeper._unit import instance_of
from ._facts import App, Container, Disk, Facts, Gpu

_CUDA = re.compile(r"CUDA Version\s*:\s*(\d+(?:\.\d+)*)", re.I)


def parse_facts(node: str, looked: t.Mapping[str, t.Any] | None) -> Facts:
    """Return the facts from the result of node_doctor, whichever way that ended."""
    if not looked or "doctor" not in looked:
        problem = trouble(looked, "node_doctor")
        return Facts(node, problem.what.rstrip("."), problem.hint or "mend what it says, then look again.")
    raw, clock = looked["doctor"], looked.get("clock") or {}
    info, image = raw["docker"]["info"], raw["docker"]["image"]
    containers = tuple(Container(**item) for item in raw["docker"]["containers"])
    by_id = {container.id: container for container in containers}
    return Facts(
        node=node,
        os=_assignments(raw["os_release"]),
        dgx=_dgx(_assignments(raw["dgx_release"])),
        machine=raw["machine"],
        kernel=raw["kernel"],
        cmdline=tuple(raw["cmdline"].split()),
        bios=raw["bios"],
        hostname=raw["hostname"],
        own_addresses=tuple(line.split()[0] for line in raw["hosts"]),
        memory={name: int(rest.split()[0]) * 1024 for name, _colon, rest in _fields(raw["meminfo"])},
        load=float((raw["loadavg"].split() or ["0"] * 2)[1]),  # over five minutes
        cores=raw["cores"],
        user=raw["user"],
        groups=tuple(raw["groups"]),
        memlock=raw["memlock"],
        gpus=tuple(_gpu(row) for row in _csv(raw["smi"])),
        gpu_error=raw["smi_error"],
        cuda=next(iter(_CUDA.findall(raw["smi_version"])), ""),
        apps=tuple(_app(row, raw["app_containers"], by_id) for row in _csv(raw["smi_apps"])),
        docker_error=raw["docker"]["error"],
        docker=info.get("ServerVersion") or "",
        sdk=raw["docker"]["sdk"],
        toolkit=raw["docker"]["toolkit"],
        gpu_ways=_gpu_ways(info, raw["docker"]["hook"]),
        proxy=bool(info.get("HttpProxy") or info.get("HttpsProxy")),
        containers=containers,
        engines=parse_units(raw["units"]),
        image_id=image.get("Id", ""),
        image_digests=tuple(known.rpartition("@")[2] for known in image.get("RepoDigests") or ()),
        image_size=image.get("Size", 0),
        nccl=raw["nccl"]["version"] if raw["nccl"] else None,
        nccl_error=raw["nccl"]["error"] if raw["nccl"] else "",
        docker_disk=Disk(**raw["disks"]["docker"]) if raw["disks"]["docker"] else None,
        model_disk=Disk(**raw["disks"]["model"]) if raw["disks"]["model"] else None,
        model_bytes=raw["model_bytes"],
        synchronized={"yes": True, "no": False}.get(raw["clock"]["synchronized"]),
        offset=clock.get("offset"),
        uncertainty=clock.get("uncertainty", 0.0),
        ports={int(port): _owner(owner, by_id) for port, owner in raw["ports"].items()},
        interfaces=tuple(Interface(**{**face, "addresses": tuple(face["addresses"])}) for face in raw["interfaces"]),
        prefixes=raw["prefixes"],
        default_interface=raw["default_interface"],
        functions=_cx7.functions(raw["sys"]),
        hotplug=_cx7.hotplug(raw["sys"]),
        registry=raw["registry"]["host"],
        registry_found=raw["registry"]["found"],
    )


def _fields(text: str) -> list[tuple[str, str, str]]:
    return [line.partition(":") for line in text.splitlines() if ":" in line]


def _assignments(text: str) -> dict[str, str]:
    """Return the shell assignments of files like /etc/os-release."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: "".join(shlex.split(value)[:1]) for name, _equals, value in pairs}


def _dgx(release: t.Mapping[str, str]) -> str:
    # An update over the air leaves the version of the first installation where it was.
    return release.get("DGX_OTA_VERSION") or release.get("DGX_SWBUILD_VERSION") or ""


def _csv(text: str) -> list[list[str]]:
    return [row for row in csv.reader(text.splitlines(), skipinitialspace=True) if row]


def _number(text: str, base: int = 10) -> int:
    """Return a number of nvidia-smi; -1 for what GB10 does not tell ([N/A], [Not Supported])."""
    try:
        return int(text, base)
    except ValueError:
        return -1


def _gpu(row: t.Sequence[str]) -> Gpu:
    name, driver, clock, use, reasons = (*row, *[""] * 5)[:5]
    return Gpu(name, driver, _number(clock), _number(use), max(_number(reasons, 16), 0))


def _app(row: t.Sequence[str], held_by: t.Mapping[str, str], by_id: t.Mapping[str, Container]) -> App:
    pid, process, memory = (*row, *[""] * 3)[:3]
    container, mebibytes = by_id.get(held_by.get(pid, "")), _number(memory)
    return App(
        pid=_number(pid),
        process=process,
        memory=mebibytes * 2**20 if mebibytes >= 0 else -1,
        container=container.name if container else "",
        ours=bool(container and container.ours),
    )


def _owner(owner: t.Mapping[str, t.Any], by_id: t.Mapping[str, Container]) -> dict[str, t.Any]:
    container = by_id.get(owner["container_id"])
    return {
        "pid": owner["pid"],
        "process": owner["process"],
        "container": container.name if container else "",
        "ours": bool(container and container.ours) or bool(instance_of(owner.get("unit", ""))),
    }


def _gpu_ways(info: t.Mapping[str, t.Any], hook: bool) -> tuple[str, ...]:
    """Return the ways by which Docker can give a container the GPU."""
    found = ["runtime nvidia"] if "nvidia" in (info.get("Runtimes") or {}) else []
    found += ["CDI"] if any("nvidia" in str(device) for device in info.get("DiscoveredDevices") or ()) else []
    return (*found, "hook") if hook else tuple(found)


def clock_offset(before: float, began: float, ended: float, after: float) -> tuple[float, float]:
    """Return by how many seconds the node's clock is ahead, and by how much that may be wrong.

    The node looked from `began` to `ended` on its clock, which was between `before` and `after` on the controller's:
    whatever of that time the look itself did not take was spent on the way, there or back.
    """
    return ((began - before) + (ended - after)) / 2, ((after - before) - (ended - began)) / 2

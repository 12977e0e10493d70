# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A healthy pair of Sparks as node_doctor brings it, to be spoilt by keyword. Built from documents, not recorded.

System: DGX OS 7.5.0 with kernel 6.17.0-1029-nvidia and driver 580.173.02 (NVIDIA/dgx-spark-playbooks#102, public
reports of 2026), nvidia-smi's columns as its man page has them with [N/A] where GB10 tells nothing, `docker info` as
the Docker Engine API documents it. The RDMA functions are those of data/sys.
"""

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path

from ansible_collections.dgxspark.sglang.plugins.module_utils.doctor._doctor import Finding
from ansible_collections.dgxspark.sglang.plugins.module_utils.doctor._facts import Facts, Wanted
from ansible_collections.dgxspark.sglang.plugins.module_utils.doctor._parse import parse_facts
from ansible_collections.dgxspark.sglang.plugins.module_utils.doctor._report import examine
from ansible_collections.dgxspark.sglang.plugins.module_utils.fabric._cx7 import HOTPLUG_MARKER

NODES = ("spark-01", "spark-02")
IMAGE = "lmsysorg/sglang:v0.5.23"
PORTS = {"spark-01": {"server_port": 30000, "server_dist_port": 50000}, "spark-02": {"server_port": 30000}}
IMAGE_ID = "sha256:5a9d1c1f1a0b7f9c0f8f0e0c1f4f4a0d3d3c2b1a0f9e8d7c6b5a49382716050f"
OTHER_ID = "sha256:aaaabbbbccccddddeeeeffff00001111222233334444555566667777888899990"
SYS = Path(__file__).parent / "data/sys"
GIB = 2**30
OS_RELEASE = 'PRETTY_NAME="Ubuntu 24.04.4 LTS"\nNAME="Ubuntu"\nVERSION_ID="24.04"\nID=ubuntu\n'
DGX_RELEASE = 'DGX_NAME="DGX Spark"\nDGX_SWBUILD_VERSION="7.2.3"\nDGX_OTA_VERSION="7.5.0"\n'
OURS, THEIRS = "c1" * 32, "d2" * 32


def sys_tree(name: str = "two-rails-up", **changes: str) -> dict[str, str]:
    """Return the files of a tree in data/sys; `changes`: the end of a path (with __ for /) to its new text."""
    tree = json.loads((SYS / f"{name}.json").read_text(encoding="utf-8"))["files"]
    for end, text in changes.items():
        path = next(path for path in tree if path.endswith(end.replace("__", "/")))
        tree[path] = text
    return {path: text for path, text in tree.items() if path != HOTPLUG_MARKER}


def meminfo(total: float = 121.7, available: float = 112.0, **more: float) -> str:
    """Return lines of /proc/meminfo from GiB."""
    values = {"MemTotal": total, "MemAvailable": available, "SwapTotal": 0.0, "SwapFree": 0.0, **more}
    return "\n".join(f"{name}:       {int(value * 2**20)} kB" for name, value in values.items())


def face(name: str, addresses: list[str], mtu: int = 9000, up: bool = True, rdma_device: str = "") -> dict[str, t.Any]:
    return {"name": name, "addresses": addresses, "mtu": mtu, "up": up, "rdma_device": rdma_device}


def faces(number: int = 1, first: int = 9000, second: int = 9000) -> list[dict[str, t.Any]]:
    """Return the interfaces of spark-0N; `first` and `second` are the MTUs of its rails."""
    return [
        face("lo", ["127.0.0.1"], 65536),
        face("enP7s7", [f"10.0.0.1{number}"], 1500),
        face("enp1s0f1np1", [f"192.168.100.1{number}"], first, rdma_device="rocep1s0f1"),
        face("enP2p1s0f1np1", [f"192.168.101.1{number}"], second, rdma_device="roceP2p1s0f1"),
    ]


def container(name: str, ours: bool, running: bool = True, image: str = IMAGE) -> dict[str, t.Any]:
    return {"id": OURS if ours else THEIRS, "name": name, "image": image, "running": running, "ours": ours}


def looked(number: int = 1, **changes: t.Any) -> dict[str, t.Any]:
    """Return what node_doctor brings from spark-0N. A change with __ goes into a dictionary: docker__error="x"."""
    doctor: dict[str, t.Any] = {
        "os_release": OS_RELEASE,
        "dgx_release": DGX_RELEASE,
        "machine": "aarch64",
        "kernel": "6.17.0-1029-nvidia",
        "cmdline": "BOOT_IMAGE=/boot/vmlinuz-6.17.0-1029-nvidia root=UUID=4711 ro quiet splash",
        "loadavg": "0.42 0.37 0.30 1/812 4711",
        "bios": "5.36_0ACUM018",
        "hostname": f"spark-0{number}",
        "hosts": [],
        "meminfo": meminfo(),
        "cores": 20,
        "user": "spark",
        "groups": ["spark", "sudo", "docker"],
        "memlock": "unlimited",
        "smi": "NVIDIA GB10, 580.173.02, 208, 0, 0x0000000000000001\n",
        "smi_apps": "",
        "smi_version": "NVIDIA-SMI version  : 580.173.02\nCUDA Version        : 13.0\n",
        "smi_error": "",
        "units": "Id=vllm.service\nActiveState=inactive\n\nId=ollama.service\nActiveState=inactive\n",
        "app_containers": {},
        "docker": {
            "error": "",
            "sdk": True,
            "toolkit": True,
            "hook": False,
            "info": {
                "ServerVersion": "29.2.1",
                "Runtimes": {"nvidia": {}, "runc": {}},
                "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}],
                "HttpProxy": "",
                "HttpsProxy": "",
            },
            "containers": [],
            "image": {"Id": IMAGE_ID, "RepoDigests": [f"lmsysorg/sglang@{OTHER_ID}"], "Size": 20 * 10**9},
        },
        "disks": {
            "docker": {"path": "/var/lib/docker", "free": 900 * GIB, "total": 3600 * GIB},
            "model": {"path": "/home/spark/ai/models", "free": 900 * GIB, "total": 3600 * GIB},
        },
        "model_bytes": 61 * GIB,
        "ports": {},
        "interfaces": faces(number),
        "prefixes": {
            "127.0.0.1": 8,
            f"10.0.0.1{number}": 24,
            f"192.168.100.1{number}": 24,
            f"192.168.101.1{number}": 24,
        },
        "default_interface": "enP7s7",
        "sys": sys_tree(),
        "registry": {"host": "registry-1.docker.io", "found": True},
        "nccl": {"version": "2.30.7", "error": ""},
        "clock": {"began": 100.0, "ended": 101.0, "synchronized": "yes"},
    }
    result: dict[str, t.Any] = {"changed": False, "doctor": doctor, "clock": {"offset": 0.01, "uncertainty": 0.3}}
    for key, value in copy.deepcopy(changes).items():
        *folders, last = key.split("__")
        place = result if key == "clock" else doctor
        for folder in folders:
            place = place[folder]
        place[last] = value
    return result


def facts(number: int = 1, **changes: t.Any) -> Facts:
    return parse_facts(f"spark-0{number}", looked(number, **changes))


def wanted(**changes: t.Any) -> Wanted:
    """Return what is asked of the pair; `nodes` may name fewer."""
    names = changes.pop("nodes", NODES)
    addresses = {f"spark-0{number}": (f"192.168.100.1{number}", f"192.168.101.1{number}") for number in (1, 2)}
    asked: dict[str, t.Any] = {
        "nodes": names,
        "ranks": names,
        "head": "spark-01",
        "image": IMAGE,
        "ports": PORTS,
    }
    return Wanted(**{**asked, "addresses": {name: addresses[name] for name in names}, **changes})


def pair(second: t.Mapping[str, t.Any] | None = None, **asked: t.Any) -> list[Finding]:
    """Return all findings of a pair whose second node has these changes."""
    return examine([facts(1), facts(2, **(second or {}))], wanted(**asked))


def bad(findings: t.Iterable[Finding]) -> list[tuple[str, str, str]]:
    """Return severity, check and node of what did not pass."""
    return [(item.severity, item.check, item.node) for item in findings if item.severity != "ok"]

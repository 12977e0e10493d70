# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One quick look at a whole node: files, and commands that run side by side, each with a limit. Reads only.

Docker is asked by its own command here, not by its SDK: a bare node has the one and lacks the other.
"""

from __future__ import annotations

import asyncio
import grp
import importlib.util
import json
import os
import pwd
import shutil
import time
import typing as t
from dataclasses import asdict

from ..companion._systemd import ENGINES, SHOW
from ..server._container import SPEC_LABEL
from . import _host, _sysfs

# Seconds. nvidia-smi needs one or two where no persistence daemon keeps the driver loaded; all others are faster.
_LIMIT, LIMITS = 5.0, {"registry": 2.0, "nccl": 30.0}
_GPU_FIELDS = "name,driver_version,clocks.sm,utilization.gpu,clocks_event_reasons.active"
_TABLE = ["--format=csv,noheader,nounits"]
_CONTAINER_FIELDS = ("ID", "Names", "Image", "State", f'Label "{SPEC_LABEL}"')
_MEMORY = ("MemTotal:", "MemAvailable:", "SwapTotal:", "SwapFree:", "CmaTotal:", "CmaFree:")
FILES = {
    "os_release": "/etc/os-release",
    "dgx_release": "/etc/dgx-release",
    "cmdline": "/proc/cmdline",
    "loadavg": "/proc/loadavg",
    "bios": "/sys/class/dmi/id/bios_version",
}
DOCKER_KEYS = ("ServerVersion", "Runtimes", "DiscoveredDevices", "HttpProxy", "HttpsProxy")
COMMANDS = {
    "smi": ["nvidia-smi", f"--query-gpu={_GPU_FIELDS}", *_TABLE],
    "smi_apps": ["nvidia-smi", "--query-compute-apps=pid,process_name,used_memory", *_TABLE],
    "smi_version": ["nvidia-smi", "--version"],
    "docker_info": ["docker", "info", "--format", "{{json .}}"],
    "docker_ps": [
        "docker",
        "ps",
        "--all",
        "--no-trunc",
        "--format",
        "\t".join(f"{{{{.{x}}}}}" for x in _CONTAINER_FIELDS),
    ],
    "addresses": ["ip", "-json", "address", "show"],
    "routes": ["ip", "-json", "route", "show", "default"],
    "units": [*SHOW, *ENGINES],
    "synchronized": ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
}
# The library that PyTorch will load in the image: one that is preloaded or named for SGLang, then that of pip, which
# PyTorch's run path names, then the system's. The variable NCCL_VERSION of an image may say another (vllm#46097).
_NCCL_CODE = """
import ctypes, importlib.util, os
def of(path):
    number = ctypes.c_int()
    try:
        ctypes.CDLL(path).ncclGetVersion(ctypes.byref(number))
    except (OSError, AttributeError):
        return ""
    return "%d.%d.%d" % (number.value // 10000, number.value % 10000 // 100, number.value % 100)
try:
    folders = importlib.util.find_spec("nvidia.nccl").submodule_search_locations
except (ImportError, AttributeError):
    folders = ()
named = filter(None, [os.environ.get("SGLANG_NCCL_SO_PATH")])
paths = [None, *named, *[folder + "/lib/libnccl.so.2" for folder in folders], "libnccl.so.2"]
print(next(filter(None, map(of, paths)), ""))
"""


class Answer(t.NamedTuple):
    """What a command left: exit status (127: it does not exist, 124: it took too long), output and error output."""

    status: int
    output: str
    error: str

    @property
    def text(self) -> str:
        return self.output if self.status == 0 else ""


def look(image: str, ports: t.Iterable[int], user: str, model_path: str, nccl: bool) -> dict[str, t.Any]:
    """Return everything that the doctor judges of this node, as texts and plain values."""
    began = time.time()
    registry = registry_host(image)
    commands = {**COMMANDS, "memlock": ["runuser", "-u", user, "--", "sh", "-c", "ulimit -l"]}
    if image:
        commands |= {"image": ["docker", "image", "inspect", image], "registry": ["getent", "ahosts", registry]}
    answers = side_by_side(commands)
    info, images = _json(answers["docker_info"], {}), _json(answers.get("image"), [])
    links = answers["addresses"]
    found = {
        **{name: _read(path) for name, path in FILES.items()},
        "machine": os.uname().machine,
        "kernel": os.uname().release,
        "hostname": os.uname().nodename,
        "hosts": [line for line in _read("/etc/hosts").splitlines() if _names(line, os.uname().nodename)],
        "meminfo": "\n".join(line for line in _read("/proc/meminfo").splitlines() if line.startswith(_MEMORY)),
        "cores": os.cpu_count() or 0,
        "user": user,
        "groups": groups(user),
        "memlock": answers["memlock"].text.strip(),
        **{name: answers[name].text for name in ("smi", "smi_apps", "smi_version", "units")},
        "smi_error": "" if answers["smi"].status == 0 else _first_line(answers["smi"]),
        "app_containers": app_containers(answers["smi_apps"].text),
        "docker": {
            "error": docker_error(answers["docker_info"], info),
            "sdk": importlib.util.find_spec("docker") is not None,
            "toolkit": shutil.which("nvidia-ctk") is not None,
            "hook": shutil.which("nvidia-container-runtime-hook") is not None,
            "info": {key: info.get(key) for key in DOCKER_KEYS},
            "containers": containers(answers["docker_ps"].text),
            "image": {key: images[0].get(key) for key in ("Id", "RepoDigests", "Size")} if images else {},
        },
        "disks": {"docker": disk(info.get("DockerRootDir", "")), "model": disk(model_path)},
        "model_bytes": weights(model_path),
        "ports": {str(port): owner for port, owner in _host.listeners(ports).items()},
        "interfaces": [asdict(face) for face in _host.interfaces(lambda command: links)],
        "prefixes": {
            item["local"]: item["prefixlen"]
            for link in _json(links, [])
            for item in link.get("addr_info", ())
            if "local" in item
        },
        "default_interface": next((route["dev"] for route in _json(answers["routes"], []) if "dev" in route), ""),
        "sys": _sysfs.read(),
        "registry": {"host": registry, "found": not image or answers["registry"].status == 0},
        "nccl": nccl_version(image) if nccl and images else None,
    }
    clock = {"began": began, "ended": time.time(), "synchronized": answers["synchronized"].text.strip()}
    return {**found, "clock": clock}


def side_by_side(commands: t.Mapping[str, list[str]]) -> dict[str, Answer]:
    """Return the answers of commands that all run at the same time, each within its limit."""

    async def together() -> list[Answer]:
        return await asyncio.gather(*(ask(command, LIMITS.get(name, _LIMIT)) for name, command in commands.items()))

    return dict(zip(commands, asyncio.run(together()), strict=True))


async def ask(command: list[str], limit: float) -> Answer:
    """Return what a command says within `limit` seconds."""
    none, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=none, stdout=pipe, stderr=pipe, env=environment)
    except OSError as error:
        return Answer(127, "", f"{command[0]}: {error.strerror}")
    try:
        output, error_output = await asyncio.wait_for(process.communicate(), limit)
    except asyncio.TimeoutError:
        process.kill()
        await process.wait()
        return Answer(124, "", f"{command[0]} did not answer within {limit:g} s")
    return Answer(await process.wait(), output.decode(errors="replace"), error_output.decode(errors="replace"))


def registry_host(image: str) -> str:
    """Return the host that an image is pulled from: its first part when that looks like a host, or Docker Hub."""
    first, slash, _rest = image.partition("/")
    named = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first.rpartition(":")[0] or first if named else "registry-1.docker.io"


def containers(listed: str) -> list[dict[str, t.Any]]:
    rows = (line.split("\t", len(_CONTAINER_FIELDS) - 1) for line in listed.splitlines())
    return [
        {"id": row[0], "name": row[1], "image": row[2], "running": row[3] == "running", "ours": bool(row[4])}
        for row in rows
    ]


def docker_error(answer: Answer, info: t.Mapping[str, t.Any]) -> str:
    """Return why Docker can't be asked; its command tells that in its answer or instead of one."""
    return "; ".join(info.get("ServerErrors") or ()) or ("" if answer.status == 0 else _first_line(answer))


def app_containers(listed: str) -> dict[str, str]:
    """Return process -> the container that it runs in, for the processes on the GPU."""
    pids = [line.partition(",")[0].strip() for line in listed.splitlines()]
    found = {pid: _host.container_of(pid) for pid in pids if pid.isdigit()}
    return {pid: container for pid, container in found.items() if container}


def groups(user: str) -> list[str]:
    """Return the groups of a user, as they are configured (a session may be older); empty for no such user."""
    try:
        return [grp.getgrgid(number).gr_name for number in os.getgrouplist(user, pwd.getpwnam(user).pw_gid)]
    except KeyError:
        return []


def disk(path: str) -> dict[str, t.Any]:
    """Return the file system that `path` is on, or will be; empty when there is no path."""
    while path and not os.path.exists(path):
        path = os.path.dirname(path)
    if not path:
        return {}
    usage = shutil.disk_usage(path)
    return {"path": path, "free": usage.free, "total": usage.total}


def weights(folder: str) -> int:
    """Return the bytes of a model's weights; 0 when there are none."""
    try:
        return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.name.endswith(".safetensors"))
    except OSError:
        return 0


def nccl_version(image: str) -> dict[str, str]:
    """Return the version of the NCCL library that an engine in this image will load (empty: none), or the error."""
    run = ["docker", "run", "--rm", "--pull", "never", "--network", "none", "--entrypoint", "python3"]
    answer = side_by_side({"nccl": [*run, image, "-c", _NCCL_CODE]})["nccl"]
    return {"version": answer.text.strip(), "error": "" if answer.status == 0 else _first_line(answer)}


def _names(line: str, host: str) -> bool:
    return host in line.partition("#")[0].split()[1:]


def _json(answer: Answer | None, otherwise: t.Any) -> t.Any:
    try:
        return json.loads(answer.output) if answer else otherwise
    except ValueError:
        return otherwise


def _first_line(answer: Answer) -> str:
    return next(iter((answer.error.strip() or answer.output.strip()).splitlines()), f"exit status {answer.status}")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the log of a measurement says: NCCL's words on the transport, and the sweep's numbers."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ..diagnosis._match import diagnose

RDMA, SOCKET, LOCAL, UNKNOWN = "rdma", "socket", "local", ""
SWEEP = "SWEEP "

_VERSION = re.compile(r"NCCL version (\d+\.\d+\.\d+)")
# How a connection goes: "via NET/IB/0", "via NET/NCCL RDMA Plugin v10/0" (NVIDIA's containers), "via NET/Socket/0",
# "via P2P/CUMEM", "via SHM/direct/direct". Only these lines tell what is used; the others tell what could be.
_CHANNEL = re.compile(r"\bvia (?:NET/(?P<net>[^/]+)/(?P<index>\d+)|P2P|SHM)")
_NETWORK = re.compile(r"Using network (\S+)")
_IB_USING = re.compile(r"NET/IB : Using (?P<devices>.*?)(?:;|$)")
_IB_DEVICE = re.compile(r"\[(\d+)\]([^\s:]+):\d+/")
_MERGED = re.compile(r"Made virtual device \[(\d+)\] name=(\S+)")
_INTERFACE = re.compile(r"\[\d+\]([^\s:]+):\S*?<\d+>")
_QUEUE_PAIR = re.compile(r"NCCL Dev (\d+) .*?\bmtu (\d) GID \d+ \(([0-9A-Fa-f]+)/")
_EVIDENCE = re.compile(r"via NET/|Using network|NET/\w+ : (?:Using|No device)|NCCL WARN|no socket interface found")
_EVIDENCE_LINES = 6
# Of the port's active MTU, which verbs count 1 to 5 (ibv_mtu, rdma-core).
_MTU = {"1": 256, "2": 512, "3": 1024, "4": 2048, "5": 4096}
# What ends a measurement, beyond what ends a server; the program's own words and NCCL's.
_CAUSES = (
    (
        "No module named 'torch'",
        "The image has no PyTorch.",
        "name an image with PyTorch in nccl_image; every serving image has it.",
    ),
    (
        "Timeout (",  # of faulthandler, which ends the program
        "A call hung, and the measurement ended itself.",
        "check that the rails reach each other (role fabric), and the MTU on both sides; NCCL's log has the last step.",
    ),
)
_LINK_LOCAL = "80fe"  # fe80::/64 as NCCL prints it, in the host's byte order


@dataclass(frozen=True)
class Evidence:
    """What NCCL said of its transport on one node. `devices`: RDMA devices or interfaces that carry data.

    `rdma_mtu`: bytes, 0 when not said. `link_local`: devices whose GID has no fabric address behind it.
    """

    transport: str = UNKNOWN
    devices: tuple[str, ...] = ()
    version: str = ""
    rdma_mtu: int = 0
    link_local: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sweep:
    """What the program said: the points, how many were left out for lack of time, and whether it began and ended."""

    points: tuple[dict[str, t.Any], ...] = ()
    left_out: int = 0
    began: bool = False
    ended: bool = False
    nccl: str = ""


def sweep(log: t.Iterable[str]) -> Sweep:
    """Return the numbers in a log."""
    words = [word for word in map(_word, log) if word]
    began = next((word for word in words if word.get("event") == "begin"), {})
    events = [word.get("event") for word in words]
    return Sweep(
        points=tuple(word for word in words if "busbw" in word),
        left_out=events.count("skipped"),
        began=bool(began),
        ended="end" in events,
        nccl=str(began.get("nccl", "")),
    )


def is_point(line: str) -> bool:
    """Return whether a line is a number of the sweep, which the result has already."""
    return "busbw" in _word(line)


def failure(log: t.Sequence[str], exit_code: int, oom_killed: bool) -> tuple[str, str, bool]:
    """Return why a measurement failed, what to do next, and whether another rank's failure may be behind it."""
    text = "\n".join(log)
    for pattern, meaning, hint in _CAUSES:
        if pattern in text:
            return meaning, hint, False
    found = diagnose(log, exit_code, oom_killed)
    if found:
        return found.why, found.hint, found.echo
    return f"The measurement ended with exit code {exit_code}.", "read its last lines (log_tail).", False


def phase(log: t.Sequence[str]) -> str:
    """Return how far a measurement is, in words for people."""
    found = sweep(log)
    if found.ended:
        return "measured"
    if found.points:
        last = found.points[-1]
        return f"{last['collective']} of {size(last['bytes'])}: {last['time_us']:.0f} us, {last['busbw']:.2f} GB/s"
    return "measuring" if found.began else "waiting for the other ranks" if any(map(_word, log)) else "starting"


def size(count: int) -> str:
    """Return bytes of a message as people say them."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= unit:
            return f"{count / unit:g} {name}" if count % unit == 0 else f"{count / unit:.1f} {name}"
    return f"{count} B"


def evidence(log: t.Sequence[str]) -> Evidence:
    """Return what NCCL's log proves. Sockets anywhere are sockets: the slowest connection decides."""
    text = "\n".join(log)
    channels = list(_CHANNEL.finditer(text))
    nets = {match["net"] for match in channels if match["net"]}
    networks = set(_NETWORK.findall(text))
    if "Socket" in nets or (not channels and "Socket" in networks):
        transport = SOCKET
    elif nets or (not channels and networks):
        transport = RDMA
    else:
        transport = LOCAL if channels else UNKNOWN
    names = _devices(text)
    used = {match["index"] for match in channels if match["net"]}
    pairs = {index: (mtu, subnet) for index, mtu, subnet in _QUEUE_PAIR.findall(text)}
    devices = {part for index, name in names.items() if not used or index in used for part in name.split("+")}
    version = _VERSION.search(text)
    return Evidence(
        transport=transport,
        devices=tuple(sorted(devices)) if transport == RDMA else _interfaces(text) if transport == SOCKET else (),
        version=version[1] if version else sweep(log).nccl,
        rdma_mtu=min((_MTU.get(mtu, 0) for mtu, subnet in pairs.values()), default=0),
        link_local=tuple(
            sorted(names.get(index, index) for index, pair in pairs.items() if pair[1].lower() == _LINK_LOCAL)
        ),
        lines=_lines(log),
    )


def _devices(text: str) -> dict[str, str]:
    """Return NCCL's number -> name of its RDMA devices; those that NCCL made of two have both names, with a plus."""
    listed = _IB_USING.search(text)
    names = dict(_IB_DEVICE.findall(listed["devices"])) if listed else {}
    return {**names, **dict(_MERGED.findall(text))}


def _interfaces(text: str) -> tuple[str, ...]:
    listed = re.search(r"NET/Socket : Using (.*)", text)
    return tuple(_INTERFACE.findall(listed[1])) if listed else ()


def _lines(log: t.Iterable[str]) -> tuple[str, ...]:
    said = (line.partition("NCCL INFO ")[2] or line for line in log if _EVIDENCE.search(line))
    return tuple(list(dict.fromkeys(said))[:_EVIDENCE_LINES])


def _word(line: str) -> dict[str, t.Any]:
    """Return the sweep's object in a line; NCCL may have written something before it."""
    said = line.partition(SWEEP)[2]
    try:
        word = json.loads(said) if said else {}
    except ValueError:  # two processes wrote at once
        return {}
    return word if isinstance(word, dict) else {}

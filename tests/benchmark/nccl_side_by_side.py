# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hold the sweep against the plain loop on one host with two GPUs (or none, with gloo), over several transports.

    python3 tests/benchmark/nccl_side_by_side.py --out /tmp/nccl [--backend gloo] [--turns 3]

Both programs run in turn, several times, at the same sizes; the ratio is between the medians of their bandwidths. With
a host name of its own each rank is a node to NCCL, so that it takes its network transport although both are on one
host. Written: side_by_side.json and one NCCL log a transport and rank.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import typing as t
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SWEEP, PLAIN = REPO / "roles/nccl/files/collective_sweep.py", REPO / "tests/benchmark/nccl_plain_loop.py"
WORLD = 2
SECONDS = 60
LOGGED = {"NCCL_DEBUG": "INFO", "NCCL_DEBUG_SUBSYS": "INIT,NET"}
# Name of the transport -> largest size and environment; {rank} is filled in.
TRANSPORTS: dict[str, tuple[int, dict[str, str]]] = {
    "socket": (
        1 << 28,
        {
            "NCCL_P2P_DISABLE": "1",
            "NCCL_SHM_DISABLE": "1",
            "NCCL_NET": "Socket",
            "NCCL_IB_DISABLE": "1",
            "NCCL_SOCKET_IFNAME": "=lo",
            "NCCL_HOSTID": "node-{rank}",
            "NCCL_CUMEM_ENABLE": "0",
        },
    ),
    "shm": (1 << 30, {"NCCL_P2P_DISABLE": "1", "NCCL_SOCKET_IFNAME": "=lo"}),
    "p2p": (1 << 30, {"NCCL_SOCKET_IFNAME": "=lo"}),
}
GLOO: dict[str, tuple[int, dict[str, str]]] = {"gloo": (1 << 24, {"GLOO_SOCKET_IFNAME": "lo"})}


def sizes(largest: int) -> list[int]:
    found = [largest]
    while found[-1] >= 64:
        found.append(found[-1] // 4)
    return [8, *reversed([size for size in found if size > 8])]


def command(program: str, rank: int, port: int, backend: str, listed: str) -> tuple[list[str], dict[str, str]]:
    if program == "sweep":
        options = {"rank": rank, "world": WORLD, "address": "127.0.0.1", "port": port, "backend": backend}
        options |= {"sizes": listed, "seconds": SECONDS, "meet": 60}
        return [sys.executable, str(SWEEP), *(f"--{key}={value}" for key, value in options.items())], {}
    place = {"RANK": rank, "WORLD_SIZE": WORLD, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [sys.executable, str(PLAIN), backend, listed], {key: str(value) for key, value in place.items()}


def run(program: str, port: int, backend: str, largest: int, extra: t.Mapping[str, str]) -> list[str]:
    """Run one program on every rank and return what each of them said."""
    running = []
    for rank in range(WORLD):
        argv, place = command(program, rank, port, backend, ",".join(map(str, sizes(largest))))
        filled = {key: value.format(rank=rank) for key, value in extra.items()}
        env = {**os.environ, **LOGGED, **filled, **place, "CUDA_VISIBLE_DEVICES": str(rank)}
        running.append(
            subprocess.Popen(
                argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
            )
        )
    said = [process.communicate(timeout=SECONDS * 3)[0] for process in running]
    for process, text in zip(running, said, strict=True):
        if process.returncode:
            raise SystemExit(f"{program} ended with {process.returncode}:\n{text[-6000:]}")
    return said


def points(text: str, word: str) -> dict[tuple[str, int], dict[str, t.Any]]:
    lines = [json.loads(line.partition(word)[2]) for line in text.splitlines() if line.startswith(word)]
    return {(line["collective"], line["bytes"]): line for line in lines if "busbw" in line}


def compare(name: str, backend: str, turns: int, out: Path, port: int) -> list[dict[str, t.Any]]:
    largest, extra = (GLOO if backend == "gloo" else TRANSPORTS)[name]
    seen: dict[str, list[dict[tuple[str, int], dict[str, t.Any]]]] = {"sweep": [], "plain": []}
    for turn in range(turns):
        for place, (program, word) in enumerate((("sweep", "SWEEP "), ("plain", "PLAIN "))):
            said = run(program, port + 2 * turn + place, backend, largest, extra)
            seen[program].append(points(said[0], word))
            if program == "sweep" and not turn:
                for rank, text in enumerate(said):
                    (out / f"{name}-rank{rank}.log").write_text(text, encoding="utf-8")
    rows = []
    for key in seen["plain"][0]:
        medians = {
            program: {what: statistics.median(run[key][what] for run in runs) for what in ("busbw", "time_us")}
            for program, runs in seen.items()
            if all(key in run for run in runs)
        }
        if len(medians) == 2:
            rows.append(
                {
                    "transport": name,
                    "collective": key[0],
                    "bytes": key[1],
                    "sweep_busbw": medians["sweep"]["busbw"],
                    "plain_busbw": medians["plain"]["busbw"],
                    "sweep_us": medians["sweep"]["time_us"],
                    "plain_us": medians["plain"]["time_us"],
                    "ratio": medians["sweep"]["busbw"] / medians["plain"]["busbw"],
                    "wrong": sum(run[key]["wrong"] for run in seen["sweep"]),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backend", choices=("nccl", "gloo"), default="nccl")
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, t.Any]] = []
    for index, name in enumerate(GLOO if args.backend == "gloo" else TRANSPORTS):
        rows += compare(name, args.backend, args.turns, args.out, 29500 + 100 * index)
        shown = [row for row in rows if row["transport"] == name]
        print(f"\n{name}: collective, bytes, sweep and plain in GB/s and us, ratio, wrong")
        for row in shown:
            print(
                f"{row['collective']:>10} {row['bytes']:>11} {row['sweep_busbw']:10.3f} {row['plain_busbw']:10.3f}"
                f" {row['sweep_us']:12.1f} {row['plain_us']:12.1f} {row['ratio']:7.3f} {row['wrong']}",
                flush=True,
            )
        machine = {"python": platform.python_version(), "machine": platform.machine(), "turns": args.turns}
        text = json.dumps({"machine": machine, "rows": rows}, indent=1)
        (args.out / "side_by_side.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

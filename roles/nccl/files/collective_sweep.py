# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure all-reduce and all-gather between nodes, and prove that what arrives is right. One process a node.

Needs PyTorch alone, which every serving image has. Each rank says the same, one JSON object a line behind "SWEEP ";
NCCL's own log is around it. The time of a call is the median of several samples; a sample is a run of back-to-back
calls between two synchronisations, and the slowest rank counts.
"""

from __future__ import annotations

import argparse
import datetime
import faulthandler
import json
import statistics
import time
import typing as t

COLLECTIVES = ("all_gather", "all_reduce")
SAMPLES = 5
WORD = 4  # bytes of a float32
POINT_SECONDS = 0.4  # enough for a stable median; small messages get hundreds of calls in it
MOST_CALLS = 400  # in one sample
PERIOD = 251  # of the contents; sums of it and of the ranks are exact in float32
CHUNK = 1 << 22  # elements that are filled or compared at once, so that the check needs little memory
GRACE = 30.0  # seconds beyond all bounds before a hanging rank is ended


def bus_factor(collective: str, world: int) -> float:
    """Return what turns size over time into the bandwidth of the busiest link.

    Source: NVIDIA/nccl-tests, doc/PERFORMANCE.md. The size is that of the result: for all-gather what all ranks sent.
    """
    return (2 if collective == "all_reduce" else 1) * (world - 1) / world


def calls(once: float, left: float, points: int) -> int:
    """Return how many calls make a sample, from the seconds of one call and those left for so many points."""
    share = min(POINT_SECONDS, left / max(points, 1))
    return max(1, min(MOST_CALLS, int(share / SAMPLES / max(once, 1e-9))))


def fits(before: float, grown: float, left: float) -> bool:
    """Return whether a point can be measured in the seconds left, when the last call took `before` at 1/`grown` of it.

    One warm-up call, one that is timed to choose the number of calls, one that is checked, and the samples.
    """
    return before * grown * (SAMPLES + 3) <= left


def point(collective: str, size: int, world: int, times: t.Sequence[float], each: int, wrong: int) -> dict[str, t.Any]:
    """Return what is said of one size. Times in microseconds, bandwidths in GB/s (10^9 bytes)."""
    seconds = statistics.median(times)
    return {
        "collective": collective,
        "bytes": size,
        "calls": each * len(times),
        "time_us": round(seconds * 1e6, 3),
        "fastest_us": round(min(times) * 1e6, 3),
        "slowest_us": round(max(times) * 1e6, 3),
        "algbw": round(size / seconds / 1e9, 6),
        "busbw": round(size / seconds / 1e9 * bus_factor(collective, world), 6),
        "wrong": wrong,
    }


def say(**words: t.Any) -> None:
    print("SWEEP " + json.dumps(words), flush=True)


class Sweep:
    """The ranks' common measurement. Every decision is taken from numbers that all ranks agreed on."""

    def __init__(self, rank: int, world: int, backend: str, largest: int) -> None:
        import torch
        import torch.distributed as dist

        self.torch, self.dist, self.rank, self.world = torch, dist, rank, world
        self.device = torch.device("cuda" if backend == "nccl" else "cpu")
        # PyTorch 2.13 renames it; older ones have the old name alone.
        self.gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
        self.result = torch.zeros(largest // WORD, device=self.device)
        self.part = torch.zeros(largest // WORD // world, device=self.device)

    def measure(self, collective: str, size: int, left: float, points: int) -> tuple[dict[str, t.Any], float]:
        """Return the point, and the seconds of one call by the slowest rank."""
        call = self._call(collective, size)
        call()  # connections and buffers of this size
        once = self.slowest(self._timed(call, 1))
        each = calls(once, left, points)
        # Zeros stay zeros however often they are summed.
        self.result.zero_()
        times = [self.slowest(self._timed(call, each)) for _sample in range(SAMPLES)]
        wrong = self._check(collective, size, call)
        return point(collective, size, self.world, times, each, wrong), statistics.median(times)

    def slowest(self, seconds: float) -> float:
        agreed = self.torch.tensor([seconds], dtype=self.torch.float64, device=self.device)
        self.dist.all_reduce(agreed, op=self.dist.ReduceOp.MAX)
        return float(agreed.item())

    def _call(self, collective: str, size: int) -> t.Callable[[], None]:
        result = self.result[: size // WORD]
        part = self.part[: size // WORD // self.world]
        if collective == "all_reduce":
            return lambda: self.dist.all_reduce(result) and None
        return lambda: self.gather(result, part) and None

    def _timed(self, call: t.Callable[[], None], count: int) -> float:
        self._wait()
        begin = time.perf_counter()
        for _turn in range(count):
            call()
        self._wait()
        return (time.perf_counter() - begin) / count

    def _wait(self) -> None:
        if self.device.type == "cuda":
            self.torch.cuda.synchronize()

    def _check(self, collective: str, size: int, call: t.Callable[[], None]) -> int:
        """Return how many elements came out wrong, over all ranks."""
        count, part = size // WORD, size // WORD // self.world
        if collective == "all_reduce":
            self._fill(self.result[:count], 1, self.rank)
        else:
            self._fill(self.part[:part], 1, self.rank)
        call()
        if collective == "all_reduce":
            wrong = self._wrong(self.result[:count], self.world, self.world * (self.world - 1) // 2)
        else:
            parts = [self.result[rank * part : (rank + 1) * part] for rank in range(self.world)]
            wrong = sum(self._wrong(piece, 1, rank) for rank, piece in enumerate(parts))
        total = self.torch.tensor([wrong], dtype=self.torch.float64, device=self.device)
        self.dist.all_reduce(total)
        self.part.zero_()
        return int(total.item())

    def _pattern(self, begin: int, count: int, times: int, plus: int) -> t.Any:
        indices = self.torch.arange(begin, begin + count, device=self.device)
        return (indices % PERIOD * times + plus).to(self.torch.float32)

    def _fill(self, tensor: t.Any, times: int, plus: int) -> None:
        for begin in range(0, len(tensor), CHUNK):
            piece = tensor[begin : begin + CHUNK]
            piece.copy_(self._pattern(begin, len(piece), times, plus))

    def _wrong(self, tensor: t.Any, times: int, plus: int) -> int:
        wrong = 0
        for begin in range(0, len(tensor), CHUNK):
            piece = tensor[begin : begin + CHUNK]
            wrong += int((piece != self._pattern(begin, len(piece), times, plus)).sum().item())
        return wrong


def run(args: argparse.Namespace) -> None:
    import torch
    import torch.distributed as dist

    say(event="waiting", rank=args.rank, world=args.world, torch=torch.__version__)
    dist.init_process_group(
        args.backend,
        init_method=f"tcp://{args.address}:{args.port}",
        rank=args.rank,
        world_size=args.world,
        timeout=datetime.timedelta(seconds=args.meet),
    )
    # ncclGetVersion of the library that is loaded; images name another version in their environment at times.
    loaded = ".".join(map(str, torch.cuda.nccl.version())) if args.backend == "nccl" else ""
    sizes = [int(size) for size in args.sizes.split(",")]
    sweep = Sweep(args.rank, args.world, args.backend, max(sizes))
    sweep.slowest(0.0)  # the first call of all makes the connections
    say(event="begin", rank=args.rank, world=args.world, backend=args.backend, nccl=loaded)
    begin, last, points = time.monotonic(), dict.fromkeys(COLLECTIVES, 0.0), len(sizes) * len(COLLECTIVES)
    for index, size in enumerate(sizes):
        for collective in COLLECTIVES:
            left = sweep.slowest(args.seconds - (time.monotonic() - begin))
            if not fits(last[collective], size / sizes[max(index - 1, 0)], left):
                say(event="skipped", collective=collective, bytes=size)
                continue
            found, last[collective] = sweep.measure(collective, size, left, points)
            points -= 1
            say(**found)
    dist.destroy_process_group()
    say(event="end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--world", type=int, required=True)
    parser.add_argument("--address", required=True, help="of rank 0")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--backend", choices=("nccl", "gloo"), required=True)
    parser.add_argument("--sizes", required=True, help="bytes, ascending, each a multiple of 4 times the ranks")
    parser.add_argument("--seconds", type=float, required=True, help="bound of the measurement")
    parser.add_argument("--meet", type=float, required=True, help="seconds that the ranks wait for each other")
    args = parser.parse_args()
    # NCCL can hang in ways that no timeout of its own ends.
    faulthandler.dump_traceback_later(args.meet + args.seconds + GRACE, exit=True)
    run(args)


if __name__ == "__main__":
    main()

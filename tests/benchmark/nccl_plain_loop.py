# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shortest honest measurement of a collective with torch.distributed, to hold the sweep against.

Shares no code with it: a fixed number of warm-up and timed calls, the mean of them, the clock of rank 0. Environment:
RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT; arguments: backend and sizes in bytes.
"""

from __future__ import annotations

import json
import sys
import time

import torch
import torch.distributed as dist

WARM, CALLS = 5, 20


def main() -> None:
    backend, sizes = sys.argv[1], [int(size) for size in sys.argv[2].split(",")]
    gpu = backend == "nccl"
    dist.init_process_group(backend)
    rank, world = dist.get_rank(), dist.get_world_size()
    for size in sizes:
        whole = torch.zeros(size // 4, device="cuda" if gpu else "cpu")
        shard = torch.zeros(size // 4 // world, device="cuda" if gpu else "cpu")
        for name in ("all_gather", "all_reduce"):
            for turn in range(WARM + CALLS):
                if turn == WARM:
                    if gpu:
                        torch.cuda.synchronize()
                    begin = time.perf_counter()
                if name == "all_reduce":
                    dist.all_reduce(whole)
                else:
                    dist.all_gather_into_tensor(whole, shard)
            if gpu:
                torch.cuda.synchronize()
            seconds = (time.perf_counter() - begin) / CALLS
            moved = size * (world - 1) / world * (2 if name == "all_reduce" else 1)
            if rank == 0:
                print(
                    "PLAIN "
                    + json.dumps(
                        {"collective": name, "bytes": size, "busbw": moved / seconds / 1e9, "time_us": seconds * 1e6}
                    ),
                    flush=True,
                )
    dist.destroy_process_group()


if __name__ == "__main__":
    main()

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for SGLang's server, for faults that only a GPU or a real model of many gigabytes can have.

It says that it is one, plays lines that the engine writes, and ends as LAB_FAULT says:

  broken         the image was built for another CUDA: it ends at once (the default)
  lacks_flag     it does not know one of the flags: it ends at once
  never_ready    it begins to load and goes on for ever
  killed_at_90   rank LAB_FAULT_RANK (1) is killed with nine of ten shards loaded, the others wait for it for ever
  out_of_memory  the same when it has loaded, for lack of memory on the GPU

Lines without another origin are those of SGLang 0.5.23 on the lab's nodes (tests/unit/data/logs/0.5.23-tp2-rank0.log),
with the times of now and other numbers of shards.
"""

from __future__ import annotations

import os
import signal
import sys
import time

# What a person reads who looks into this log for the engine.
LABEL = "STAND-IN of the lab in place of sglang.launch_server: LAB_FAULT={fault}, nothing is loaded or served."
BROKEN = "ImportError: libcudart.so.12: cannot open shared object file: No such file or directory"
# argparse's own words, as SGLang's parser says them for a flag that it does not have.
LACKS_FLAG = "launch_server.py: error: unrecognized arguments: --sleep-on-idle"
# sgl-project/sglang#5285: two nodes, while capturing graphs.
OUT_OF_MEMORY = (
    "Exception: Capture cuda graph failed: CUDA out of memory. Tried to allocate 448.00 MiB. GPU 0 has a total capacity"
)
BEGIN = (
    "server_args={'model_path': '/models/lab/tiny-llama', 'tp_size': 2, 'nnodes': 2}",
    "Init parallel begin.",
    "Init parallel ends. elapsed=0.10 s",
    "Load weight begin. avail mem=107.20 GB",
)
SHARD = "Multi-thread loading shards: {percent:3d}% Completed | {done}/10 [00:{done:02d}<00:{left:02d},  1.01it/s]"
LOADED = "Load weight end. elapsed=9.90 s, type=LlamaForCausalLM, avail mem=11.02 GB, mem usage=96.18 GB."
CAPTURE = "Capture cuda graph begin. This can take up to several minutes. avail mem=10.90 GB"


def rank():
    """Our rank as the command line has it; 0 when it has none."""
    words = [*sys.argv, ""]
    return words[words.index("--node-rank") + 1] if "--node-rank" in words else "0"


def say(text, stamped=True):
    stamp = time.strftime(f"[%Y-%m-%d %H:%M:%S TP{rank()}] ") if stamped else ""
    print(stamp + text, file=sys.stderr, flush=True)


def wait_for_ever():
    while True:
        time.sleep(3600)


def load(shards):
    for line in BEGIN:
        say(line)
        time.sleep(0.2)
    for done in range(1, shards + 1):
        say(SHARD.format(percent=10 * done, done=done, left=10 - done), stamped=False)
        time.sleep(0.2)


def main():
    fault = os.environ.get("LAB_FAULT", "broken")
    say(LABEL.format(fault=fault), stamped=False)
    ours = "--node-rank" not in sys.argv or rank() == os.environ.get("LAB_FAULT_RANK", "1")
    if fault == "lacks_flag":
        say(LACKS_FLAG, stamped=False)
        sys.exit(2)
    if fault == "never_ready" or (fault in ("killed_at_90", "out_of_memory") and not ours):
        load(3)
        wait_for_ever()
    if fault == "killed_at_90":
        load(9)
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "out_of_memory":
        load(10)
        say(LOADED)
        say(CAPTURE)
        say(OUT_OF_MEMORY, stamped=False)
        sys.exit(1)
    say(BROKEN, stamped=False)
    sys.exit(1)


if __name__ == "__main__":
    main()

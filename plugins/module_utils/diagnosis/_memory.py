# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Last words on the GPU's memory and CUDA graphs."""

from __future__ import annotations

from ._entry import CACHE, GRAPHS, LOADING, MEETING, SERVING, WARMING, entry

ENTRIES = (
    # SGLang's text, both versions; with the check switched off it is a warning. The 33 GB: measured by others.
    entry(
        "unbalanced-memory",
        r"Error: The memory capacity is unbalanced",
        when=(MEETING,),
        says=("RuntimeError: The memory capacity is unbalanced. Some GPUs may be occupied by other processes.",),
        meaning="One rank has less than 90 % of another's free memory; something is left over on a node.",
        cause="A container that crashed, whose memory the driver still holds (33 GB were seen), or another server.",
        next_step="look for leftover containers and processes and start again; a reboot frees the rest.",
        link="https://al-engr.com/minimax-sglang-debug.html",
    ),
    # SGLang's text, both versions.
    entry(
        "no-room-for-cache",
        r"Error: Not enough memory\. Please try to increase --mem-fraction-static",
        when=(CACHE,),
        says=("RuntimeError: Not enough memory. Please try to increase --mem-fraction-static",),
        meaning="After the weights nothing is left for the KV cache.",
        cause="mem_fraction_static counts from the memory that was free at the start, for weights and cache together.",
        next_step="use more nodes, free memory on them, or raise mem_fraction_static (0.95 has rebooted Sparks).",
        link="https://github.com/sgl-project/sglang/issues/4330",
    ),
    # PyTorch's, CUDA's, NCCL's and SGLang's texts.
    entry(
        "out-of-memory",
        r"OutOfMemoryError: ",
        r"(?:Error|failed): CUDA (?:error: )?out of memory",
        r"Cuda failure (?:\d+ )?'out of memory'",
        r"Error: (?:Prefill|Decode) out of memory",
        when=(LOADING, CACHE, GRAPHS, SERVING),
        says=(
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate",
            "NCCL WARN Cuda failure 2 'out of memory'",
        ),
        meaning="The GPU's share of the unified memory is too small for weights and KV cache.",
        cause="Everything on the node counts against the same 121 GiB, other servers and the desktop included.",
        next_step="lower context_length or max_running_requests, stop other instances, or use more nodes.",
        link="https://github.com/sgl-project/sglang/issues/5285",
    ),
    # CUDA's texts; reported on Sparks for gpt-oss, and with speculation.
    entry(
        "illegal-access",
        r"an illegal memory access was encountered",
        r"cudaErrorIllegalAddress",
        when=(GRAPHS, WARMING, SERVING),
        says=("CUDA error: an illegal memory access was encountered",),
        meaning="A GPU kernel read or wrote outside its memory: a bug in the image, or in what the flags combine.",
        cause="Most reports are of one kernel on sm_12x, or of speculative decoding beside another feature.",
        next_step="take speculation and backends out of server_args one by one, or take a newer image.",
        link="https://github.com/eugr/spark-vllm-docker/issues/186",
    ),
    # CUDA's text.
    entry(
        "device-assert",
        r"device-side assert triggered",
        when=(WARMING, SERVING),
        says=("CUDA error: device-side assert triggered",),
        meaning="A GPU kernel stopped at an index out of its bounds.",
        cause="Mostly a context longer than the model's, or a tokenizer with more tokens than the weights have rows.",
        next_step="set context_length to the model's, and check that tokenizer and weights are of one revision.",
        link="https://github.com/sgl-project/sglang/issues/1279",
    ),
    # SGLang's text, both versions. An NCCL error or a lost peer in it is told by their own entries.
    entry(
        "graph-capture",
        r"Capture [^\n]{0,30}(?:cuda|CUDA) graph failed: (?![^\n]*(?:NCCL|Connection (?:closed|reset)))",
        when=(GRAPHS,),
        says=("Capture cuda graph failed: operation not permitted",),
        meaning="Capturing CUDA graphs failed.",
        cause="Too little memory beside weights and cache, or a kernel that can't be captured on this GPU.",
        next_step="lower mem_fraction_static or cuda_graph_max_bs_decode (older: cuda_graph_max_bs) in server_args.",
        link="https://github.com/sgl-project/sglang/issues/4489",
    ),
)

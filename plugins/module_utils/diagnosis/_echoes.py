# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Last words that another rank's failure can be behind: a cause on any rank is to be believed first."""

from __future__ import annotations

from ._entry import ANY_TIME, GRAPHS, LOADING, MEETING, SERVING, WARMING, entry

ENTRIES = (
    # rdma-core's name of the status 12, and NCCL's text; reported on Sparks with MTU 1500 on one side.
    entry(
        "rdma-lost",
        r"IBV_WC_RETRY_EXC_ERR",
        r"Got completion [^\n]*(?:status=12|error 12)\b",
        when=(MEETING, SERVING),
        says=("NET/IB : Got completion from peer 192.168.100.12<1> with status=12", "IBV_WC_RETRY_EXC_ERR"),
        meaning="RDMA packets were lost on the way.",
        cause="MTU 9000 on one side only (a firmware update can reset it), a switch, or a peer that is gone.",
        next_step="run doctor.yml and probe_fabric.yml: MTU 9000 everywhere, and the rails' addresses.",
        link="https://github.com/NVIDIA/nccl/issues/1814",
        echo=True,
    ),
    # PyTorch's text; seen on the real server.
    entry(
        "peer-missing",
        r"DistStoreError: ",
        r"Timed out after \d+ seconds waiting for clients",
        when=(MEETING,),
        says=("DistStoreError: Timed out after 601 seconds waiting for clients. 1/2 clients joined.",),
        meaning="Rank 0 waited in vain for the other ranks.",
        cause="Another rank did not start, died before it could join, or can't reach the head's fabric address.",
        next_step="look at the other ranks' logs; check that they reach server_dist_port at the head's fabric address.",
        link="https://github.com/eugr/spark-vllm-docker/issues/335",
        echo=True,
    ),
    # PyTorch's text; seen on the real server.
    entry(
        "head-missing",
        r"The client socket has timed out",
        when=(MEETING,),
        says=("DistNetworkError: The client socket has timed out after 600000ms while trying to connect to",),
        meaning="This rank could not reach rank 0's rendezvous port.",
        cause="Rank 0 is not running, or a firewall, a cable or a wrong address is between the two.",
        next_step="check rank 0's log, and that its fabric address can be reached from here (firewall, cable).",
        link="https://github.com/vllm-project/vllm/issues/19670",
        echo=True,
    ),
    # PyTorch's texts; two Sparks with NCCL 2.28.9.
    entry(
        "collective-timeout",
        r"Watchdog caught collective operation timeout",
        r"ProcessGroupNCCL's watchdog got stuck",
        when=(LOADING, GRAPHS, SERVING),
        says=("Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1155874,",),
        meaning="A rank waited for the others in NCCL until its time was up.",
        cause="A rank that hangs or died, other flags on one rank, or NCCL before 2.29.3, which deadlocks on arm64.",
        next_step="look at the other ranks' last lines; run probe_fabric.yml, which tells NCCL's version, too.",
        link="https://github.com/sgl-project/sglang/issues/33289",
        echo=True,
    ),
    # NCCL's texts.
    entry(
        "nccl",
        r"NCCL error(?: in)?: ",
        r"ncclSystemError|ncclRemoteError",
        r"unhandled (?:system|cuda) error",
        when=(MEETING, GRAPHS, SERVING),
        says=("NCCL error in: ProcessGroupNCCL.cpp:1333, unhandled system error", "ncclSystemError: System call"),
        meaning="NCCL failed between the ranks.",
        cause="The reason is in NCCL's own warnings, on this rank or on another one.",
        next_step="look for the first NCCL WARN line on every rank; check both rails and the MTU.",
        link="https://github.com/sgl-project/sglang/issues/4289",
        echo=True,
    ),
    # SGLang's warning at the end of the log; that it is written is normal, that nothing follows is not.
    entry(
        "no-meeting",
        r"Custom ?[Aa]llreduce is disabled because this process group spans across nodes\.\s*\Z",
        when=(MEETING,),
        says=("CustomAllreduce is disabled because this process group spans across nodes.",),
        meaning="After NCCL had come up, the ranks waited for each other's messages and never got any.",
        cause="A rank announced an address that the others can't reach (SGLANG_HOST_IP), or a firewall.",
        next_step="leave SGLANG_HOST_IP to site.yml (look in server_env), and open TCP between the rails.",
        link="https://github.com/MiaAI-Lab/Qwen3.8-Flash-Next-Dual-DGX-Sparks/issues/3",
        echo=True,
    ),
    # SGLang's text, 0.5.4.post2 and 0.5.23; the soft watchdog of 0.5.23 ends nothing.
    entry(
        "watchdog",
        r"[Ww]atchdog timeout \(self\.watchdog_timeout=[\d.]+(?:, self\.soft=False)?\)",
        when=(WARMING, SERVING),
        says=("Scheduler watchdog timeout (self.watchdog_timeout=300, self.soft=False)",),
        meaning="A step took longer than the watchdog allows, and the server ended itself.",
        cause="A rank that hangs, one that compiles kernels for minutes, or other flags on one rank.",
        next_step="look at the other ranks' last lines; for a first start with long compiling raise watchdog_timeout.",
        link="https://github.com/sgl-project/sglang/issues/17941",
        echo=True,
    ),
    # The echo of a peer's death, after every entry that could name a cause of its own. Texts of Gloo, NCCL, PyTorch.
    entry(
        "peer-lost",
        r"Connection (?:reset|closed) by (?:remote )?peer",
        r"Broken pipe",
        r"DistNetworkError: ",
        when=(ANY_TIME,),
        says=("pair.cc:553] Connection closed by peer [192.168.100.12]:54457", "Connection reset by peer"),
        meaning="Another rank went away; this one can't go on without it.",
        cause="A rank that ends takes the others along; its own log has the reason.",
        next_step="look at the other ranks' logs: the first one that ended has the cause.",
        link="https://github.com/sgl-project/sglang/issues/3685",
        echo=True,
    ),
)

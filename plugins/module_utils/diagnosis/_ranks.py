# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Last words on ranks that don't find each other, with a cause of their own."""

from __future__ import annotations

from ._entry import LOADING, MEETING, SERVING, STARTING, entry

ENTRIES = (
    # The loader's text.
    entry(
        "nccl-library",
        r"undefined symbol: nccl\w+",
        when=(STARTING,),
        says=("libtorch_cuda.so: undefined symbol: ncclAlltoAll",),
        meaning="PyTorch found another NCCL than the one it was built for.",
        cause="Two NCCL packages in the image, or one laid over it by LD_LIBRARY_PATH or LD_PRELOAD.",
        next_step="take those variables out of server_env, or take an image with one NCCL.",
        link="https://github.com/pytorch/pytorch/issues/176829",
    ),
    # NCCL's function in a crash; dual Spark, NCCL 2.28.9.
    entry(
        "nccl-version",
        r"\bncclLocalOpAppend\b",
        when=(SERVING,),
        says=("(unknown)  ncclLocalOpAppend()",),
        meaning="NCCL lost its queue entries: a bug on arm64.",
        cause="NCCL before 2.29.3 loses them after long generations; the ranks crash or wait for ever.",
        next_step="take an image with NCCL 2.30.4 or newer; probe_fabric.yml tells the version in use.",
        link="https://github.com/NVIDIA/nccl/issues/2213",
    ),
    # NCCL's text (init.cc); versions as it writes them, 22705 is 2.27.5.
    entry(
        "nccl-mismatch",
        r"Mismatched NCCL version detected",
        when=(MEETING,),
        says=("Mismatched NCCL version detected : rank 1 version 22705 rank 0 version 22703",),
        meaning="The ranks have different NCCL versions.",
        cause="Not the same image on every node, or an NCCL laid over the image's on one of them.",
        next_step="run site.yml for all nodes, which gives them one image ID; take NCCL out of mounts and server_env.",
        link="https://github.com/jdinalt/forgather/blob/19e5954/examples/finetune/samantha/README.md",
    ),
    # NCCL's and Gloo's texts.
    entry(
        "no-interface",
        r"no (?:socket|NCCL_SOCKET_IFNAME) interface found",
        r"Unable to find (?:address|interface) for: ",
        when=(MEETING,),
        says=("NCCL WARN Bootstrap : no socket interface found", "Unable to find address for: enp1s0f1np1"),
        meaning="The interface that the rank was given does not exist on its node.",
        cause="An interface was renamed, has no address, or its cable or card is gone (hot-plug).",
        next_step="run doctor.yml; compare the name with `ip -brief address`, and look for it in server_env.",
        link="https://github.com/NVIDIA/Megatron-LM/issues/436",
    ),
    # Gloo's text.
    entry(
        "gloo-mesh",
        r"Gloo connectFullMesh failed",
        when=(MEETING,),
        says=("Gloo connectFullMesh failed with",),
        meaning="The ranks met, but could not connect to each other.",
        cause="A rank gave an address that the others can't reach: loopback, or behind a firewall.",
        next_step="check GLOO_SOCKET_IFNAME in server_env, and that the rails' TCP ports are open between the nodes.",
        link="https://github.com/sgl-project/sglang/issues/3226",
    ),
    # NCCL's text; reported on Sparks.
    entry(
        "registration",
        r"ibv_reg_mr\S* [^\n]*Cannot allocate memory",
        when=(MEETING, LOADING),
        says=("Call to ibv_reg_mr_iova2 failed with error Cannot allocate memory",),
        meaning="The kernel can't pin memory for RDMA.",
        cause="Kernels 7.0.0-10xx keep gigabytes for KHO where pinned pages may not go; or memlock is limited.",
        next_step="boot with kho=off or take a 6.17 kernel; memlock must be unlimited (doctor.yml checks both).",
        link="https://github.com/MiaAI-Lab/DeepSeek-v4-Flash-DSpark-2x-DGX-Spark/issues/259",
    ),
    # NCCL's text; reported on Sparks with a pinned GID index, and with rings.
    entry(
        "rdma-connect",
        r"Call to ibv_modify_qp failed",
        when=(MEETING, LOADING),
        says=("Call to ibv_modify_qp failed with 110 Connection timed out",),
        meaning="Two RDMA devices could not connect.",
        cause="A GID without a fabric address (link-local, a pinned NCCL_IB_GID_INDEX), or rails cabled otherwise.",
        next_step="take NCCL_IB_GID_INDEX out of server_env, then run doctor.yml and probe_fabric.yml.",
        link="https://github.com/tonyd2wild/DeepSeek-v4-Flash-Vision-Exp-DSpark-1M-NVFP4-KV-2x-DGX-Spark/issues/38",
    ),
)

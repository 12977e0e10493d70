# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Last words on kernels, and on what compiles and loads them."""

from __future__ import annotations

from ._entry import CACHE, GRAPHS, LOADING, READING, SERVING, STARTING, WARMING, entry

ENTRIES = (
    # Triton's text; 147,456 bytes is SGLang's default tile for fp8 experts without blocks, reproduced to the byte.
    entry(
        "shared-memory",
        r"out of resource: shared memory",
        when=(GRAPHS, WARMING, SERVING),
        says=("OutOfResources: out of resource: shared memory, Required: 147456, Hardware limit: 101376",),
        meaning="A Triton kernel wants more shared memory than GB10's 101,376 bytes a block.",
        cause="SGLang has no MoE kernel config for GB10 and this shape, and its default is made for data-centre GPUs.",
        next_step="set moe: {configs: auto} in the profile, which brings some that fit; or another moe_runner_backend.",
        link="https://github.com/sgl-project/sglang/issues/8513",
    ),
    # ptxas' text, reported on Sparks.
    entry(
        "ptxas",
        r"ptxas fatal\s*:",
        r"Value 'sm_121a?' is not defined for option 'gpu-name'",
        when=(LOADING, GRAPHS, WARMING),
        says=("ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'",),
        meaning="The image's ptxas does not know sm_121.",
        cause="Triton 3.5 and older bring a ptxas of CUDA 12.8; GB10 needs one of 12.9 or 13.",
        next_step="set TRITON_PTXAS_PATH=/usr/local/cuda/bin/ptxas in server_env, or take a newer image.",
        link="https://github.com/triton-lang/triton/issues/8539",
    ),
    # FlashInfer's texts, two of its versions.
    entry(
        "nvcc-missing",
        r"Could not find nvcc",
        r"No such file or directory: '(?:\S*/)?(?:nvcc|ninja)'",
        when=(LOADING, GRAPHS, WARMING),
        says=("Could not find nvcc", "No such file or directory: 'ninja'"),
        meaning="FlashInfer has to compile a kernel, and the image has no compiler.",
        cause="An image without CUDA toolkit or ninja, and no such kernel made beforehand for sm_121.",
        next_step="take an image with the CUDA toolkit and ninja, or set attention_backend: triton.",
        link="https://github.com/flashinfer-ai/flashinfer/issues/1919",
    ),
    # ninja's and nvcc's texts; reported on a Spark, with the kernel's out-of-memory killer behind it.
    entry(
        "kernel-build",
        r"ninja: build stopped",
        r"nvcc fatal\s*:",
        when=(LOADING, GRAPHS, WARMING),
        says=("ninja: build stopped: subcommand failed", "nvcc fatal   : Unsupported gpu architecture 'compute_121a'"),
        meaning="Compiling a kernel at the start failed.",
        cause="20 compilers at once want up to 8 GB each, beside the weights; or nvcc is too old for sm_121.",
        next_step="set server_env: {MAX_JOBS: '2', NVCC_THREADS: '1'}; what is built stays in server_cache_dir.",
        link="https://github.com/flashinfer-ai/flashinfer/issues/3634",
    ),
    # sgl-kernel's text, reported on Sparks.
    entry(
        "sgl-kernel",
        r"Could not load any common_ops library",
        when=(STARTING,),
        says=("[sgl_kernel] CRITICAL: Could not load any common_ops library!",),
        meaning="The image's sgl-kernel does not load.",
        cause="It was built for another CUDA (libnvrtc.so.12 beside CUDA 13) or PyTorch, or has nothing for sm_121.",
        next_step="take an image for CUDA 13 and arm64 (-cu130); do not mix packages of your own into one.",
        link="https://github.com/sgl-project/sglang/issues/18203",
    ),
    # The loader's text, reported on Sparks.
    entry(
        "cuda-library",
        r"lib(?:cudart|nvrtc|nvJitLink|cublas|cublasLt|cufft|cudnn|cusparse|cusolver)\.so\.[\d.]+: cannot open",
        when=(STARTING, LOADING),
        says=("ImportError: libcudart.so.12: cannot open shared object file: No such file or directory",),
        meaning="A library of another CUDA than the image's is wanted.",
        cause="A wheel for CUDA 12 in an image of CUDA 13, which GB10 needs, or the other way round.",
        next_step="take an image for CUDA 13 and arm64 (-cu130); do not mix packages of your own into one.",
        link="https://github.com/sgl-project/sglang-omni/issues/620",
    ),
    # CUDA's text, reported on a Spark.
    entry(
        "no-kernel-image",
        r"no kernel image is available for execution",
        when=(LOADING, GRAPHS, WARMING),
        says=("no kernel image is available for execution on the device",),
        meaning="A library in the image has no code for GB10 (sm_121).",
        cause="Kernels for sm_120a do not run on sm_121; wheels of PyPI have often nothing else.",
        next_step="take a newer image for CUDA 13, whose kernels are built for sm_121, too.",
        link="https://github.com/mmcdermott/MEDS_EIC_AR/issues/163",
    ),
    # DeepGEMM's assertions, reported on Sparks.
    entry(
        "deep-gemm",
        r"Assertion error \([^)\n]*\.hpp:\d+\): Un(?:supported architecture|known)",
        r"Unknown SF transformation",
        when=(LOADING, GRAPHS, WARMING),
        says=("Assertion error (.../hyperconnection.hpp:56): Unsupported architecture", "Unknown SF transformation"),
        meaning="DeepGEMM does not run on GB10.",
        cause="Its kernels are for sm_90 and sm_100; some versions of SGLang choose it for every Blackwell.",
        next_step="set SGLANG_ENABLE_JIT_DEEPGEMM='false' in server_env, or take a newer image.",
        link="https://github.com/deepseek-ai/DeepGEMM/issues/236",
    ),
    # SGLang's and flash-attention's texts.
    entry(
        "flash-attention",
        r"FlashAttention v3 Backend requires",
        r"flash_attn at sgl-kernel is only supported",
        r"Only SM 10\.x and 11\.x are supported",
        when=(READING, CACHE),
        says=("FlashAttention v3 Backend requires SM>=80 and SM<=90", "Only SM 10.x and 11.x are supported"),
        meaning="The attention backend asked for is not for this GPU.",
        cause="fa3 is for sm_80 to sm_90 and fa4 for sm_100; GB10 is sm_121.",
        next_step="set attention_backend to flashinfer or triton in server_args, or leave it out.",
        link="https://github.com/sgl-project/sglang/issues/15342",
    ),
    # A function of FlashInfer's in the traceback; reported for sm_12x and gpt-oss.
    entry(
        "mxfp4",
        r"in get_shuffle_matrix_sf_a_row_indices",
        when=(LOADING,),
        says=("in get_shuffle_matrix_sf_a_row_indices",),
        meaning="This SGLang forces an MXFP4 kernel on gpt-oss that GB10 does not have.",
        cause="SGLang 0.5.4 puts flashinfer_mxfp4 in place of any moe_runner_backend on every Blackwell.",
        next_step="take the catalogue's image for gpt-oss (SGLang 0.5.23), which has a kernel for GB10.",
        link="https://github.com/sgl-project/sglang/issues/13061",
    ),
    # CUDA's two texts: "device context" is a Spark's (github.com/mark-ramsey-ri/sglang-dgx-spark, README).
    entry(
        "context",
        r"(?:CUDART|cudaIpc|custom_all_reduce)[^\n]*invalid (?:device context|resource handle)",
        when=(CACHE, GRAPHS, WARMING),
        says=("CUDART error: invalid device context", "CUDART error: invalid resource handle"),
        meaning="FlashInfer's all-reduce fusion ran where it can't (it needs one host).",
        cause="It shares memory by CUDA IPC, which ends at the node; SGLang 0.5.4 turns it on for gpt-oss.",
        next_step="never enable flashinfer all-reduce fusion on Sparks; use an image with SGLang 0.5.23.",
        link="https://github.com/flashinfer-ai/flashinfer/issues/2006",
    ),
)

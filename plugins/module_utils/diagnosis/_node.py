# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Last words that come from the node: memory, disk, rights, driver, Docker, ports."""

from __future__ import annotations

from ._entry import ANY_TIME, GRAPHS, LOADING, MEETING, SERVING, STARTING, WARMING, entry

# The kernel's text, as dmesg and journalctl -k show it; of a DGX Spark.
OOM = entry(
    "oom-kill",
    r"(?:Out of memory|Memory cgroup out of memory): Killed process",
    r"oom-kill:constraint=",
    when=(LOADING, GRAPHS, SERVING),
    says=("Out of memory: Killed process 3742074 (sglang::schedul)",),
    meaning="The kernel killed it for lack of memory.",
    cause="GPU and system share one memory: weights, KV cache, page cache and everybody else's processes add up.",
    next_step="lower mem_fraction_static or context_length; stop what else runs on the node.",
    link="https://github.com/LMCache/LMCache/issues/4759",
)

ENTRIES = (
    OOM,
    # errno 28 and 122 as Python, Rust and Docker print them.
    entry(
        "disk-full",
        r"No space left on device",
        r"[Dd]isk quota exceeded",
        when=(ANY_TIME,),
        says=("No space left on device", "Disk quota exceeded"),
        meaning="A disk is full.",
        cause="Weights, images, compiled kernels (server_cache_dir) or logs have filled it.",
        next_step="free space where Docker and the caches live (docker system df); inventory.yml lists unused models.",
        link="https://github.com/huggingface/text-generation-inference/issues/3087",
    ),
    # Docker's text, of its own program.
    entry(
        "docker-socket",
        r"permission denied while trying to connect to the [Dd]ocker",
        when=(STARTING,),
        says=("permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",),
        meaning="Whoever asked may not talk to Docker.",
        cause="Docker's socket belongs to root and the group docker; a new group counts after the next login.",
        next_step="run the play with become: true (sudo on the node), or add the user to the group and log in again.",
        link="https://github.com/microsoft/AI-Red-Teaming-Playground-Labs/issues/55",
    ),
    # errno 13 as Python and Rust (safetensors, tokenizers) print it.
    entry(
        "permission",
        r"PermissionError: \[Errno 13\]",
        r"Permission denied \(os error 13\)",
        when=(ANY_TIME,),
        says=(
            "PermissionError: [Errno 13] Permission denied: '/root/.cache/...'",
            "Permission denied (os error 13)",
        ),
        meaning="The engine may not read or write a file that it needs.",
        cause="The folder belongs to somebody else, or is on a share that maps root to nobody (NFS with root_squash).",
        next_step="check the path in that line on the node; models and server_cache_dir belong on a local disk.",
        link="https://github.com/dphnAI/sonar/issues/458",
    ),
    # Linux's ENOEXEC as runc prints it; reported on a Spark.
    entry(
        "wrong-architecture",
        r"exec \S+: exec format error",
        when=(STARTING,),
        says=("exec /usr/bin/python3: exec format error",),
        meaning="The image is for another processor.",
        cause="Sparks are arm64; an image for amd64 alone can be pulled, but not run.",
        next_step="name an image that has linux/arm64 in server_image.",
        link="https://github.com/mmartial/ComfyUI-Nvidia-Docker/issues/96",
    ),
    # Docker's and NVIDIA's container toolkit's texts.
    entry(
        "gpu-runtime",
        r"could not select device driver [^\n]*capabilities: \[\[gpu\]\]",
        r"unknown or invalid runtime name: nvidia",
        r"nvidia-container-cli: ",
        when=(STARTING,),
        says=(
            'could not select device driver "" with capabilities: [[gpu]]',
            "unknown or invalid runtime name: nvidia",
        ),
        meaning="Docker can't give a container the GPU.",
        cause="The NVIDIA container toolkit is missing, or Docker was not configured for it or not restarted after.",
        next_step="install nvidia-container-toolkit, then `nvidia-ctk runtime configure` and restart Docker.",
        link="https://github.com/NVIDIA/nvidia-container-toolkit/issues/854",
    ),
    # CUDA's and PyTorch's texts.
    entry(
        "driver",
        r"CUDA driver version is insufficient",
        r"NVIDIA driver on your system is too old",
        r"forward compatibility was attempted",
        when=(STARTING,),
        says=(
            "CUDA driver version is insufficient for CUDA runtime version",
            "The NVIDIA driver on your system is too old",
        ),
        meaning="The NVIDIA driver is older than the image's CUDA.",
        cause="CUDA 13 needs driver 580 or newer; an update takes effect with the next boot.",
        next_step="update DGX OS (driver 580 or newer for CUDA 13) and reboot; doctor.yml shows the driver that runs.",
        link="https://github.com/sgl-project/sglang/issues/11395",
    ),
    # PyTorch's text; reported on Sparks.
    entry(
        "cuda-init",
        r"CUDA unknown error - this may be due to",
        when=(STARTING, MEETING),
        says=("CUDA unknown error - this may be due to an incorrectly set up environment",),
        meaning="The driver could not start CUDA.",
        cause="Mostly a driver that was updated without a reboot, or one that ran out of memory in the start before.",
        next_step="reboot all nodes of the cluster, then `ansible-playbook site.yml`.",
        link="https://github.com/tonyd2wild/GLM-5.3-Flash-NVFP4-DFlash2-2x-DGX-Spark/issues/6",
    ),
    # PyTorch's, SGLang's and the loader's texts.
    entry(
        "no-cuda",
        r"No CUDA GPUs are available",
        r"Found no NVIDIA driver",
        r"libcuda\.so\.1: cannot open",
        r"Error: No accelerator [^\n]*is available",
        when=(STARTING, MEETING),
        says=("No CUDA GPUs are available", "Found no NVIDIA driver on your system"),
        meaning="The container sees no GPU.",
        cause="The NVIDIA container toolkit is missing or not configured, or the driver is not loaded.",
        next_step="check `docker run --rm --gpus all IMAGE nvidia-smi` on the node.",
        link="https://github.com/vllm-project/vllm/issues/807",
    ),
    # errno 98 as uvicorn, PyTorch and SGLang print it; "Port N is already in use, trying port" is no failure.
    entry(
        "port-taken",
        r"(?i)address already in use",
        r"error while attempting to bind",
        r"Error: [^\n]*is already in use",
        r"Error: [^\n]* at \d+ is not available in \d+ seconds",
        when=(STARTING, WARMING),
        says=("[Errno 98] error while attempting to bind on address", "Address already in use"),
        meaning="A port that the server needs is taken.",
        cause="An instance that was started by hand, another service, or one that has not ended yet.",
        next_step="find the owner with `ss -ltnp`, stop it, or change server_port or server_dist_port.",
        link="https://github.com/sgl-project/sglang/issues/37215",
    ),
)

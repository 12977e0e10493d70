# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of Docker: the engine, what it can give a container, and what is in the way of ours."""

from __future__ import annotations

from ._doctor import NodeCheck, Verdict, fail, info, ok, version, warn
from ._facts import Facts, Wanted

# NCCL before 2.29.3 loses proxy slots on aarch64, over RDMA and sockets alike, until a rank waits for ever
# (NVIDIA/nccl#2353: 2.28.9 and 2.29.2 hang, 2.29.3 and 2.30.7 don't; sgl-project/sglang#33289 on two Sparks).
_NCCL = "2.29.3"
# What the community runs (DoctorMasterNewb/sparkbase).
_NCCL_ADVISED = "2.30.4"


def docker(facts: Facts, wanted: Wanted) -> list[Verdict]:
    error = facts.docker_error
    if not error:
        return [ok(facts.docker)]
    if "permission denied" in error.lower():
        return [fail("no permission on Docker's socket", "root, or the group docker", "run it with become: true.")]
    if error.startswith("docker:"):  # there is no such command
        remedy = "install Docker and nvidia-container-toolkit (DGX OS has both)."
        return [fail("Docker is not installed", "Docker", remedy, "host")]
    return [fail(f"Docker does not answer: {error}", "an answer", "start it: sudo systemctl enable --now docker")]


def sdk(facts: Facts, wanted: Wanted) -> list[Verdict]:
    if facts.sdk:
        return [ok("here")]
    return [fail("python3-docker is missing", "the Docker SDK", "sudo apt install python3-docker", "host")]


def gpu_runtime(facts: Facts, wanted: Wanted) -> list[Verdict]:
    if wanted.gpus == "none" or facts.docker_error:
        return []
    if facts.gpu_ways:
        return [ok(", ".join(facts.gpu_ways))]
    needed, configure = "the runtime nvidia, or CDI devices", "sudo nvidia-ctk runtime configure --runtime=docker"
    if not facts.toolkit:
        install = f"sudo apt install nvidia-container-toolkit && {configure} && sudo systemctl restart docker"
        return [fail("nvidia-container-toolkit is missing", needed, install, "host")]
    # Docker's configuration is somebody's own then, and its restart ends every container.
    return [fail("no container gets the GPU", needed, f"{configure} && sudo systemctl restart docker")]


def group(facts: Facts, wanted: Wanted) -> list[Verdict]:
    """The collection works as root; the group is for the person who looks after the server (docker logs)."""
    if not facts.user or facts.docker_error:
        return []
    if facts.user in ("root",) or "docker" in facts.groups:
        return [ok(facts.user)]
    remedy = f"sudo usermod -aG docker {facts.user}, and log in again."
    return [info(f"{facts.user} is not in the group docker", "a member", remedy, "host")]


def name(facts: Facts, wanted: Wanted) -> list[Verdict]:
    if facts.docker_error:
        return []
    taken = [item for item in facts.containers if item.name == wanted.instance and not item.ours]
    if taken:
        remedy = "rename or remove it, or choose another name with server_instance; it is not touched."
        return [fail(f"{wanted.instance} is a container of somebody else ({taken[0].image})", "a free name", remedy)]
    return [ok(f"{wanted.instance} is free or ours")]


def others(facts: Facts, wanted: Wanted) -> list[Verdict]:
    if facts.docker_error:
        return []
    running = sorted(item.name for item in facts.containers if item.running and not item.ours)
    if running:
        return [info(f"running: {', '.join(running)}", "none but ours", "stop what you don't need: memory is shared.")]
    return [ok("none but ours")]


def engines(facts: Facts, wanted: Wanted) -> list[Verdict]:
    """systemd would stop it as soon as ours starts, and which of both comes up at the next boot nobody can say."""
    found = []
    for unit in (one for one in facts.engines if one.wanted and one.has_gpu):
        name = unit.name.removesuffix(".service")
        remedy = f"sudo systemctl disable --now {name} (or ansible-playbook {name}.yml -e {name}_state=absent)"
        if unit.running:
            found.append(fail(f"{unit.name} runs, and has the node's memory", "one engine on a node", remedy))
        else:
            found.append(warn(f"{unit.name} starts at the next boot", "one engine on a node", remedy))
    return found or [ok("none")]


def ports(facts: Facts, wanted: Wanted) -> list[Verdict]:
    wanted_here = wanted.ports.get(facts.node, {})
    found = []
    for setting, port in wanted_here.items():
        owner = facts.ports.get(port)
        if owner and not owner["ours"]:
            who = f"container {owner['container']}" if owner["container"] else owner["process"] or "somebody"
            found.append(
                fail(
                    f"port {port} is taken by {who} (pid {owner['pid'] or 'unknown'})",
                    "free",
                    f"stop it, or choose another {setting}.",
                )
            )
    return found or ([ok(", ".join(map(str, wanted_here.values())))] if wanted_here else [])


def registry(facts: Facts, wanted: Wanted) -> list[Verdict]:
    """Behind a proxy it is the proxy that looks names up."""
    if not wanted.image or facts.proxy or facts.docker_error:
        return []
    if facts.registry_found:
        return [ok(facts.registry)]
    found, needed = f"no address for {facts.registry}", "a name server that answers within 2 s"
    remedy = "check the network and /etc/resolv.conf: resolvectl query " + facts.registry
    return [(info if facts.image_id else warn)(found, needed, remedy)]


def nccl(facts: Facts, wanted: Wanted) -> list[Verdict]:
    """The version of the library in the image, not the variable NCCL_VERSION, which may say another (vllm#46097)."""
    if wanted.gpus == "none" or not wanted.multi or facts.nccl is None:
        return []
    remedy = f"take an image with NCCL {_NCCL_ADVISED} or newer (server_image)."
    if facts.nccl_error:
        said = f"docker run does not get that far: {facts.nccl_error}"
        return [warn(said, "an answer", f"try it: docker run --rm --entrypoint python3 {wanted.image} --version")]
    if not facts.nccl:
        return [warn(f"{wanted.image} has no NCCL", f"NCCL {_NCCL_ADVISED} or newer", remedy)]
    if facts.machine == "aarch64" and version(facts.nccl) < version(_NCCL):
        return [warn(f"NCCL {facts.nccl}: hangs after long generations", f"{_NCCL_ADVISED} or newer", remedy)]
    if version(facts.nccl) < version(_NCCL_ADVISED):
        return [info(f"NCCL {facts.nccl}", f"{_NCCL_ADVISED} or newer", remedy)]
    return [ok(f"NCCL {facts.nccl}")]


CHECKS = (
    NodeCheck("docker", "Docker answers", docker),
    NodeCheck("docker-sdk", "python3-docker is installed, which the modules need", sdk),
    NodeCheck("gpu-runtime", "Docker can give a container the GPU", gpu_runtime),
    NodeCheck("docker-group", "the user is in the group docker", group),
    NodeCheck("instance-name", "no container of somebody else has the instance's name", name),
    NodeCheck("other-containers", "no other containers run", others),
    NodeCheck("other-engines", "no unit of vLLM or Ollama has the GPU, or will have it after a reboot", engines),
    NodeCheck("ports", "the server's ports are free, or its own", ports),
    NodeCheck("registry", "the name of the image's registry is found", registry),
    NodeCheck("nccl", f"the image loads NCCL {_NCCL_ADVISED} or newer (asked with doctor_nccl)", nccl),
)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses and paths of the lab. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
REPOSITORY = HERE.parent.parent

DATA = Path("/var/lib/dgxspark-lab")  # everything that is kept: caches, images, keys, logs
RUN = Path("/run/dgxspark-lab")  # sockets and pid files of what runs now
LOCK = Path("/run/lock/dgxspark-lab")
OWNER = DATA / "checkout"  # the checkout that the lab was last started from
LOGS = DATA / "log"
BUILD = DATA / "build"
SSH_KEY = DATA / "ssh" / "id_ed25519"
KNOWN_HOSTS = DATA / "ssh" / "known_hosts"

HOST_PACKAGES = ("docker.io", "docker-registry", "iptables", "mmdebstrap", "openssl", "openssh-client")
USER = "spark"
PASSWORD = "spark-of-the-lab"  # what the first contact with a bare node has; of no worth outside the lab
# The nodes listen on the first; known hosts have both, because an admin port is what a node may be given.
SSH_PORTS = (22, 2222)
LABEL = "dgxspark-lab"

# What one inventory of N nodes calls its only cluster.
CLUSTERS = {1: "solo", 2: "pair", 3: "trio", 4: "quad"}


@dataclass(frozen=True)
class Network:
    """One bridge of the lab; `interface` is what a Spark calls its end.

    A bare one is a cable: the engine wants addresses for it, but neither the nodes nor the machine keep them.
    """

    name: str
    prefix: str
    interface: str
    mtu: int
    bare: bool

    @property
    def bridge(self) -> str:
        return self.name

    @property
    def subnet(self) -> str:
        return f"{self.prefix}.0/24"

    @property
    def gateway(self) -> str:
        return f"{self.prefix}.1"

    def address(self, index: int) -> str:
        """Address of node `index` (1, 2, ...): .11, .12, ..."""
        return f"{self.prefix}.{10 + index}"


MANAGEMENT = Network("sparklab-mgmt", "10.254.88", "enP7s7", 1500, bare=False)
RAILS = (
    Network("sparklab-rail1", "198.18.100", "enp1s0f1np1", 9000, bare=True),
    Network("sparklab-rail2", "198.18.101", "enP2p1s0f1np1", 9000, bare=True),
)
NETWORKS = (MANAGEMENT, *RAILS)

REGISTRY_ADDRESS = MANAGEMENT.gateway
# Docker Hub's own names: with them, a node's untouched Docker pulls `lmsysorg/sglang` from the lab.
REGISTRY_NAMES = ("registry-1.docker.io", "auth.docker.io", "index.docker.io", "docker.io")

# A hub of models, in clear: the containers of a node don't have the lab's authority.
HUB_ADDRESS = MANAGEMENT.gateway
HUB_PORT = 8480
HUB_NAME = "hub.sparklab"
HUB_URL = f"http://{HUB_NAME}:{HUB_PORT}"
HUB_TOKEN = "hf_tokenOfTheLabThatOpensItsGatedModels"  # of no worth outside the lab

# Public image name -> SGLang version inside.
ENGINES = {"lmsysorg/sglang:v0.5.23": "0.5.23", "lmsysorg/sglang:spark": "0.5.4.post2"}
DEFAULT_ENGINE = "lmsysorg/sglang:v0.5.23"
FAULTY_ENGINE = "lmsysorg/sglang:faulty"
# Public name of a stand-in for what may run beside the server -> its stage in companions/Dockerfile.
COMPANIONS = {
    "lab/vllm:stand-in": "vllm",
    "lab/ollama:stand-in": "ollama",
    "lab/open-webui:stand-in": "open_webui",
}
# What the oldest transformers saves, all of them load.
OLDEST_ENGINE = "lmsysorg/sglang:spark"
# SGLang asks for it with dependencies that exist for CUDA only, so it is installed without any.
XGRAMMAR = {"0.5.23": "0.2.7", "0.5.4.post2": "0.1.25"}
TORCH = "2.13.0"
PYTHON = "3.11"

# Recipes in model/, each offered by the hub; the nodes have the first from the start.
MODELS = ("tiny-llama", "tiny-moe")
MODEL = "lab/tiny-llama"
MODEL_ROOT = f"/home/{USER}/ai/models"


def node_name(index: int) -> str:
    return f"spark-{index:02d}"

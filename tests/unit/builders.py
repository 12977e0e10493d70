# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain values for the tests: small, complete, and changed by keyword where a test is about that one thing."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict
from pathlib import Path

from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import Problem
from ansible_collections.dgxspark.sglang.plugins.module_utils.fabric._fabric import Interface
from ansible_collections.dgxspark.sglang.plugins.module_utils.model._folder import ModelFolder
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._access import Access
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._container import LABEL, ContainerSpec, Observed
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._flags import FlagTable, parse_table
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._observe import Probe
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._placement import Node
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._request import Request

REPO = Path(__file__).resolve().parents[2]
CATALOGUE = REPO / "roles/server/files"
LOGS = Path(__file__).parent / "data/logs"
OLD, NEW = "0.5.4.post2", "0.5.23"
IMAGE_ID = "sha256:5a9d1c1f1a0b7f9c0f8f0e0c1f4f4a0d3d3c2b1a0f9e8d7c6b5a49382716050f"
OTHER_ID = "sha256:aaaabbbbccccddddeeeeffff00001111222233334444555566667777888899990"
MODELS: dict[str, t.Any] = {
    "tiny": {
        "identity": {"repo": "example/tiny", "path": "tiny/tiny-1b"},
        "needs": {"nodes": [1, 2, 4]},
        "args": {"context_length": 4096},
    }
}
IMAGES: dict[str, t.Any] = {"default": {"name": "example/sglang:v0.5.23", "sglang": NEW}}
CONTAINER: dict[str, t.Any] = {
    "cache_dir": "",
    "state_dir": "/etc/dgxspark-sglang",
    "restart_policy": "unless-stopped",
    "stop_timeout": 60,
    "memory": 0,
    "mounts": [],
}


# A model of which every token costs 32 KiB: 16 layers, 4 heads of keys and values of 128 elements in 16 bits.
CONFIG: dict[str, t.Any] = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 16,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "max_position_embeddings": 131072,
}


def table(version: str) -> FlagTable:
    """Return a shipped flag table."""
    return parse_table(json.loads((CATALOGUE / "flags" / f"{version}.json").read_text(encoding="utf-8")))


def shown(problems: t.Iterable[Problem]) -> list[tuple[str, str]]:
    """Return problems as pairs of what was found and the next step."""
    return [(problem.what, problem.hint) for problem in problems]


def nodes(count: int, **changes: t.Any) -> tuple[Node, ...]:
    """Return spark-01 (the head) to spark-0N with two rails each."""
    return tuple(
        Node(
            **{
                "name": f"spark-0{number}",
                "head": "spark-01",
                "fabric_addresses": (f"192.168.100.1{number}", f"192.168.101.1{number}"),
                "host": f"10.0.0.1{number}",
                **changes,
            }
        )
        for number in range(1, count + 1)
    )


def rail_pair(number: int = 1, **changes: t.Any) -> tuple[Interface, ...]:
    """Return the interfaces of node `number`: management, and the two rails of one QSFP port."""
    rails = (
        ("enp1s0f1np1", f"192.168.100.1{number}", "rocep1s0f1"),
        ("enP2p1s0f1np1", f"192.168.101.1{number}", "roceP2p1s0f1"),
    )
    faces = (
        Interface(**{"name": name, "addresses": (address,), "mtu": 9000, "rdma_device": device, **changes})
        for name, address, device in rails
    )
    return (Interface("enP7s7", (f"10.0.0.1{number}",), 1500), *faces)


def request(count: int = 2, **changes: t.Any) -> Request:
    """Return a request for the model `tiny` on a cluster of `count` nodes."""
    return Request(
        **{
            "cluster": "alpha",
            "instance": "sglang",
            "model": "tiny",
            "nodes": nodes(count),
            "models": MODELS,
            "images": IMAGES,
            "tables": {NEW: table(NEW)},
            "model_root": "/srv/models",
            "container": CONTAINER,
            "access": Access(keyless=True),
            **changes,
        }
    )


def folder(**changes: t.Any) -> ModelFolder:
    """Return a whole model folder; all of its `bytes` are shared by the ranks."""
    whole = {"path": "/srv/models/tiny/tiny-1b", "complete": True, "problems": (), "bytes": 2**30, "config": CONFIG}
    return ModelFolder(**{**whole, "weights": {"mlp": changes.get("bytes", 2**30)}, **changes})


def probe(number: int = 1, **changes: t.Any) -> Probe:
    """Return a healthy, empty spark-0N."""
    return Probe(
        **{
            "node": f"spark-0{number}",
            "image_id": IMAGE_ID,
            "image_sglang": NEW,
            "interfaces": rail_pair(number),
            "memory": {"total": 120 * 2**30, "available": 110 * 2**30},
            "model": folder(),
            **changes,
        }
    )


def probes(count: int, **changes: t.Any) -> dict[str, Probe]:
    return {f"spark-0{number}": probe(number, **changes) for number in range(1, count + 1)}


def probe_result(**changes: t.Any) -> dict[str, t.Any]:
    """Return what the module node_probe says of a healthy, empty node."""
    return {
        "changed": False,
        "probe": {
            "docker_error": "",
            "sdk_missing": False,
            "gpu_runtime": True,
            "image_id": IMAGE_ID,
            "image_digests": [],
            "container": {},
            "containers": [],
            "ports": {},
            "interfaces": [asdict(face) for face in rail_pair()],
            "memory": {"total": 128849018880, "available": 118111600640},
            "state": {"path": "/etc/dgxspark-sglang", "room": 2**40},
            "last_good": {},
            "plans": [],
            **changes,
        },
    }


def server_params(**changes: t.Any) -> dict[str, t.Any]:
    """Return the options of the module sglang_server, as Ansible gives them."""
    return {
        "name": "sglang",
        "state": "started",
        "image": "example/sglang:v0.5.23",
        "image_id": "",
        "model": "tiny",
        "model_path": "/srv/models/tiny/tiny-1b",
        "args": {"port": 30000},
        "env": {},
        "mounts": [],
        "cache_dir": None,
        "gpus": "all",
        "rdma": False,
        "memory": 0,
        "restart_policy": "unless-stopped",
        "stop_timeout": 60,
        "cluster": "alpha",
        "generation": "aaaa0000aaaa",
        "state_dir": "/etc/dgxspark-sglang",
        "api_key": None,
        "admin_api_key": None,
        "hf_token": None,
        "tls_pem": None,
        **changes,
    }


def observed(spec: ContainerSpec | None = None, **changes: t.Any) -> Observed:
    """Return a running container that was made from `spec`; without one, a container of somebody else."""
    labels = {LABEL + "name": "sglang"}
    if spec:
        labels |= {LABEL + "generation": spec.generation, LABEL + "rank": str(spec.rank), LABEL + "model": "tiny"}
    return Observed(
        **{
            "id": "8f2c7d1e9a0b",
            "spec": spec.canonical() if spec else None,
            "status": "running",
            "image_id": spec.image_id if spec else IMAGE_ID,
            "started_at": "2026-11-21T02:03:04.500000000Z",
            "finished_at": "0001-01-01T00:00:00Z",
            "labels": labels,
            **changes,
        }
    )

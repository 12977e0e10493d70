# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: everything that is decided before anything is touched.

`draft` needs the inventory and the catalogue only. `finish` adds what the nodes showed of themselves. Both refuse with
every reason at once. They are pure, so every node of a cluster comes to the same plan on its own.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass, field

from . import _fabric, _observe
from ._catalogue import Image, Profile, check_env, merge, parse_image, parse_profile
from ._container import secret_checksum
from ._errors import Problem, SparkError
from ._flags import FlagTable, check
from ._launch import MODEL_MOUNT
from ._placement import GPUS_PER_NODE, Node, Placement, place

# The lowest layer of the arguments. SGLang's own default would take 0.89 of the unified memory, which froze machines;
# 0.75 is what NVIDIA's playbook for this machine says.
DEFAULT_ARGS = {"host": "0.0.0.0", "mem_fraction_static": 0.75, "enable_metrics": True}
# Decided by the plan; the value says where to set it instead.
OWNED = {
    "model_path": "identity.path of the profile",
    "served_model_name": "identity.served_name of the profile",
    "port": "server_port",
    "nnodes": "server_nodes",
    "node_rank": "spark_head",
    "dist_init_addr": "spark_fabric_addresses and server_dist_port",
    "api_key": "server_api_key",
    "admin_api_key": "server_admin_api_key",
    "config": "server_args",
}
# A start takes a few minutes whatever the model; loading was seen at 100 MB/s a node and more.
_START_SECONDS, _LOAD_BYTES_PER_SECOND = 420, 100e6


@dataclass(frozen=True)
class Request:
    """What the inventory asks for, before any node was looked at. `absent`: node -> why it can't take part."""

    cluster: str
    instance: str
    model: str
    nodes: tuple[Node, ...]
    models: t.Mapping[str, t.Any]
    images: t.Mapping[str, t.Any]
    tables: t.Mapping[str, FlagTable]
    port: int = 30000
    dist_port: int = 50000
    node_count: int = 0
    gpus: str = "all"
    transport: str = _fabric.RDMA
    args: t.Mapping[str, t.Any] = field(default_factory=dict)
    env: t.Mapping[str, t.Any] = field(default_factory=dict)
    image: str = ""
    sglang: str = ""
    model_root: str = ""
    container: t.Mapping[str, t.Any] = field(default_factory=dict)
    start_timeout: int = 0
    secrets: t.Mapping[str, str] = field(default_factory=dict)
    absent: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """A request that the inventory and the catalogue allow."""

    request: Request
    profile: Profile
    image: Image
    placement: Placement
    args: t.Mapping[str, t.Any]
    warnings: tuple[str, ...] = ()

    @property
    def model_path(self) -> str:
        """The model's folder on every node."""
        return f"{self.request.model_root}/{self.profile.path}"

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that must be free on the head; the first of them on every rank (a worker answers there, too)."""
        request = self.request
        return (request.port, request.dist_port) if self.placement.nnodes > 1 else (request.port,)


def draft(request: Request) -> Draft:
    """Return the part of the plan that needs no look at the nodes. Raises SparkError with every reason against it."""
    problems = [
        Problem(
            f"Cluster {request.cluster} is in this run only in part: {node} {why}.",
            f"a server spans its whole cluster: run with --limit {request.cluster} or without a limit.",
        )
        for node, why in sorted(request.absent.items())
    ]
    problems += _port_problems(request) + check_env("server_env", request.env)
    profile = _collect(problems, lambda: parse_profile(request.model, request.models))
    if profile is None:
        raise SparkError(problems)
    image = _collect(problems, lambda: parse_image(profile.image, request.images))
    placement = _collect(problems, lambda: place(request.cluster, request.nodes, profile.nodes, request.node_count))
    if image is None or placement is None:
        raise SparkError(problems)
    image = Image(request.image or image.name, request.sglang or image.sglang)
    asked = merge(profile.args, request.args)
    problems += [
        Problem(f"{name} is decided by the plan and can't be an argument.", f"set {OWNED[name]}.")
        for name in asked
        if name in OWNED
    ]
    args, warnings = merge(DEFAULT_ARGS, asked), []
    table = request.tables.get(image.sglang)
    if table:
        secret_flags = {name: "x" for name in request.secrets if name != "hf_token"}
        refused = asked.keys() & OWNED.keys()
        problems += check({key: value for key, value in {**args, **secret_flags}.items() if key not in refused}, table)
    else:
        known = ", ".join(sorted(request.tables))
        warnings.append(f"flags are not checked: there is no table for SGLang {image.sglang} (there are {known}).")
    problems += _parallel_problems(args, placement, checked=table is not None)
    if problems:
        raise SparkError(problems)
    return Draft(request, profile, image, placement, args, tuple(warnings))


def finish(drafted: Draft, probes: t.Mapping[str, _observe.Probe], strict: bool = True) -> dict[str, t.Any]:
    """Return the whole plan, as data for the roles.

    `strict`: the image must be on every node, with one ID and the SGLang version that the flags were checked for.
    Raises SparkError with every reason against starting.
    """
    request, placement = drafted.request, drafted.placement
    problems = _observe.problems(drafted, probes, strict)
    envs: list[dict[str, str]] = []
    for node in placement.nodes if not problems else ():
        env = _collect(problems, lambda node=node: _rank_env(drafted, node, probes[node.name]))  # type: ignore[misc]
        envs.append(env or {})
    if problems:
        raise SparkError(problems)
    image_id = next((probes[node.name].image_id for node in placement.nodes), "")
    servers = [
        _server(drafted, rank, envs[rank], image_id, probes[node.name]) for rank, node in enumerate(placement.nodes)
    ]
    generation = _generation(servers, request.secrets)
    found = {node.name: probes[node.name].container for node in placement.nodes}
    state = _observe.state_for(generation, found)
    size = max((probes[node.name].model_bytes for node in placement.nodes), default=0)
    limit = (
        request.start_timeout
        or drafted.profile.start_timeout
        or int(_START_SECONDS + size / placement.nnodes / _LOAD_BYTES_PER_SECOND)
    )
    ranks = {
        node.name: {
            "rank": rank,
            "server": {**servers[rank], "generation": generation, "state": state},
            "gate": _gate(drafted, rank, generation, limit, envs[rank]),
        }
        for rank, node in enumerate(placement.nodes)
    }
    plan = {
        "cluster": request.cluster,
        "instance": request.instance,
        "model": drafted.profile.name,
        "served_name": drafted.profile.served_name,
        "image": drafted.image.name,
        "image_id": image_id,
        "sglang": drafted.image.sglang,
        "nnodes": placement.nnodes,
        "head": placement.head.name,
        "generation": generation,
        "endpoint": f"http://{placement.head.host or placement.head.name}:{request.port}/v1",
        "ranks": ranks,
        "idle": [node.name for node in placement.idle],
        "warnings": list(drafted.warnings),
    }
    return {**plan, "lines": _observe.explain(plan, found, drafted.args)}


def _collect(problems: list[Problem], step: t.Callable[[], t.Any]) -> t.Any:
    """Run a step; what it refuses joins the problems, so that a person sees all of them at once."""
    try:
        return step()
    except SparkError as error:
        problems += error.problems
        return None


def _port_problems(request: Request) -> list[Problem]:
    ports = {"server_port": request.port, "server_dist_port": request.dist_port}
    problems = [
        Problem(f"{name} is {port}, needed is a number from 1 to 65535.", "30000 and 50000 are the usual ones.")
        for name, port in ports.items()
        if not 1 <= port <= 65535
    ]
    if request.port == request.dist_port:
        problems.append(
            Problem(f"server_port and server_dist_port are both {request.port}.", "give them different ports.")
        )
    return problems


def _parallel_problems(args: t.Mapping[str, t.Any], placement: Placement, checked: bool) -> list[Problem]:
    gpus = placement.nnodes * GPUS_PER_NODE
    try:
        pp = int(args.get("pp_size") or 1)
        tp = int(args.get("tp_size") or gpus // pp)
    except (TypeError, ValueError):
        what = f"tp_size is {args.get('tp_size')!r} and pp_size is {args.get('pp_size')!r}, needed are numbers."
        return [] if checked else [Problem(what, "correct the value.")]  # the flag table has told it already
    if tp * pp == gpus:
        return []
    return [
        Problem(
            f"tp_size {tp} x pp_size {pp} needs {tp * pp} GPU(s), but {placement.nnodes} node(s) with"
            f" {GPUS_PER_NODE} GPU each have {gpus}.",
            "leave tp_size out (it follows from the nodes), or set server_nodes to the nodes that it needs.",
        )
    ]


def _rank_env(drafted: Draft, node: Node, probe: _observe.Probe) -> dict[str, str]:
    request = drafted.request
    env: dict[str, str] = {}
    if drafted.placement.nnodes > 1:
        rails = _fabric.rails(node.name, node.fabric_addresses, probe.interfaces)
        env = _fabric.environment(node.name, node.fabric_addresses[0], rails, request.transport)
    layers = merge(env, {"HF_HUB_OFFLINE": "1"}, drafted.profile.env, request.env)
    return {name: value for name, value in layers.items() if value is not None}


def _server(
    drafted: Draft, rank: int, env: t.Mapping[str, str], image_id: str, probe: _observe.Probe
) -> dict[str, t.Any]:
    """Return the options of the module sglang_server for one rank, without the generation."""
    request, nnodes = drafted.request, drafted.placement.nnodes
    args = {
        **drafted.args,
        "served_model_name": drafted.profile.served_name,
        "port": request.port,
        "tp_size": int(drafted.args.get("tp_size") or nnodes // int(drafted.args.get("pp_size") or 1)),
    }
    if nnodes > 1:
        meeting_point = f"{drafted.placement.head.fabric_addresses[0]}:{request.dist_port}"
        args.update(nnodes=nnodes, node_rank=rank, dist_init_addr=meeting_point)
    return {
        "name": request.instance,
        "image": drafted.image.name,
        "image_id": image_id,
        "model": drafted.profile.name,
        "model_path": drafted.model_path,
        "args": args,
        "env": dict(env),
        "gpus": request.gpus,
        "rdma": nnodes > 1 and request.transport == _fabric.RDMA and probe.has_rdma,
        "cluster": request.cluster,
        **request.container,
    }


def _generation(servers: t.Sequence[t.Mapping[str, t.Any]], secrets: t.Mapping[str, str]) -> str:
    checksums = {name: secret_checksum(name, value) for name, value in sorted(secrets.items())}
    return hashlib.sha256(json.dumps([servers, checksums], sort_keys=True).encode()).hexdigest()[:12]


def _gate(drafted: Draft, rank: int, generation: str, limit: int, env: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return the options of the gate for one rank."""
    request = drafted.request
    return {
        "name": request.instance,
        "rank": rank,
        "nnodes": drafted.placement.nnodes,
        "generation": generation,
        "host": drafted.args["host"],
        "port": request.port,
        "served_model_name": drafted.profile.served_name,
        "model_path": f"{MODEL_MOUNT}/{drafted.profile.path.rsplit('/', 1)[-1]}",
        "tp_size": drafted.placement.nnodes // int(drafted.args.get("pp_size") or 1),
        "sglang": drafted.image.sglang,
        "embedding": bool(drafted.args.get("is_embedding")),
        "rails": [rail for rail in env.get("NCCL_IB_HCA", "").lstrip("=").split(",") if rail],
        "limit": limit,
    }

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: everything that is decided before anything is touched. Pure, so every node comes to the same one."""

from __future__ import annotations

import hashlib
import json
import typing as t

from .._errors import SparkError, collect
from ..fabric import _fabric
from ._beside import MOE_MOUNT, MOE_VARIABLE, Beside, beside
from ._catalogue import merge
from ._keep import keep_of
from ._launch import model_mount
from ._memory import memory_of
from ._observe import Probe, problems_of
from ._placement import Node
from ._request import Draft
from ._secrets import REFRESH, REFRESH_ENV, checksums, speaks_tls

# A start takes a few minutes whatever the model; loading was seen at 100 MB/s a node and more.
_START_SECONDS, _LOAD_BYTES_PER_SECOND = 420, 100e6


def finish(
    drafted: Draft, probes: t.Mapping[str, Probe], strict: bool = True, before: t.Sequence[Draft] = ()
) -> dict[str, t.Any]:
    """Return the whole plan, as data for the roles. `before`: the instances that this run brings up before this one.

    `strict`: what a bring-up prepares must be there: the GPU runtime, the rails with their addresses, and the image,
    with one ID and the SGLang version that the flags were checked for.
    Raises SparkError with every reason against starting.
    """
    request, placement = drafted.request, drafted.placement
    problems = problems_of(drafted, probes, strict)
    envs: list[dict[str, str]] = []
    extras = {node.name: _beside(drafted, probes[node.name]) for node in placement.nodes}
    for node in placement.nodes if not problems else ():
        env = collect(problems, lambda node=node: _rank_env(drafted, node, probes[node.name], strict))  # type: ignore[misc]
        envs.append({**extras[node.name].env, **(env or {})})
    memory = memory_of(drafted, probes, before)
    if problems:
        raise SparkError([*problems, *memory.problems])
    servers = [
        _server(drafted, rank, envs[rank], extras[node.name], probes[node.name].image_id)
        for rank, node in enumerate(placement.nodes)
    ]
    revisions = [folder.revision if (folder := probes[node.name].model) else "" for node in placement.nodes]
    generation = _generation(servers, revisions, request.secrets)
    found = {node.name: probes[node.name].container for node in placement.nodes}
    if memory.problems and not (runs(generation, found) or (not strict and serves(drafted.profile.name, found))):
        raise SparkError(memory.problems)
    state = state_for(generation, found)
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
            "gate": _gate(drafted, servers[rank], probes[node.name], limit),
            "keep": keep_of(drafted, rank, servers[rank], limit),
        }
        for rank, node in enumerate(placement.nodes)
    }
    # A node that this model does not need keeps no rank of another plan: it would go on looking for its head.
    idle = {node.name: {"server": {**servers[0], "state": "absent"}} for node in placement.idle}
    plan = {
        "cluster": request.cluster,
        "instance": request.instance,
        "model": drafted.profile.name,
        "served_name": drafted.profile.served_name,
        "image": drafted.image.name,
        "sglang": drafted.image.sglang,
        "nnodes": placement.nnodes,
        "head": placement.head.name,
        "generation": generation,
        "endpoint": f"{'https' if drafted.tls else 'http'}://{drafted.host}:{request.port}/v1",
        "ranks": ranks,
        "idle": idle,
        "memory": dict(memory.memory),
        "warnings": [
            *drafted.notes,
            *drafted.warnings,
            *_transport_warnings(servers),
            *memory.warnings,
            *_moe_warnings(probes[node.name] for node in placement.nodes),
        ],
    }
    return {**plan, "lines": explain(plan, found, drafted.args, memory.lines)}


def _rank_env(drafted: Draft, node: Node, probe: Probe, strict: bool) -> dict[str, str]:
    request = drafted.request
    env: dict[str, str] = {}
    if drafted.placement.nnodes > 1 and (strict or _has_rails(node, probe)):
        rails = _fabric.rails(node.name, node.fabric_addresses, probe.interfaces)
        env = _fabric.environment(node.name, node.fabric_addresses[0], rails, request.transport)
    if drafted.tls.get(REFRESH) and node is drafted.placement.head:
        env |= REFRESH_ENV
    # Weights are on the node. Only who gives a token wants the engine to ask the hub for more.
    offline = {} if "hf_token" in request.secrets else {"HF_HUB_OFFLINE": "1"}
    layers = merge(env, offline, drafted.profile.env, request.env)
    return {name: value for name, value in layers.items() if value is not None}


def _has_rails(node: Node, probe: Probe) -> bool:
    return set(node.fabric_addresses) <= {address for face in probe.interfaces for address in face.addresses}


def _beside(drafted: Draft, probe: Probe) -> Beside:
    asked = merge(drafted.profile.env, drafted.request.env)
    return beside(probe.moe, drafted.encodings_path, asked)


def _server(drafted: Draft, rank: int, env: t.Mapping[str, str], extra: Beside, image_id: str) -> dict[str, t.Any]:
    """Return the options of the module sglang_server for one rank, without the generation."""
    request, nnodes = drafted.request, drafted.placement.nnodes
    args = {
        **drafted.args,
        "served_model_name": drafted.profile.served_name,
        "port": request.port,
        "tp_size": drafted.tp_size,
    }
    if nnodes > 1:
        address = drafted.placement.head.fabric_addresses[0]
        meeting_point = f"[{address}]:{request.dist_port}" if ":" in address else f"{address}:{request.dist_port}"
        args.update(nnodes=nnodes, node_rank=rank, dist_init_addr=meeting_point)
    if rank == 0:
        args.update(drafted.tls)
    return {
        "name": request.instance,
        "image": drafted.image.name,
        "image_id": image_id,
        "model": drafted.profile.name,
        "model_path": drafted.model_path,
        "args": args,
        "env": dict(env),
        "gpus": request.gpus,
        "rdma": nnodes > 1 and request.transport == _fabric.RDMA,
        "cluster": request.cluster,
        **request.container,
        "mounts": [*request.container["mounts"], *extra.mounts],
    }


def _generation(
    servers: t.Sequence[t.Mapping[str, t.Any]], revisions: t.Sequence[str], secrets: t.Mapping[str, str]
) -> str:
    """Another revision in the same folder is another server: the old one goes on with files that are gone."""
    known = [revisions] if any(revisions) else []
    parts = [servers, checksums(servers[0]["args"], secrets), *known]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _gate(drafted: Draft, server: t.Mapping[str, t.Any], probe: Probe, limit: int) -> dict[str, t.Any]:
    """Return the options of the gate for one rank."""
    args, env = server["args"], server["env"]
    return {
        "name": server["name"],
        "rank": args.get("node_rank", 0),
        "nnodes": drafted.placement.nnodes,
        "host": args["host"] or "127.0.0.1",
        "port": args["port"],
        "tls": speaks_tls(args),
        "served_model_name": args["served_model_name"],
        "model_path": model_mount(server["model_path"]),
        "tp_size": args["tp_size"],
        "sglang": drafted.image.sglang,
        "embedding": bool(args.get("is_embedding")),
        "rails": [rail for rail in env.get("NCCL_IB_HCA", "").lstrip("=").split(",") if rail] if _told(env) else [],
        "moe_files": list(probe.moe.files) if env.get(MOE_VARIABLE) == MOE_MOUNT else [],
        "limit": limit,
    }


def _told(env: t.Mapping[str, str]) -> bool:
    """Whether NCCL's log will say which transport it took: a user may have turned it down."""
    loud = env.get("NCCL_DEBUG", "").upper() in ("INFO", "TRACE") and not env.get("NCCL_DEBUG_FILE")
    return loud and bool({"NET", "ALL"} & set(env.get("NCCL_DEBUG_SUBSYS", "").upper().split(",")))


def _transport_warnings(servers: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    env = servers[0]["env"]
    if "NCCL_IB_HCA" in env and not _told(env):
        return ["the gate can't check the transport: NCCL's log is turned down (NCCL_DEBUG, NCCL_DEBUG_SUBSYS)."]
    return []


def _moe_warnings(probes: t.Iterable[Probe]) -> list[str]:
    told = dict.fromkeys(what for probe in probes for what in probe.moe.told)
    return [f"MoE configs: {what}" for what in told]


def state_for(generation: str, found: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
    """Return started, or restarted when some ranks run and others don't: ranks restart together or not at all."""
    alive = [bool(item) and item["running"] and item["generation"] == generation for item in found.values()]
    return "restarted" if any(alive) and not all(alive) else "started"


def runs(generation: str, found: t.Mapping[str, t.Mapping[str, t.Any]]) -> bool:
    """Whether all ranks run as planned: no estimate says better than that whether they fit."""
    return all(item and item["running"] and item["generation"] == generation for item in found.values())


def serves(model: str, found: t.Mapping[str, t.Mapping[str, t.Any]]) -> bool:
    """Whether all ranks run this model, in whatever way: before everything is prepared nothing better is known."""
    return all(item and item["running"] and item["model"] == model for item in found.values())


def explain(
    plan: t.Mapping[str, t.Any],
    found: t.Mapping[str, t.Mapping[str, t.Any]],
    args: t.Mapping[str, t.Any],
    memory: t.Iterable[str] = (),
) -> list[str]:
    """Return the plan in lines for people: what will serve, where, and what that changes on each node."""
    tp = next(iter(plan["ranks"].values()))["server"]["args"]["tp_size"]
    lines = [
        f"{plan['cluster']}/{plan['instance']}: {plan['model']} on {plan['nnodes']} node(s), TP={tp},"
        f" SGLang {plan['sglang']} from {plan['image']}, memory fraction {args['mem_fraction_static']}"
    ]
    for node, rank in plan["ranks"].items():
        env = rank["server"]["env"]
        # server_env may set one of them on a lone rank, or remove one.
        met = {"SGLANG_HOST_IP", "GLOO_SOCKET_IFNAME"} <= env.keys()
        place = f" at {env['SGLANG_HOST_IP']} on {env['GLOO_SOCKET_IFNAME']}" if met else ""
        lines.append(f"  rank {rank['rank']} {node}{place}: {_change(plan['generation'], rank['server'], found[node])}")
    lines += memory
    lines += [f"  {node}: idle, this model does not need it" for node in plan["idle"]]
    return lines + [f"  note: {warning}" for warning in plan["warnings"]]


def _change(generation: str, server: t.Mapping[str, t.Any], container: t.Mapping[str, t.Any]) -> str:
    if not container:
        return "create and start"
    if container["generation"] != generation:
        return f"replace {container['model'] or 'the container'} (generation {container['generation']} -> {generation})"
    if server["state"] == "restarted":
        return "restart with the others" if container["running"] else "start (all ranks restart)"
    return "nothing, it runs as planned" if container["running"] else "start"

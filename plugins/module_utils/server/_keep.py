# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of the plan that outlives the run: what a keeper needs to start all ranks again without Ansible."""

from __future__ import annotations

import typing as t

from ._request import Draft


def keep_of(drafted: Draft, rank: int, server: t.Mapping[str, t.Any], limit: int) -> dict[str, t.Any]:
    """Return what the keeper of one rank is given. `server`: the options of the module sglang_server for it; `limit`:
    seconds until a start has failed.

    Nothing of it is part of the generation: another patience is no other server.
    """
    request, placement = drafted.request, drafted.placement
    several = placement.nnodes > 1
    addresses = placement.nodes[rank].fabric_addresses if several else ()
    rails = server["env"].get("NCCL_IB_HCA", "").lstrip("=").split(",") if server["rdma"] else []
    return {
        "rank": rank,
        "nnodes": placement.nnodes,
        "cluster": request.cluster,
        "peers": [
            {"node": node.name, "rank": number, "address": node.fabric_addresses[0] if several else ""}
            for number, node in enumerate(placement.nodes)
        ],
        "watch_port": request.watch_port,
        "rails": [rail for rail in rails if rail],
        "rdma": server["rdma"],
        "gpus": request.gpus,
        "addresses": list(addresses),
        "start_limit": limit,
        "stop_timeout": server["stop_timeout"],
        "patience": request.patience,
        "restarts": request.restarts,
        "earlier": list(request.earlier),
        "api": {"host": server["args"]["host"] or "127.0.0.1", "port": request.port, "tls": bool(drafted.tls)},
    }

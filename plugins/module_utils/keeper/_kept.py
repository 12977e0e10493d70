# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kept plan of one rank, as a run of Ansible leaves it on the node: the last good one."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SparkError
from ..server._container import Observed
from ..server._gate import Expectation
from ._types import Peer, Settings

_PATHS = ("model_path", "cache_dir", "state_dir")


@dataclass(frozen=True)
class Kept:
    """What a keeper needs of the plan. `server`: the options of the module sglang_server, with full paths.

    `gate`: those of the gate; `watch_port`: where keepers of several nodes answer, 0 for none; `addresses`: this node's
    on the rails; `host`, `port`, `tls`: of the API; `earlier`: the instances that take their memory before this one.
    """

    settings: Settings
    server: t.Mapping[str, t.Any]
    gate: t.Mapping[str, t.Any]
    watch_port: int
    addresses: tuple[str, ...]
    rails: tuple[str, ...]
    gpus: str
    host: str
    port: int
    tls: bool
    earlier: tuple[str, ...] = ()

    def expectation(self, found: Observed) -> Expectation:
        """Return what the gate is asked for of the start that is `found`."""
        known = Expectation.__dataclass_fields__
        given: dict[str, t.Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in self.gate.items() if key in known
        }
        given |= {"generation": self.settings.generation, "image_id": found.image_id, "started_at": found.started_at}
        return Expectation(**given)


def parse_kept(raw: t.Mapping[str, t.Any] | None, instance: str, full: t.Callable[[str], str]) -> Kept:
    """Return the kept plan from a last good one. `full` gives a path its full form (`~spark/ai`).

    Raises SparkError when there is none, or one that an older version wrote.
    """
    if not raw:
        raise SparkError(f"Instance {instance} has no last good plan on this node.", "run site.yml.")
    try:
        keep, server = raw["keep"], dict(raw["server"])
        peers = tuple(Peer(item["node"], int(item["rank"]), item["address"]) for item in keep["peers"])
        settings = Settings(
            instance=instance,
            cluster=keep["cluster"],
            generation=raw["generation"],
            rank=int(keep["rank"]),
            peers=peers,
            start_limit=float(keep["start_limit"]),
            stop_timeout=int(keep["stop_timeout"]),
            patience=float(keep["patience"]),
            restarts=int(keep["restarts"]),
        )
        server |= {key: full(server[key]) if server.get(key) else server.get(key) for key in _PATHS}
        server["mounts"] = [
            {**mount, "source": full(mount["source"]), "target": full(mount["target"])} for mount in server["mounts"]
        ]
        return Kept(
            settings=settings,
            server={**server, "generation": raw["generation"]},
            gate=raw["gate"],
            watch_port=int(keep["watch_port"]) if len(peers) > 1 else 0,
            addresses=tuple(keep["addresses"]),
            rails=tuple(keep["rails"]),
            gpus=keep["gpus"],
            host=keep["api"]["host"],
            port=int(keep["api"]["port"]),
            tls=bool(keep["api"]["tls"]),
            earlier=tuple(keep["earlier"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        what = f"The last good plan of instance {instance} has no part for its keeper ({type(error).__name__} {error})."
        raise SparkError(what, "an older version wrote it: run site.yml.") from error

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who uses the models of a node: our servers and what their APIs answer, other containers, the last good plans."""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace

from .._errors import SparkError
from ..model._inventory import Known, Mounted, Server, names_of, server_of
from ..server._container import SPEC_LABEL
from ..server._docker_errors import connection_error
from ._docker import Docker, said
from ._http import Api
from ._plans import last_good, planned
from ._rank import api_key

# Seconds for /v1/models: it is answered without the engine, so that a slow one is a dead one.
_API_TIMEOUT = 3


def look(state_dir: str, needed: t.Iterable[str] | None) -> tuple[Known, str]:
    """Return who uses what on this node, and why Docker could not be asked (empty when it could)."""
    known = Known(needed=_real(needed or ()), kept=_real(_kept(state_dir)), complete=needed is not None)
    try:
        engine = Docker()
        servers = tuple(_ask(server_of(item), state_dir) for item in engine.ours())
        return replace(known, servers=servers, mounted=_mounted(engine)), ""
    except SparkError as error:
        return replace(known, complete=False), str(error)


def _ask(server: Server, state_dir: str) -> Server:
    server = replace(server, path=os.path.realpath(server.path) if server.path else "")
    if server.status != "running" or server.rank != 0:  # the others' API knows nothing
        return server
    api = Api(server.host, server.port, api_key(state_dir, server.instance), server.tls)
    names, answer = names_of(*api.ask("/v1/models", timeout=_API_TIMEOUT))
    return replace(server, names=names, api=answer)


def _mounted(engine: Docker) -> tuple[Mounted, ...]:
    """Return the containers that are not ours, with what they have of the node's folders."""
    with said(connection_error):
        found = engine.client.api.containers(all=True)
    return tuple(
        Mounted(
            (item.get("Names") or [item["Id"][:12]])[0].lstrip("/"),
            _real(mount["Source"] for mount in item.get("Mounts") or () if mount.get("Source")),
        )
        for item in found
        if SPEC_LABEL not in (item.get("Labels") or {})
    )


def _kept(state_dir: str) -> t.Iterator[str]:
    """Yield the model folders of the last good plans."""
    for instance in planned(state_dir):
        server = last_good(state_dir, instance).get("server")
        if isinstance(server, dict) and server.get("model_path"):
            yield str(server["model_path"])


def _real(paths: t.Iterable[str]) -> tuple[str, ...]:
    return tuple(os.path.realpath(os.path.expanduser(path)) for path in paths)

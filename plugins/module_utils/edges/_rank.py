# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One rank's container in Docker, as a run of Ansible and a keeper make it."""

from __future__ import annotations

import typing as t

from ..server._container import LABEL, ContainerSpec
from ..server._secrets import speaks_tls
from ._docker import Docker


def api_port(params: t.Mapping[str, t.Any]) -> int:
    return int(params["args"].get("port") or 30000)


def act(engine: Docker, action: str, wanted: ContainerSpec | None, params: t.Mapping[str, t.Any]) -> None:
    """Carry out one action of those that `decide` returns. `params`: options of the module sglang_server.

    Raises SparkError when Docker refuses.
    """
    name = params["name"]
    if action == "create" and wanted:
        shown = {"model": params["model"], "image": params["image"], "port": str(api_port(params))}
        shown["tls"] = "true" if speaks_tls(params["args"]) else ""
        engine.create(wanted, {LABEL + key: value for key, value in shown.items()})
    elif action == "stop":
        engine.stop(name, params["stop_timeout"])
    elif action == "remove":
        engine.remove(name)
    elif action == "rename":
        engine.rename(name)
    elif action == "start":
        engine.start(name)

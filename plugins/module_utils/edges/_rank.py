# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One rank's container in Docker, as a run of Ansible and a keeper make it, and the key that its engine was given."""

from __future__ import annotations

import contextlib
import typing as t

from ..server._container import LABEL, ContainerSpec
from ..server._secrets import TLS_PEM, former_dir, secret_dir, secrets_of, speaks_tls
from ._docker import Docker
from ._files import read_private

_CACHES = "/proc/sys/vm/drop_caches"


def api_port(params: t.Mapping[str, t.Any]) -> int:
    return int(params["args"].get("port") or 30000)


def api_key(state_dir: str, instance: str) -> str:
    """Return the API key of an instance from the file in which its engine gets it; empty when it has none."""
    with contextlib.suppress(OSError, ValueError):
        return secrets_of(read_private(secret_dir(state_dir, instance))).get("api_key", "")
    return ""


def former_pem(state_dir: str, instance: str) -> str:
    """Return the certificate with its key that a plan without TLS has put aside; empty when there is none."""
    return read_private(former_dir(state_dir, instance)).get(TLS_PEM, "")


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
        free_page_cache()
        engine.start(name)


def free_page_cache() -> None:
    """Give the page cache back: on GB10 it is memory of the GPU's that CUDA can't have. Where that is not allowed, the
    start goes on without. What is not written to disk yet stays: to wait for that could take for ever."""
    with contextlib.suppress(OSError), open(_CACHES, "w", encoding="ascii") as file:
        file.write("1")

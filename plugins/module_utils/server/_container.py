# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container of one rank: what is wanted, what is there, and what has to happen.

Idempotence is one equality: the canonical spec stored as a label on the container equals the wanted spec. The image is
part of it by ID, the other ranks by their generation, secrets by a checksum.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import typing as t
from dataclasses import asdict, dataclass, field

from .._errors import SparkError
from ._launch import command, model_mount
from ._secrets import CONFIG_FILE, HF_TOKEN_FILE, SECRET_FLAGS, SECRET_MOUNT, checksums, secret_dir

LABEL = "dgxspark.sglang."
SPEC_LABEL = LABEL + "spec"
SHOWN_LABELS = ("name", "generation", "cluster", "rank", "model", "image", "port", "tls")
ENGINE_CACHE = "/root/.cache"
# The one action that leaves the container alone: its secret files are written again.
RENEW = "renew"
# What NCCL needs to register GPU and RDMA memory, and what the CUDA runtime wants of the stack. -1 is unlimited.
ULIMITS = {"memlock": -1, "stack": 67108864}
RDMA_DEVICES = "/dev/infiniband"


@dataclass(frozen=True)
class Mount:
    source: str
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class ContainerSpec:
    """Everything that decides how one rank runs: equal specs are the same server. `memory` in bytes, 0 is no cap."""

    name: str
    image_id: str
    command: tuple[str, ...]
    env: t.Mapping[str, str]
    mounts: tuple[Mount, ...]
    gpus: str
    rdma: bool
    restart_policy: str
    stop_timeout: int
    memory: int
    cluster: str
    rank: int
    generation: str
    secrets: t.Mapping[str, str] = field(default_factory=dict)

    def canonical(self) -> str:
        """Return the spec as JSON with sorted keys: the text that is stored and compared."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        return digest_of(self.canonical())


@dataclass(frozen=True)
class Observed:
    """A container that has our name. `spec` is None when it is not ours; times are ISO 8601, UTC."""

    id: str
    spec: str | None
    status: str
    image_id: str = ""
    started_at: str = ""
    finished_at: str = ""
    exit_code: int = 0
    oom_killed: bool = False
    restart_count: int = 0
    labels: t.Mapping[str, str] = field(default_factory=dict)

    def age(self, now: float) -> float:
        """Return the seconds since its start. `now`: seconds since the epoch."""
        started = datetime.datetime.fromisoformat(self.started_at[:19] + "+00:00")
        return now - started.timestamp()

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def generation(self) -> str:
        return self.labels.get(LABEL + "generation", "")

    def public(self) -> dict[str, t.Any]:
        """Return what a result shows of the container."""
        shown = {key: value for key, value in asdict(self).items() if key not in ("spec", "labels")}
        return {
            **shown,
            "running": self.running,
            "ours": self.spec is not None,
            "digest": digest_of(self.spec) if self.spec else "",
            **{key: self.labels.get(LABEL + key, "") for key in SHOWN_LABELS},
        }


def refuse_foreign(name: str, observed: Observed | None) -> None:
    """Raise SparkError when a container of this name, which only we give, was made by somebody else."""
    if observed and observed.spec is None:
        what = f"A container named {name} exists that this collection did not make."
        raise SparkError(what, "rename or remove it, or choose another name; it is not touched.")


def digest_of(canonical: str) -> str:
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def build(params: t.Mapping[str, t.Any], image_id: str, secrets: t.Mapping[str, str]) -> ContainerSpec:
    """Return the spec for the options of the module sglang_server. `secrets`: option -> value of those that it gets."""
    model_target = model_mount(params["model_path"])
    env = dict(params["env"])
    mounts = [Mount(params["model_path"].rstrip("/"), model_target)]
    if params["cache_dir"]:
        mounts.append(Mount(params["cache_dir"], ENGINE_CACHE, read_only=False))
    if secrets:
        mounts.append(Mount(secret_dir(params["state_dir"], params["name"]), SECRET_MOUNT))
    if "hf_token" in secrets:
        env["HF_TOKEN_PATH"] = HF_TOKEN_FILE
    mounts += [Mount(**mount) for mount in params["mounts"]]
    args = {**params["args"], "model_path": model_target}
    return ContainerSpec(
        name=params["name"],
        image_id=image_id,
        command=command(args, CONFIG_FILE if secrets.keys() & set(SECRET_FLAGS) else ""),
        env=env,
        mounts=tuple(mounts),
        gpus=params["gpus"],
        rdma=params["rdma"],
        restart_policy=params["restart_policy"],
        stop_timeout=params["stop_timeout"],
        memory=params["memory"],
        cluster=params["cluster"],
        rank=int(params["args"].get("node_rank", 0)),
        generation=params["generation"],
        secrets=checksums(params["args"], secrets),
    )


def decide(state: str, wanted: ContainerSpec | None, observed: Observed | None, stale: bool = False) -> tuple[str, ...]:
    """Return the actions that lead to `state`, in order.

    A replacement is created before the old container is stopped: what Docker refuses to create stops nothing.
    `stale`: the node's secret files are not the wanted ones. Where nothing else is to be done, they are renewed, and
    the server runs on: what it must be started again for is in its spec.
    """
    if observed is None:
        return ("create", "rename", "start") if state in ("started", "restarted") else ()
    halt = ("stop",) if observed.status in ("running", "restarting", "paused") else ()
    if state == "absent":
        return (*halt, "remove")
    if state == "stopped":
        return halt
    if wanted is None:
        raise ValueError(f"state {state} needs a wanted spec")
    if observed.spec != wanted.canonical() or observed.image_id != wanted.image_id:
        return ("create", *halt, "remove", "rename", "start")
    if observed.running and state == "started":
        return (RENEW,) if stale else ()
    return (*halt, "start")


def diff(state: str, wanted: ContainerSpec | None, observed: Observed | None, stale: bool = False) -> dict[str, t.Any]:
    """Return before and after for Ansible's --diff; equal when nothing changes. Of secrets it tells that they do."""
    before = json.loads(observed.spec) if observed and observed.spec else {}
    before["state"] = (
        "absent"
        if observed is None
        else {"running": "started", "exited": "stopped"}.get(observed.status, observed.status)
    )
    if state == "absent" or (state == "stopped" and observed is None):
        after: dict[str, t.Any] = {"state": "absent"}
    elif state == "stopped" or wanted is None:
        after = {**before, "state": "stopped" if "stop" in decide(state, wanted, observed) else before["state"]}
    else:
        again = state == "restarted" and before["state"] == "started"
        after = {**json.loads(wanted.canonical()), "state": "restarted" if again else "started"}
        if stale:
            before["secret_files"], after["secret_files"] = "as they were", "renewed"
    return {"before": before, "after": after}

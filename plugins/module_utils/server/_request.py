# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request: what the inventory asks for, checked against the catalogue before any node is looked at."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import Problem, SparkError, collect
from ..fabric import _fabric
from ._access import Access, limits_of, notes_of, problems_of, tls_of
from ._catalogue import Profile, merge, parse_profile, refusal
from ._flags import FlagTable, spell_out
from ._images import Image, choose, flag_problems, table_of
from ._limits import gb10_problems, gb10_warnings, place_within, profile_warnings
from ._placement import GPUS_PER_NODE, Node, Placement
from ._schema import check_env
from ._secrets import SECRET_FLAGS

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
    "ssl_certfile": "server_tls_certificate",
    "ssl_keyfile": "server_tls_key",
    "ssl_keyfile_password": "server_tls_key, without a passphrase",
    "enable_ssl_refresh": "server_tls_certificate",
    "config": "server_args",
}
# Servers that the gate can't ask: it speaks HTTP to a server that answers by itself.
UNGATED = ("grpc_mode", "smg_grpc_mode", "disaggregation_mode")


@dataclass(frozen=True)
class Request:
    """What the inventory asks for, before any node was looked at. `absent`: node -> why it can't take part.

    `prefix`: what stands before a key in the name of the variable that sets it for this instance. `start`: always or
    on-demand. `earlier`: the instances that take their memory before this one does.
    """

    cluster: str
    instance: str
    model: str
    nodes: tuple[Node, ...]
    models: t.Mapping[str, t.Any]
    images: t.Mapping[str, t.Any]
    tables: t.Mapping[str, FlagTable]
    port: int = 30000
    dist_port: int = 50000
    watch_port: int = 40000
    node_count: int = 0
    gpus: str = "all"
    transport: str = _fabric.RDMA
    args: t.Mapping[str, t.Any] = field(default_factory=dict)
    env: t.Mapping[str, t.Any] = field(default_factory=dict)
    image: str = ""
    sglang: str = ""
    model_root: str = ""
    encodings_dir: str = ""
    container: t.Mapping[str, t.Any] = field(default_factory=dict)
    start_timeout: int = 0
    patience: int = 120
    restarts: int = 3
    secrets: t.Mapping[str, str] = field(default_factory=dict)
    access: Access = field(default_factory=Access)
    absent: t.Mapping[str, str] = field(default_factory=dict)
    prefix: str = "server_"
    start: str = "always"
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """A request that the inventory and the catalogue allow. `tls`: the arguments with which rank 0 speaks TLS."""

    request: Request
    profile: Profile
    image: Image
    placement: Placement
    args: t.Mapping[str, t.Any]
    warnings: tuple[str, ...] = ()
    tls: t.Mapping[str, t.Any] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Whom clients ask."""
        return self.placement.head.host or self.placement.head.name

    @property
    def notes(self) -> tuple[str, ...]:
        """What the owner of keys and certificate should know on every run."""
        return notes_of(self.request.secrets, self.request.access, self.host)

    @property
    def model_path(self) -> str:
        """The model's folder on every node."""
        return f"{self.request.model_root}/{self.profile.path}"

    @property
    def encodings_path(self) -> str:
        """The folder of the tiktoken files on every node; empty for a model that needs none."""
        return self.request.encodings_dir if self.profile.encodings else ""

    @property
    def tp_size(self) -> int:
        """Over how many ranks each layer is split."""
        return int(self.args.get("tp_size") or self.placement.nnodes // int(self.args.get("pp_size") or 1))

    @property
    def source(self) -> dict[str, t.Any]:
        """Where the weights come from, and what else the engine reads or gets beside them."""
        names = ("repo", "revision", "include", "exclude", "gated", "encodings", "moe")
        values = ((name, getattr(self.profile, name)) for name in names)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values}

    @property
    def ports(self) -> dict[str, dict[str, int]]:
        """Node -> setting -> the port that must be free there. A worker answers at the API's port, too."""
        request, prefix = self.request, self.request.prefix
        several = self.placement.nnodes > 1
        watch = {f"{prefix}watch_port": request.watch_port} if several else {}
        everywhere = {f"{prefix}port": request.port, **watch}
        meeting = {f"{prefix}dist_port": request.dist_port} if several else {}
        on_head = {**everywhere, **meeting}
        return {node.name: on_head if node is self.placement.head else everywhere for node in self.placement.nodes}


def draft(request: Request) -> Draft:
    """Return the part of the plan that needs no look at the nodes. Raises SparkError with every reason against it.

    A model that can't be served at all is refused for that alone: nothing else matters then.
    """
    faults: list[Problem] = []
    profile = collect(faults, lambda: parse_profile(request.model, request.models))
    if profile and profile.refused:
        raise SparkError([refusal(profile, request.models, len(request.nodes))])
    problems = [
        Problem(
            f"Cluster {request.cluster} is in this run only in part: {node} {why}.",
            f"a server spans its whole cluster: run with --limit {request.cluster} or without a limit, or"
            f" take {node} out of the group.",
        )
        for node, why in sorted(request.absent.items())
    ]
    problems += _port_problems(request) + problems_of(request.secrets, request.access, request.prefix)
    problems += check_env("server_env", request.env) + faults
    if profile is None:
        raise SparkError(problems)
    image = collect(problems, lambda: choose(profile.image, request.images, request.image, request.sglang))
    version = image.sglang if image else ""
    asked_for = (request.cluster, request.nodes, request.node_count)
    placement = collect(problems, lambda: place_within(profile, version, request.models, *asked_for))
    if image is None or placement is None:
        raise SparkError(problems)
    asked = merge(profile.args, request.args)
    problems += [
        Problem(f"{name} is decided by the plan and can't be an argument.", f"set {OWNED[name]}.")
        for name in asked
        if name in OWNED
    ]
    problems += [
        Problem(f"{name} is {asked[name]!r}, and the gate can't ask such a server.", "leave it out.")
        for name in UNGATED
        if asked.get(name) not in (None, False, "null")
    ]
    args, warnings = merge(DEFAULT_ARGS, asked), profile_warnings(profile, version)
    table = table_of(image, request.tables)
    problems += limits_of(request.secrets, args, version, table)
    if table:
        secret_flags = {name: "x" for name in request.secrets if name in SECRET_FLAGS}
        refused = asked.keys() & OWNED.keys()
        checked = {key: value for key, value in {**args, **secret_flags}.items() if key not in refused}
        problems += flag_problems(checked, table, request.images, request.tables)
        args = spell_out(args, table)
    else:
        known = ", ".join(sorted(request.tables))
        warnings.append(f"flags are not checked: there is no table for SGLang {image.sglang} (there are {known}).")
    if args["mem_fraction_static"] is None:
        what = "mem_fraction_static is null, needed is a number: SGLang's own default takes 0.89 of the unified memory."
        problems.append(Problem(what, "leave it out for 0.75, or set it."))
    problems += _parallel_problems(args, placement, checked=table is not None)
    if request.gpus == "all":
        problems += gb10_problems(args)
        warnings += gb10_warnings(args)
    if problems:
        raise SparkError(problems)
    tls = tls_of(request.secrets, args, table)
    return Draft(request, profile, image, placement, args, tuple(warnings), tls)


def _port_problems(request: Request) -> list[Problem]:
    prefix = request.prefix
    ports = {
        f"{prefix}port": request.port,
        f"{prefix}dist_port": request.dist_port,
        f"{prefix}watch_port": request.watch_port,
    }
    problems = [
        Problem(f"{name} is {port}, needed is a number from 1 to 65535.", "30000, 50000 and 40000 are the usual ones.")
        for name, port in ports.items()
        if not 1 <= port <= 65535
    ]
    for port in sorted({port for port in ports.values() if list(ports.values()).count(port) > 1}):
        names = [name for name, other in ports.items() if other == port]
        told = f"{' and '.join(names)} are {'both' if len(names) == 2 else 'all'} {port}."
        problems.append(Problem(told, "give them different ports."))
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

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a service may be put beside what is on a node. Nothing that runs is stopped for it, and nothing replaced."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import Problem
from ..keeper._unit import instance_of
from ._systemd import Unit


@dataclass(frozen=True)
class Seen:
    """A node as a service finds it. `marked`: whether the unit's file is ours; `container`: who made the container of
    its name ("" for none, "ours", "theirs"); `owner` of its port; `servers`: our SGLang containers that run; `keepers`:
    the units that keep them; `engines`: other engines' units."""

    unit: Unit
    marked: bool = True
    container: str = ""
    owner: t.Mapping[str, t.Any] | None = None
    servers: tuple[str, ...] = ()
    keepers: tuple[Unit, ...] = ()
    engines: tuple[Unit, ...] = field(default_factory=tuple)


def problems_of(name: str, port: int, exclusive: bool, guarded: bool, seen: Seen) -> list[Problem]:
    """Return every reason against the service `name` at `port`. `exclusive`: it wants the GPU's memory for itself;
    `guarded`: it has a key, or was said to be open, or has its own way to keep people out."""
    found: list[Problem] = []
    if not guarded:
        what = f"{name} would answer anybody who reaches port {port}."
        found.append(Problem(what, f"set {name}_api_key (or {name}_api_key_file), or say {name}_open: true."))
    if seen.unit.path and not seen.marked:
        what = f"{seen.unit.name} is there already ({seen.unit.path}), and this collection did not write it."
        hint = f"take it away, if you don't need it: sudo systemctl disable --now {name} && sudo rm {seen.unit.path}"
        found.append(Problem(what, hint))
    if seen.container == "theirs":
        what = f"A container named {name} exists that this collection did not make."
        found.append(Problem(what, f"remove it: docker rm -f {name} (its volumes stay, and are used again)."))
    # Docker listens for the container in a process of its own, so a port can't tell whose it is. While the container of
    # our making runs, it is taken for its owner; docker run refuses a port that it is not.
    if seen.owner and not seen.container:
        who = seen.owner["process"] or "somebody"
        pid = seen.owner["pid"] or "unknown"
        found.append(Problem(f"Port {port} is taken by {who} (pid {pid}).", "stop it, or choose another port."))
    return found + (_engine_problems(seen) if exclusive else [])


def _engine_problems(seen: Seen) -> list[Problem]:
    """One engine has a Spark's memory. Who is kept for the next boot counts: it would come back then, and fight."""
    stop = "stop it first: ansible-playbook stop.yml (nothing that runs is stopped for another engine)."
    found = [Problem(f"The SGLang server {name} runs on this node.", stop) for name in seen.servers]
    for keeper in seen.keepers:
        instance = instance_of(keeper.name)
        if keeper.wanted and instance not in seen.servers:
            when = "is at work" if keeper.running else "starts at the next boot"
            found.append(Problem(f"The keeper of the SGLang server {instance} {when} ({keeper.name}).", stop))
    for unit in seen.engines:
        if unit.wanted and unit.has_gpu:
            name = unit.name.removesuffix(".service")
            when = "runs on this node" if unit.running else "starts at the next boot"
            hint = f"take it away first: ansible-playbook {name}.yml -e {name}_state=absent"
            found.append(Problem(f"{unit.name} {when}, and has the GPU's memory.", hint))
    return found

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instances of a cluster: the main one, which the variables server_* describe, and those of server_instances."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from .._errors import Problem, SparkError
from .._text import did_you_mean
from ._access import SETTINGS, settings
from ._catalogue import merge
from ._schema import Types, check_keys
from ._secrets import SECRETS

_T = t.TypeVar("_T")

VARIABLE = "server_instances"
MAIN = "sglang"
ALWAYS, ON_DEMAND = "always", "on-demand"
# What an instance can say for itself, each the variable server_* of the same name, and when it is started.
KEYS: dict[str, Types] = {
    "start": (str,),
    "model": (str,),
    "port": (int,),
    "dist_port": (int,),
    "watch_port": (int,),
    "nodes": (int,),
    "args": (dict,),
    "env": (dict,),
    "image": (str,),
    "sglang": (str,),
    "gpus": (str,),
    "transport": (str,),
    "mounts": (list,),
    "memory": (int,),
    "start_timeout": (int,),
    "stop_timeout": (int,),
    "patience": (int,),
    "restarts": (int,),
    **{name: (bool,) if name == "open" else (str,) for name in SETTINGS},
}
REQUIRED = ("model", "port")
CHOICES = {"start": (ALWAYS, ON_DEMAND), "gpus": ("all", "none"), "transport": ("rdma", "socket")}
# As far from the port as those of the main one are: 30000, 40000 and 50000.
PORTS = {"port": 0, "watch_port": 10000, "dist_port": 20000}
# What is about the main one's model is nobody else's, nor is its share of the memory.
FRESH: dict[str, t.Any] = {"model": "", "nodes": 0, "start_timeout": 0}
OWN_ARGS = ("mem_fraction_static",)
# It names a container (Docker: two characters at least), a systemd unit and files.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,62}")
# Containers of these names are those of the services beside the server (docs/beside.md).
_TAKEN = ("vllm", "ollama", "open-webui")


@dataclass(frozen=True)
class Instance:
    """One named server of a cluster. `options`: all that sglang_plan takes for it, the main one's where it has none.

    `earlier`: those that are always on and take their memory before it does, at a boot, too.
    """

    name: str
    options: t.Mapping[str, t.Any]
    start: str = ALWAYS
    main: bool = False
    earlier: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        return str(self.options["model"])

    @property
    def prefix(self) -> str:
        """What stands before a key in the name of the variable that sets it for this instance."""
        return "server_" if self.main else f"{VARIABLE}.{self.name}."


def parse_instances(main: str, given: t.Mapping[str, t.Any], raw: t.Mapping[str, t.Any]) -> tuple[Instance, ...]:
    """Return the instances of a cluster: the main one, named `main`, then the others as they are written.

    `given`: the options of the main one; without a model there is none, where there are others. `raw`:
    server_instances. Raises SparkError with every fault.
    """
    faults = _name_faults("server_instance", main)
    if main in raw:
        hint = f"choose another name there. To bring up that one alone: -e instance={main}."
        faults.append(Problem(f"{main!r} is server_instance, the main one, and in {VARIABLE}, too.", hint))
    written = {str(name): _written(entry) for name, entry in raw.items()}
    for name, entry in written.items():
        where = f"{VARIABLE}.{name}"
        faults += _name_faults(VARIABLE, name) + check_keys(where, entry, KEYS, REQUIRED, SECRETS)
        faults += _choice_faults(where, entry) if isinstance(entry, t.Mapping) else []
    if faults:
        raise SparkError(faults)
    found = [Instance(name, _over(given, own), own.get("start", ALWAYS)) for name, own in written.items()]
    if given["model"] or not found:
        found.insert(0, Instance(main, given, main=True))
    faults = _port_faults(found)
    if faults:
        raise SparkError(faults)
    always = [item.name for item in brought_up(found)]
    return tuple(
        replace(item, earlier=tuple(always[: always.index(item.name)] if item.name in always else always))
        for item in found
    )


def brought_up(instances: t.Iterable[Instance]) -> tuple[Instance, ...]:
    """Return those that are always on, in the order in which they are brought up: each finds the memory that those
    before it leave. None of a cluster whose instances are all started on demand."""
    return tuple(item for item in instances if item.start == ALWAYS)


def this_run(
    cluster: str, instances: t.Sequence[Instance], named: str, only: str = "", model: str = ""
) -> tuple[Instance, tuple[Instance, ...]]:
    """Return the instance to plan for, and those that this run brings up, in order.

    `named`: the one that is to be planned, if the cluster has it. `only` and `model`: the one that was asked for alone.
    """
    if only or model:
        one = alone(cluster, instances, only, model)
        return one, (one,)
    run = brought_up(instances)
    return next((item for item in instances if item.name == named), (*run, *instances)[0]), run


def alone(cluster: str, instances: t.Sequence[Instance], name: str, model: str = "") -> Instance:
    """Return the one instance that was asked for: by its `name`, with another `model` if one is given; or by its model.

    Raises SparkError that names those that the cluster has.
    """
    known = {item.name: item for item in instances}
    if name and name not in known:
        near = did_you_mean(name, known)
        hint = f"{near} Say which one with -e instance=NAME, or add it to {VARIABLE}; where only some clusters have it,"
        hint += " add --limit."
        raise SparkError(f"Cluster {cluster} has no instance {name!r}.", hint)
    if name:
        found = known[name]
        return replace(found, options={**found.options, "model": model}) if model else found
    serving = [item for item in instances if item.model == model]
    if len(serving) == 1:
        return serving[0]
    served = ", ".join(f"{item.name} ({item.model})" for item in instances)
    many = f"{len(serving)} instances that serve" if serving else "no instance that serves"
    hint = f"say which one is to serve it: -e instance=NAME -e model={model}. There are {served}."
    raise SparkError(f"Cluster {cluster} has {many} {model!r}.", hint)


def of_instance(instance: Instance, step: t.Callable[[], _T]) -> _T:
    """Run a step for an instance. What it refuses begins with the instance's name, where that is not the main one's."""
    try:
        return step()
    except SparkError as error:
        told = (Problem(f"Instance {instance.name}: {problem.what}", problem.hint) for problem in error.problems)
        raise error if instance.main else SparkError(told, **error.facts) from error


def _written(entry: t.Any) -> t.Any:
    """Return an entry without what is null: as if it were not written."""
    return {key: value for key, value in entry.items() if value is not None} if isinstance(entry, t.Mapping) else entry


def _over(given: t.Mapping[str, t.Any], own: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return an instance's options: what it says, then the ports that follow from its own, then the main one's."""
    shared = {key: value for key, value in given["args"].items() if key not in OWN_ARGS}
    fresh = {**FRESH, "sglang": ""} if "image" in own else FRESH
    ports = {key: own["port"] + far for key, far in PORTS.items()}
    said = {key: value for key, value in own.items() if key not in ("start", *SETTINGS)}
    return {**merge({**given, "args": shared, **fresh, **ports}, said), "access": settings(given["access"], own)}


def _name_faults(variable: str, name: str) -> list[Problem]:
    if _NAME.fullmatch(name) and name not in _TAKEN:
        return []
    needed = "needed are 2 to 63 letters, digits, '_', '.' and '-', a letter or digit first"
    if name in _TAKEN:
        needed = "which is that of a service beside the server"
    hint = "choose another name: a container, a unit of systemd and files have it."
    return [Problem(f"{variable} has the name {name!r}, {needed}.", hint)]


def _choice_faults(where: str, entry: t.Mapping[str, t.Any]) -> list[Problem]:
    return [
        Problem(
            f"{where}.{key} is {entry[key]!r}, needed is {' or '.join(choices)}.", did_you_mean(entry[key], choices)
        )
        for key, choices in CHOICES.items()
        if isinstance(entry.get(key), str) and entry[key] not in choices
    ]


def _port_faults(instances: t.Sequence[Instance]) -> list[Problem]:
    """Return ports out of range and ports of two: all of them are taken on the head. The main one's own are checked
    with its request."""
    faults: list[Problem] = []
    owner: dict[int, tuple[Instance, str]] = {}
    for item in instances:
        for key in (name for name in PORTS if name in item.options):
            port, setting = item.options[key], f"{item.prefix}{key}"
            if not item.main and not 1 <= port <= 65535:
                faults.append(Problem(f"{setting} is {port}, needed is a number from 1 to 65535.", "set it."))
            elif port in owner and not (item.main and owner[port][0].main):
                other, taken = owner[port]
                hint = f"give {item.name} another port (that of {other.name} is {other.options['port']})."
                faults.append(Problem(f"{other.prefix}{taken} and {setting} are both {port}.", hint))
            owner.setdefault(port, (item, key))
    return faults

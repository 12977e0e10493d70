# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collect what the inventory and the nodes say, and let the kernel make the plan. Nothing is asked of a node here."""

from __future__ import annotations

import datetime
import functools
import json
import typing as t
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_load
from ansible.utils.display import Display

from ..module_utils._errors import SparkError
from ..module_utils.fabric import _fabric
from ..module_utils.server._catalogue import merge
from ..module_utils.server._flags import FlagTable, parse_table
from ..module_utils.server._instances import MAIN, Instance, of_instance, parse_instances, this_run
from ..module_utils.server._observe import Probe, parse_probe
from ..module_utils.server._placement import Node
from ..module_utils.server._plan import finish
from ..module_utils.server._request import Draft, Request, draft
from ..plugin_utils import _access
from ..plugin_utils._inventory import fabric_addresses
from ..plugin_utils._planner import Planner
from ..plugin_utils._preload import preload

preload()

display = Display()

# Variables that nobody reads any longer, and what took their place: an inventory may still have them.
GONE = {
    "server_restart_policy": "keepers start all ranks together; when, say server_autostart, server_restarts and"
    " server_patience",
}
CONTAINER = ("cache_dir", "state_dir", "stop_timeout", "memory", "mounts")
ARGUMENTS: dict[str, t.Any] = {
    "stage": {"type": "str", "choices": ["draft", "plan"], "default": "draft"},
    "strict": {"type": "bool", "default": True},
    "catalogue": {"type": "path", "required": True},
    "cluster": {"type": "str", "default": ""},
    "instance": {"type": "str", "default": MAIN},
    "instances": {"type": "dict", "default": {}},
    "only": {"type": "str", "default": ""},
    "only_model": {"type": "str", "default": ""},
    "model": {"type": "str", "default": ""},
    "models": {"type": "dict", "default": {}},
    "images": {"type": "dict", "default": {}},
    "image": {"type": "str", "default": ""},
    "sglang": {"type": "str", "default": ""},
    "port": {"type": "int", "default": 30000},
    "dist_port": {"type": "int", "default": 50000},
    "watch_port": {"type": "int", "default": 40000},
    "nodes": {"type": "int", "default": 0},
    "gpus": {"type": "str", "choices": ["all", "none"], "default": "all"},
    "transport": {"type": "str", "choices": [_fabric.RDMA, _fabric.SOCKET], "default": _fabric.RDMA},
    "args": {"type": "dict", "default": {}},
    "env": {"type": "dict", "default": {}},
    "model_root": {"type": "str", "required": True},
    "encodings_dir": {"type": "str", "default": ""},
    "cache_dir": {"type": "str", "default": ""},
    "state_dir": {"type": "str", "default": "/etc/dgxspark-sglang"},
    "mounts": {"type": "list", "elements": "dict", "default": []},
    "memory": {"type": "int", "default": 0},
    "stop_timeout": {"type": "int", "default": 60},
    "start_timeout": {"type": "int", "default": 0},
    "patience": {"type": "int", "default": 120},
    "restarts": {"type": "int", "default": 3},
    "access": {"type": "dict", "default": {}, "options": _access.ARGUMENTS},
}


class ActionModule(Planner):
    """Makes the plan of this node's cluster. Every node of the cluster comes to the same one."""

    arguments = ARGUMENTS

    def _plan(self, args: dict[str, t.Any]) -> dict[str, t.Any]:
        cluster = self._cluster(args["cluster"])[0]
        team = self._instances(args)
        chosen, run = this_run(cluster, team, args["instance"], args["only"], args["only_model"])
        drafted = self._draft(chosen)
        before = [self._draft(item) for item in run[: run.index(chosen)]] if chosen in run else []
        wanted = {
            "instance": chosen.name,
            "start": chosen.start,
            "model": drafted.profile.name,
            "instances": [item.name for item in run],
            "before": [{"instance": item.request.instance, "model_path": item.model_path} for item in before],
            **self._whole(team, drafted),
            "image": drafted.image.name,
            "image_source": drafted.image.built_from,
            "image_parsers": list(drafted.image.parsers),
            "model_path": drafted.model_path,
            "source": drafted.source,
            "encodings_path": drafted.encodings_path,
            "args": dict(drafted.args),
            "tp_size": drafted.tp_size,
            "sglang": drafted.image.sglang,
            "memory_fraction": drafted.args["mem_fraction_static"],
            "ports": drafted.ports,
            "nodes": [node.name for node in drafted.placement.nodes],
        }
        if args["stage"] == "draft":
            gone = [
                f"{name} has no effect any longer: {instead}."
                for name, instead in GONE.items()
                if name in self.task_vars
            ]
            return {"draft": wanted, "warnings": [*drafted.notes, *gone]}
        involved = {node.name for item in (*before, drafted) for node in item.placement.nodes}
        probes = {node: self._probe(node, beside=bool(before)) for node in involved}
        # In check mode an image that would be pulled is not there yet.
        strict = args["strict"] and not self._task.check_mode
        plan = of_instance(chosen, lambda: finish(drafted, probes, strict, before))
        me = str(self.task_vars["inventory_hostname"])
        if me == plan["head"] and args["strict"] and (self._task.check_mode or display.verbosity):
            display.display("\n".join(plan["lines"]))
        return {"draft": wanted, "plan": plan, "mine": self._mine(plan, me)}

    @staticmethod
    def _mine(plan: dict[str, t.Any], me: str) -> dict[str, t.Any]:
        shared = {key: plan[key] for key in ("generation", "model", "nnodes")}
        return {**shared, **(plan["ranks"].get(me) or plan["idle"][me])}

    def _instances(self, args: dict[str, t.Any]) -> tuple[Instance, ...]:
        """Return the instances of the cluster. A task that names one of the others tells nothing of the main one."""
        known, others = self.task_vars["hostvars"][str(self.task_vars["inventory_hostname"])], args["instances"]
        stated = str(known.get("server_instance") or MAIN)
        return parse_instances(stated if args["instance"] in others else args["instance"], args, others)

    def _draft(self, instance: Instance) -> Draft:
        return of_instance(instance, lambda: draft(self._request(instance)))

    def _whole(self, team: t.Sequence[Instance], drafted: Draft) -> dict[str, t.Any]:
        """Return what all instances of the cluster need, whether this run brings them up or not."""
        known, refused = [], []
        for item in team:
            try:
                known.append(drafted if item.name == drafted.request.instance else self._draft(item))
            except SparkError as error:
                refused.append({"instance": item.name, **error.as_result()})
        members = {node.name for one in known for node in one.placement.nodes}
        return {
            "all_ports": {name: merge(*(one.ports.get(name, {}) for one in known)) for name in sorted(members)},
            "api_ports": [item.options["port"] for item in team],
            "model_paths": [one.model_path for one in known],
            "refused": refused,
        }

    def _request(self, instance: Instance) -> Request:
        args: dict[str, t.Any] = {**instance.options, "instance": instance.name}
        cluster, members = self._cluster(args["cluster"])
        models, images, tables = load_catalogue(Path(args["catalogue"]))
        now = datetime.datetime.now(datetime.timezone.utc)
        found = _access.find(args["access"], self.task_vars, self._loader, now)
        passed_on = ("instance", "model", "image", "sglang", "port", "dist_port", "gpus", "transport", "args", "env")
        return Request(
            cluster=cluster,
            nodes=self._nodes(members),
            models=merge(models, args["models"]),
            images=merge(images, args["images"]),
            tables=tables,
            node_count=args["nodes"],
            model_root=args["model_root"].rstrip("/"),
            encodings_dir=args["encodings_dir"].rstrip("/"),
            start_timeout=args["start_timeout"],
            watch_port=args["watch_port"],
            patience=args["patience"],
            restarts=args["restarts"],
            # What ends is started again by its keeper, with the other ranks, and not by Docker.
            container={**{key: args[key] for key in CONTAINER}, "restart_policy": "no"},
            secrets=found.secrets,
            access=found.access,
            absent=self._absent(members),
            prefix=instance.prefix,
            start=instance.start,
            earlier=instance.earlier,
            **{key: args[key] for key in passed_on},
        )

    def _cluster(self, name: str) -> tuple[str, list[str]]:
        me, groups = str(self.task_vars["inventory_hostname"]), self.task_vars["groups"]
        if not name:
            raise SparkError(
                f"{me} belongs to no cluster: spark_cluster is not set.",
                "set spark_cluster in the group variables of its cluster, to the name of that group.",
            )
        if me not in groups.get(name, ()):
            found = f"has {', '.join(groups[name])}" if name in groups else "does not exist"
            raise SparkError(
                f"spark_cluster of {me} is {name!r}, but the group {name!r} {found}.",
                "a cluster is one inventory group: put the node into it, or correct spark_cluster.",
            )
        return name, list(groups[name])

    def _nodes(self, members: list[str]) -> tuple[Node, ...]:
        hostvars = self.task_vars["hostvars"]
        addresses = fabric_addresses(hostvars, members)
        return tuple(
            Node(
                name=name,
                head=str(hostvars[name].get("spark_head") or ""),
                fabric_addresses=addresses[name],
                host=str(hostvars[name].get("ansible_host") or name),
            )
            for name in members
        )

    def _absent(self, members: list[str]) -> dict[str, str]:
        """Return who of the cluster is not in this run, and why. Ranks never depend on this; only the refusal does."""
        chosen, left = self.task_vars["ansible_play_hosts_all"], self.task_vars["ansible_play_hosts"]
        return {
            node: "is left out by --limit" if node not in chosen else "failed earlier in this run"
            for node in members
            if node not in left
        }

    def _probe(self, node: str, beside: bool) -> Probe:
        known = self.task_vars["hostvars"][node]
        names = ("server_looked", "model_looked", "image_pulled", "moe_configured")
        others = (known.get("server_beside") or {}).get("results", ()) if beside else ()
        folders = {one["item"]["instance"]: one["models"][0] for one in others if "models" in one}
        looked, model, image, moe = (known.get(name) for name in names)
        return parse_probe(node, looked, model, image, moe, folders)


@functools.lru_cache(maxsize=1)
def load_catalogue(folder: Path) -> tuple[dict[str, t.Any], dict[str, t.Any], dict[str, FlagTable]]:
    """Return the shipped models, images and flag tables: models/*.yml, images.yml and flags/*.json of `folder`."""
    models: dict[str, t.Any] = {}
    for path in sorted((folder / "models").glob("*.yml")):
        models.update(yaml_load(path.read_text(encoding="utf-8")))
    images = yaml_load((folder / "images.yml").read_text(encoding="utf-8"))
    tables = [
        parse_table(json.loads(path.read_text(encoding="utf-8"))) for path in sorted((folder / "flags").glob("*.json"))
    ]
    return models, images, {table.version: table for table in tables}

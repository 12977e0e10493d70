# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge every model of the catalogue for a cluster, by what the inventory and its nodes say."""

from __future__ import annotations

import typing as t
from dataclasses import asdict
from pathlib import Path

from ..module_utils.server._catalogue import merge
from ..module_utils.server._offer import Seen, asked, offer
from ..module_utils.server._request import Request
from . import sglang_plan

_REQUEST = ("instance", "image", "sglang", "gpus", "args", "env")
_SHARED = ("catalogue", "cluster", "models", "images", "nodes", "model_root", *_REQUEST)
ARGUMENTS: dict[str, t.Any] = {
    "stage": {"type": "str", "choices": ["list", "judge"], "default": "list"},
    **{name: sglang_plan.ARGUMENTS[name] for name in _SHARED},
}


class ActionModule(sglang_plan.ActionModule):
    """Knows clusters and their nodes as the plan does. Every node of a cluster comes to the same models."""

    arguments = ARGUMENTS

    def _plan(self, args: dict[str, t.Any]) -> dict[str, t.Any]:
        cluster, members = self._cluster(args["cluster"])
        models, images, tables = sglang_plan.load_catalogue(Path(args["catalogue"]))
        request = Request(
            cluster=cluster,
            model="",
            nodes=self._nodes(members),
            models=merge(models, args["models"]),
            images=merge(images, args["images"]),
            tables=tables,
            node_count=args["nodes"],
            model_root=args["model_root"].rstrip("/"),
            **{name: args[name] for name in _REQUEST},
        )
        if args["stage"] == "list":
            return {"paths": asked(request)}
        known = self.task_vars["hostvars"]
        seen = {
            node: Seen(known[node].get("server_looked"), known[node].get("server_models_looked")) for node in members
        }
        rows, remarks = offer(request, seen)
        return {"models": [asdict(row) for row in rows], "remarks": remarks}

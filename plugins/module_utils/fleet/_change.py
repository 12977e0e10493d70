# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a cluster has what is wanted of it already: it runs the plan, which has passed the gate there and is kept."""

from __future__ import annotations

import typing as t

from ._waves import Change


def change(
    plan: t.Mapping[str, t.Any],
    probes: t.Mapping[str, t.Mapping[str, t.Any]],
    outdated: t.Collection[str] = (),
) -> Change:
    """Return what a run would change of one instance.

    `plan`: made before anything was prepared; `probes`: node -> the probe of node_probe, of every node of the cluster;
    `outdated`: what is not on the nodes as the plan wants it (image, model), in words.
    """
    generation, ranks = str(plan["generation"]), list(plan["ranks"])
    found = {node: probes[node]["container"] for node in probes}
    running = [node for node in ranks if found[node] and found[node]["running"]]
    models = dict.fromkeys(str(found[node]["model"] or "unknown") for node in ranks if node in running)
    now, wanted = ", ".join(models), str(plan["model"])
    lost = [node for node in plan["idle"] if found[node]]
    good = [node for node in ranks if (probes[node]["last_good"] or {}).get("generation") == generation]
    why = ""
    if not running:
        why = "nothing runs"
    elif list(models) != [wanted]:
        why = "another model"
    elif any(found[node]["image"] != plan["image"] for node in running):
        why = "another image"
    elif any(found[node]["generation"] != generation for node in running):
        why = "other flags or settings"
    elif len(running) < len(ranks):
        why = f"{len(running)} of {len(ranks)} ranks run"
    elif outdated:
        why = f"{' and '.join(outdated)} to be brought"
    elif lost:
        why = f"{', '.join(lost)} to be idle"
    elif len(good) < len(ranks):
        why = "has not passed the gate"
    elif any(probes[node]["last_good"].get("keep") != rank["keep"] for node, rank in plan["ranks"].items()):
        why = "other settings of its keepers"  # no part of the generation: nothing restarts for them
    elif not all(probes[node]["keepers"].get(plan["instance"], {}).get("active") for node in ranks):
        why = "nobody keeps it running"  # an interrupted run has stopped them
    return Change(now, wanted, why)

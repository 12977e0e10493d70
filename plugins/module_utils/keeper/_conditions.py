# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rank needs before it can start: a start without it would only fail, or serve slowly."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ._kept import Kept
from ._types import LOOKING, PAUSING, STARTING, STOPPING, WAITING

# /sys/class/infiniband/*/ports/1/state of a port with a link.
_ACTIVE = "ACTIVE"
# Seconds after a boot in which the keepers of all instances have begun.
_BOOT = 30.0


@dataclass(frozen=True)
class Facts:
    """What was looked at. `rails`: RDMA device -> state of its port, empty where it is missing; `addresses`: address of
    this node's -> whether it has it; `listener`: why this keeper can't be heard; `image`: whether it is here, or not
    needed; `foreign`: whether somebody else's container has our name."""

    gpu: bool = True
    rails: t.Mapping[str, str] = field(default_factory=dict)
    addresses: t.Mapping[str, bool] = field(default_factory=dict)
    model: bool = True
    image: bool = True
    foreign: bool = False
    listener: str = ""


def unmet(kept: Kept, facts: Facts) -> tuple[str, ...]:
    """Return what a start has to wait for, in words for people."""
    found = []
    if facts.foreign:
        found.append(f"a container named {kept.settings.instance} is there that this collection did not make")
    if kept.gpus == "all" and not facts.gpu:
        found.append("the driver shows no GPU (/proc/driver/nvidia/gpus)")
    missing = [address for address in kept.addresses if not facts.addresses.get(address)]
    if missing:
        found.append(f"no interface has {', '.join(missing)}")
    down = [rail for rail in kept.rails if _ACTIVE not in facts.rails.get(rail, "")]
    if down:
        found.append(f"no link on {', '.join(down)}")
    if not facts.model:
        found.append(f"the model folder {kept.server['model_path']} is not there")
    if not facts.image:
        found.append(f"the image {kept.server['image']} ({kept.server['image_id'][7:19]}) is not there")
    if facts.listener:
        found.append(f"the other keepers can't ask this one: {facts.listener}")
    return tuple(found)


def first_others(others: t.Mapping[str, tuple[str, bool]], spent: float, limit: float) -> tuple[str, ...]:
    """Return which instances take their memory before this one, and have not done so yet.

    An engine shares out what is free when it starts: two that start at once would each count on all of it. `others`:
    instance -> state of its keeper (empty: it does not run), and whether it starts at boot; `spent`: seconds since this
    keeper began. One that loads is waited for, one that waits itself for at most `limit` seconds.
    """
    found = []
    for name, (state, at_boot) in others.items():
        coming = state in (LOOKING, WAITING, PAUSING, STOPPING) and spent < limit
        if state == STARTING or coming or (not state and at_boot and spent < _BOOT):
            found.append(f"{name} takes its memory first")
    return tuple(found)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One step of a keeper: from what it remembers and sees to what it does and says."""

from __future__ import annotations

from dataclasses import replace

from . import _head, _worker
from ._common import noticed, turn
from ._types import LEAVING, LOOKING, Memory, Seen, Settings, Turn

# A step takes milliseconds and comes every second.
GAP = 10.0


def step(settings: Settings, memory: Memory, seen: Seen, now: float) -> Turn:
    """Return what is remembered, done and said after a look. A keeper that has not seen its container yet waits."""
    if now - memory.looked > GAP:
        # Whoever was stopped for a while, or got no processor, has heard nobody: their silence is its own.
        memory = replace(memory, born=now)
    memory = replace(memory, looked=now)
    follow, leave = (_worker.step, _worker.leave) if settings.rank else (_head.step, _head.leave)
    if seen.leaving or memory.state == LEAVING:
        return leave(settings, noticed(memory, seen.own), seen, now)
    if memory.state == LOOKING:
        return turn(memory, f"Looks for its container. {seen.own.words}".rstrip())
    return follow(settings, noticed(memory, seen.own), seen, now)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keepers tell each other, one line of JSON for each question, and what one keeps for itself over a restart."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, fields

from ._types import Fall, Memory, Peer, Settings, Told

# An answer is a few hundred characters; more is not read.
LONGEST = 65536
_WORDS = 2000


def answer(settings: Settings, memory: Memory, words: str, since: float) -> dict[str, t.Any]:
    """Return what a keeper tells of itself to everybody. `since`: when its state was reached, in seconds since 1970."""
    return {
        "instance": settings.instance,
        "cluster": settings.cluster,
        "node": settings.node,
        "rank": settings.rank,
        "generation": memory.generation,
        "state": memory.state,
        "epoch": memory.epoch,
        "since": int(since),
        "words": words,
        "fall": asdict(memory.fall),
    }


def heard(settings: Settings, peer: Peer, text: str, now: float) -> Told | None:
    """Return what another keeper said; None for everything that is not the answer of that rank's keeper."""
    try:
        raw = json.loads(text)
        mine = (settings.instance, settings.cluster, peer.rank)
        if (raw["instance"], raw["cluster"], raw["rank"]) != mine:
            return None
        fall = raw["fall"]
        said: dict[str, t.Any] = {name: str(raw[name])[:_WORDS] for name in ("generation", "state", "epoch", "words")}
        ended = {name: str(fall[name])[:_WORDS] for name in ("epoch", "at", "words")}
        return Told(peer.rank, **said, fall=Fall(**ended, echo=bool(fall["echo"])), heard=now)
    except (ValueError, TypeError, KeyError):
        return None


def remembered(memory: Memory) -> str:
    return json.dumps(asdict(memory), sort_keys=True) + "\n"


def recall(text: str) -> Memory | None:
    """Return the memory in a file; None for none, and for one of another version."""
    try:
        raw = json.loads(text)
        values: dict[str, t.Any] = {item.name: raw[item.name] for item in fields(Memory)}
        return Memory(**{**values, "fall": Fall(**raw["fall"])})
    except (ValueError, TypeError, KeyError):
        return None

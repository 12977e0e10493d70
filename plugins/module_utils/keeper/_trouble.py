# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ends a start of all ranks: the head's judgement of its own rank, of its API, and of its workers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .._text import duration
from ._common import fallen, hears, named, sentence
from ._types import (
    ADOPTING,
    ENDED,
    LEAVING,
    LOOKING,
    READY,
    SERVING,
    STARTING,
    STOPPING,
    WAITING,
    Memory,
    Peer,
    Seen,
    Settings,
    Told,
)

# A worker asks its head every two seconds, and makes its container anew in less than this.
JOIN = 90.0
# /health is asked every fifteen seconds, and may take 25.
FRESH = 45.0
# A worker that is ready now has said so in one of its last answers.
AWAKE = 10.0


@dataclass(frozen=True)
class Trouble:
    """Why the ranks can't go on. `planned`: somebody wants it so, and it is no failure."""

    words: str
    planned: bool = False


def trouble(settings: Settings, memory: Memory, seen: Seen, now: float) -> Trouble | None:
    """Return why this start of all ranks is over; None while it may go on."""
    own, health = fallen(memory, seen), seen.health
    asked = health.start == memory.start
    if own:
        return Trouble(f"{named(settings.peers[0])} {sentence(own)}")
    if asked and health.refused:
        return Trouble(health.refused)
    for peer in settings.others:
        found = _worker(memory, peer, seen, now)
        if found:
            return found
    silent = now - max(health.at if asked else 0.0, memory.served, memory.born)
    # What has been healthy serves, though the keeper of a worker may be missing to take it over.
    serves = memory.state == SERVING or (memory.state == ADOPTING and asked and health.passed)
    if serves and silent > settings.patience:
        return Trouble(f"/health has not answered with 200 for {duration(silent)}.")
    if not serves and now - memory.begun > settings.start_limit:
        last = f" Last seen: {health.phase}." if health.phase else ""
        return Trouble(f"it did not serve within {duration(settings.start_limit)}.{last}")
    return None


def _worker(memory: Memory, peer: Peer, seen: Seen, now: float) -> Trouble | None:
    told, name, state = seen.told.get(peer.rank), named(peer), memory.state
    if not hears(memory, told, now):
        # A keeper may fail while its rank serves: nothing that is healthy is stopped.
        if state == ADOPTING or (state == SERVING and healthy(memory, seen, now)):
            return None
        silent = now - max(told.heard if told else 0.0, memory.born)
        return Trouble(f"{name}: its keeper has not answered for {duration(silent)}.")
    if told is None or told.state == LOOKING or told.generation != memory.generation:
        return None
    if told.state == LEAVING:
        return Trouble(f"{name} is being stopped.", planned=True)
    if memory.epoch and told.fall.epoch == memory.epoch:
        return Trouble(f"{name} {sentence(told.fall.words)}")
    idle = told.state in (READY, WAITING, STOPPING, ENDED) and (told.epoch != memory.epoch or not memory.epoch)
    if idle and state == ADOPTING:
        return Trouble(f"{name} does not run with the others.", planned=True)
    if idle and state == SERVING:
        return Trouble(f"{name} no longer runs: {told.words}")
    if state == STARTING and told.epoch != memory.epoch and now - memory.begun > JOIN:
        return Trouble(f"{name} has not started within {duration(JOIN)}: {told.words}")
    return None


def lacks(memory: Memory, peer: Peer, told: Told | None, now: float) -> str:
    """Return what a worker lacks for a start; empty when it is ready."""
    if told is None or told.missed or now - told.heard > AWAKE:
        return f"{peer.node}: its keeper does not answer"
    if told.generation != memory.generation:
        return (
            f"{peer.node}: it keeps another plan ({told.generation}, the head's is {memory.generation}); run site.yml"
        )
    return "" if told.state == READY else f"{peer.node}: {told.words}"


def healthy(memory: Memory, seen: Seen, now: float) -> bool:
    """Whether /health, which generates a token on all ranks, was 200 just now."""
    health = seen.health
    return health.passed and health.start == memory.start and now - health.at <= FRESH


def first(settings: Settings, memory: Memory, seen: Seen) -> str:
    """Return which rank was the first to end, and how; empty when none has said. The other ends are its echo."""
    falls = [(memory.fall, settings.peers[0])]
    falls += [(seen.told[peer.rank].fall, peer) for peer in settings.others if peer.rank in seen.told]
    known = [(fall, peer) for fall, peer in falls if memory.last and fall.epoch == memory.last and fall.at]
    if not known:
        return ""
    fall, peer = min(known, key=lambda item: (item[0].echo, item[0].at, item[1].rank))
    return f"{named(peer)} {sentence(fall.words)}"


def forgotten(memory: Memory) -> Memory:
    """Return the memory of a rank that belongs to no start any more."""
    return replace(memory, epoch="", before="", start="", served=0.0)

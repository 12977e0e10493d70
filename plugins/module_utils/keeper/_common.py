# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What heads and workers have in common: how a keeper begins, notices, tells, and acts."""

from __future__ import annotations

from dataclasses import replace

from ._types import (
    ABSENT,
    ADOPTING,
    FAILED,
    FOREIGN,
    LEAVING,
    LOOKING,
    OTHER,
    OTHER_UP,
    RETRY,
    RUNNING,
    SILENCE,
    STOPPED,
    UNKNOWN,
    UP,
    WAITING,
    Action,
    Memory,
    Own,
    Peer,
    Seen,
    Settings,
    Told,
    Turn,
)

_REPLACED = {
    ABSENT: "its container was removed",
    FOREIGN: "its container was replaced by one that this collection did not make",
    OTHER: "its container was replaced by one of another plan",
    OTHER_UP: "its container was replaced by one of another plan",
}


def resume(settings: Settings, earlier: Memory | None, own: Own, now: float) -> Memory:
    """Return the memory of a keeper that begins, `own` being what it finds.

    What an earlier keeper remembered holds as long as the container is the one that it knew. A container that somebody
    else has started since, as a run of Ansible does, is taken as it is: whether it serves is seen by its health.
    """
    if earlier and earlier.generation == settings.generation and earlier.state not in (LOOKING, LEAVING, FAILED):
        known = noticed(replace(earlier, born=now, said=""), own)
        if own.status != UP or own.start == known.start:
            return known
    failures = earlier.failures if earlier and earlier.generation == settings.generation else 0
    begin = Memory(settings.generation, WAITING, failures=failures, since=now, born=now)
    if own.status != UP:
        return begin
    return replace(begin, state=RUNNING if settings.rank else ADOPTING, start=own.start, begun=now)


def noticed(memory: Memory, own: Own) -> Memory:
    """Return the memory with the start that was asked for, once it is there."""
    if memory.epoch and not memory.start and own.status == UP and own.start != memory.before:
        return replace(memory, start=own.start)
    return memory


def fallen(memory: Memory, seen: Seen) -> str:
    """Return how the rank ended that this keeper had running or was starting; empty while it has not."""
    own = seen.own
    if seen.busy or own.status == UNKNOWN or not (memory.epoch or memory.start):
        return ""
    if memory.start:
        if own.status == UP:
            return "" if own.start == memory.start else "somebody started its container again"
        return _REPLACED.get(own.status, own.words)
    if seen.fault:
        return seen.fault
    return own.words if own.status == STOPPED and own.start != memory.before else ""


def moved(memory: Memory, state: str, now: float) -> Memory:
    return memory if memory.state == state else replace(memory, state=state, since=now, said="")


def act(memory: Memory, seen: Seen, action: Action, now: float) -> tuple[Memory, tuple[Action, ...]]:
    """Ask for an action, unless one is under way, or the same was asked for just now."""
    if seen.busy or (memory.tried >= memory.since and now - memory.tried < RETRY):
        return memory, ()
    return replace(memory, tried=now), (action,)


def turn(memory: Memory, words: str, actions: tuple[Action, ...] = (), event: str = "", aloud: bool = True) -> Turn:
    """Return a turn that tells how things stand, in the log only when that is news and `aloud`."""
    lines = (event,) if event else ()
    if aloud and words != memory.said:
        memory, lines = replace(memory, said=words), (*lines, words)
    return Turn(memory, actions, words, lines)


def hears(memory: Memory, told: Told | None, now: float) -> bool:
    """Whether another keeper is there. One that was never heard is waited for as long as one that fell silent."""
    return now - max(told.heard if told else 0.0, memory.born) <= SILENCE


def named(peer: Peer) -> str:
    return f"rank {peer.rank} on {peer.node}"


def sentence(words: str) -> str:
    return words.rstrip(".") + "."

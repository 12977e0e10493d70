# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker's part: its rank runs exactly as long as the head says so, for the start that the head says."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ._common import act, fallen, hears, moved, sentence, turn
from ._trouble import forgotten
from ._types import (
    ADOPTING,
    ENDED,
    EXIT,
    FAILED,
    LEAVING,
    LOOKING,
    READY,
    RUNNING,
    SERVING,
    SHORT_STOP,
    START,
    STARTING,
    STOP,
    STOPPING,
    UNKNOWN,
    UP,
    WAITING,
    Action,
    Fall,
    Memory,
    Seen,
    Settings,
    Told,
    Turn,
)

# A head that is being stopped, or was, has not been heard for three of its answers.
GONE = 6.0


@dataclass(frozen=True)
class Wish:
    """What the head wants of this rank: to run for `epoch`, or (empty) not to run. `hold`: to stay as it is.

    `why`: in words for people; `news`: whether they should find it in the log; `begun`: whether the head is at the
    beginning of that epoch, when a rank can still join.
    """

    epoch: str
    why: str
    hold: bool = False
    news: bool = False
    begun: bool = False


def wish(settings: Settings, memory: Memory, seen: Seen, now: float) -> Wish:
    """Return what the head wants, and what its silence means."""
    told, node = seen.told.get(0), settings.peers[0].node
    if told is None or not hears(memory, told, now):
        silent = not hears(memory, told, now)
        last = f"; it last said: {told.words.rstrip('.')}" if told and told.state == FAILED else ""
        last = ", but its API is healthy" if seen.head_serves else last
        why = f"the keeper of the head {node} does not answer{last}"
        return Wish("", why, hold=not silent or seen.head_serves, news=silent)
    if told.generation != memory.generation:
        why = f"the head {node} keeps another plan ({told.generation}, here it is {memory.generation}); run site.yml"
        return Wish("", why, news=True)
    why = f"the head {node} is {told.state}" + (f": {told.words.rstrip('.')}" if told.state == FAILED else "")
    hold, news = told.state in (ADOPTING, LOOKING), told.state == FAILED
    return Wish(told.epoch, why, hold, news, begun=told.state == STARTING)


def step(settings: Settings, memory: Memory, seen: Seen, now: float) -> Turn:
    """Follow the head."""
    wanted = wish(settings, memory, seen, now)
    if seen.own.status == UNKNOWN:
        return turn(memory, f"Docker does not answer. {seen.own.words}".rstrip())
    fall = fallen(memory, seen)
    event = ""
    if fall and memory.state not in (ENDED, STOPPING):
        memory = moved(replace(memory, fall=Fall(memory.epoch, seen.own.end, fall, seen.own.echo)), ENDED, now)
        event = f"Rank {settings.rank} {sentence(fall)}"
    if seen.own.runs:
        return _up(settings, memory, wanted, seen, now, event)
    return _down(settings, memory, wanted, seen, now, event)


def _up(settings: Settings, memory: Memory, wanted: Wish, seen: Seen, now: float, event: str) -> Turn:
    """A container of ours runs: either it is the one that is wanted, or it is stopped."""
    known = seen.own.status == UP and seen.own.start == memory.start and bool(memory.start)
    if known and not memory.epoch and wanted.epoch and _proven(seen.told.get(0)):
        memory, event = replace(memory, epoch=wanted.epoch), "Belongs to what the head serves, without a restart."
    if known and (wanted.hold or (memory.epoch and memory.epoch == wanted.epoch)):
        event = event or ("" if memory.state == RUNNING else "Its rank is up.")
        # What serves is the cluster: a rank that is up says no more than that until the head does.
        words = f"{'Runs' if _proven(seen.told.get(0)) else 'Its rank is up'}; {wanted.why}."
        return turn(moved(memory, RUNNING, now), words, (), event, aloud=wanted.news)
    if seen.busy or (wanted.hold and memory.state != ENDED):
        return turn(memory, f"Its rank is up; {wanted.why}.", (), event, aloud=False)
    if memory.state not in (STOPPING, ENDED):
        memory, event = moved(memory, STOPPING, now), event or f"Stops its rank: {wanted.why}."
    memory, actions = act(memory, seen, Action(STOP, SHORT_STOP), now)
    return turn(memory, f"Stops. {seen.fault}".rstrip(), actions, event, aloud=bool(seen.fault))


def _proven(head: Told | None) -> bool:
    """Whether the head's API has answered: then every rank that runs is one of its own."""
    return head is not None and head.state == SERVING


def _down(settings: Settings, memory: Memory, wanted: Wish, seen: Seen, now: float, event: str) -> Turn:
    """No container of ours runs: one is started when the head has begun a start that this rank has not had yet."""
    actions: tuple[Action, ...] = ()
    if memory.epoch and (memory.epoch == wanted.epoch or wanted.hold) and memory.state != STOPPING:
        if memory.state == ENDED:
            return turn(memory, f"Rank {settings.rank} {sentence(memory.fall.words)}", (), event, aloud=False)
        memory, actions = act(memory, seen, Action(START), now)
        return turn(moved(memory, STARTING, now), f"Starts; {wanted.why}.", actions, event, aloud=False)
    if seen.busy:
        return turn(memory, f"Stops; {wanted.why}.", (), event, aloud=False)
    if wanted.begun and wanted.epoch not in ("", memory.last) and not seen.unmet:
        memory = replace(forgotten(memory), epoch=wanted.epoch, before=seen.own.start)
        memory, actions = act(moved(memory, STARTING, now), seen, Action(START), now)
        return turn(memory, "Starts with the others.", actions, event)
    memory = moved(forgotten(replace(memory, last=memory.epoch or memory.last)), _idle(seen), now)
    words = f"Can't start: {'; '.join(seen.unmet)}." if seen.unmet else f"Ready; {wanted.why}."
    return turn(memory, words, (), event, aloud=bool(seen.unmet) or wanted.news)


def _idle(seen: Seen) -> str:
    return WAITING if seen.unmet else READY


def leave(settings: Settings, memory: Memory, seen: Seen, now: float) -> Turn:
    """Stop this rank for good, as asked, and leave the head the time to finish its requests before."""
    event = "" if memory.state == LEAVING else "Asked to stop: the head finishes its requests first."
    memory = moved(memory, LEAVING, now)
    spent = now - memory.since
    head = seen.told.get(0)
    together = head is not None and now - head.heard <= GONE and bool(memory.epoch) and head.epoch == memory.epoch
    if seen.own.runs and together and spent <= settings.stop_timeout + SHORT_STOP:
        return turn(memory, "Waits for the head to finish its requests.", (), event, aloud=False)
    late = spent > settings.stop_timeout + 6 * SHORT_STOP
    if (seen.own.runs or seen.busy or seen.own.status == UNKNOWN) and not late:
        memory, actions = act(memory, seen, Action(STOP, SHORT_STOP), now) if seen.own.runs else (memory, ())
        return turn(memory, f"Stops. {seen.fault}".rstrip(), actions, event, aloud=bool(seen.fault))
    words = "Stopped." if not late else f"Docker did not stop it in time. {seen.fault or seen.own.words}".rstrip()
    return turn(forgotten(memory), words, (Action(EXIT),), event)

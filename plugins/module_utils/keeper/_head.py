# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The head's part: it decides when all ranks start, and when none may run."""

from __future__ import annotations

from dataclasses import replace

from .._text import duration
from ._common import act, fallen, hears, moved, turn
from ._trouble import FRESH, Trouble, first, forgotten, healthy, lacks, trouble
from ._types import (
    ADOPTING,
    EXIT,
    FAILED,
    GAVE_UP,
    LEAVING,
    PAUSING,
    RUNNING,
    SERVING,
    SHORT_STOP,
    START,
    STARTING,
    STOP,
    STOPPED,
    STOPPING,
    TOGETHER,
    UNKNOWN,
    UP,
    WAITING,
    Action,
    Fall,
    Memory,
    Seen,
    Settings,
    Turn,
)

# Seconds before the next start after so many failed ones. The first lets every rank notice: rank 0 of 0.5.23 takes
# 5.3 s to see that another one has died.
PAUSES = (10.0, 60.0, 300.0)
# Who has served so long had no failed start.
PROVEN = 600.0
# Before a keeper gives up for good its workers have heard why: each asks every two seconds.
LINGER = 10.0
# One that was asked to stop waits no longer than that for them to notice.
FAREWELL = 5.0


def step(settings: Settings, memory: Memory, seen: Seen, now: float) -> Turn:
    """Decide for the whole cluster."""
    if memory.state in TOGETHER:
        why = trouble(settings, memory, seen, now)
        return _part(settings, memory, why, seen, now) if why else _hold(settings, memory, seen, now)
    if seen.own.runs or memory.state == STOPPING:
        return _stop(settings, memory, seen, now)
    if memory.state == PAUSING:
        return _pause(settings, memory, seen, now)
    if memory.state == FAILED:
        over = now - memory.since >= (LINGER if settings.others else 0.0)
        return turn(memory, _given_up(memory), (Action(EXIT, GAVE_UP),) if over else ())
    return _wait(settings, memory, seen, now)


def _hold(settings: Settings, memory: Memory, seen: Seen, now: float) -> Turn:
    """Go on with what runs: wait until it serves, and watch it then."""
    if memory.state == SERVING:
        return turn(memory, _serves(settings, memory, seen, now))
    if memory.state == ADOPTING:
        return _adopt(settings, memory, seen, now)
    if memory.start and healthy(memory, seen, now):
        memory = moved(replace(memory, served=now), SERVING, now)
        return _begun(settings, memory, seen, now, f"Serves, after {duration(now - memory.begun)}.")
    actions: tuple[Action, ...] = ()
    if not memory.start:
        memory, actions = act(memory, seen, Action(START), now)
    return turn(memory, f"Starts: {seen.health.phase or 'starting the container'}.", actions, aloud=False)


def _adopt(settings: Settings, memory: Memory, seen: Seen, now: float) -> Turn:
    """Take what runs as it is, once every rank has said that it runs, and the API that they do so together."""
    told = [(peer, seen.told.get(peer.rank)) for peer in settings.others]
    absent = [peer.node for peer, item in told if item is None or item.state != RUNNING]
    if absent or not healthy(memory, seen, now):
        what = f"the keeper of {', '.join(absent)} answers" if absent else "it is healthy"
        return turn(memory, f"Found its container running; takes it over as soon as {what}.")
    known = {item.epoch for _peer, item in told if item and item.epoch}
    epoch = known.pop() if len(known) == 1 else seen.token
    memory = moved(replace(memory, epoch=epoch, served=now), SERVING, now)
    return _begun(settings, memory, seen, now, "Serves; what ran was taken over without a restart.")


def _begun(settings: Settings, memory: Memory, seen: Seen, now: float, event: str) -> Turn:
    words = _serves(settings, memory, seen, now)
    return turn(replace(memory, said=words), words, event=event)


def _serves(settings: Settings, memory: Memory, seen: Seen, now: float) -> str:
    silent = [peer.node for peer in settings.others if not hears(memory, seen.told.get(peer.rank), now)]
    settled = now - max(memory.served, memory.born) > FRESH
    doubt = ", but /health does not answer" if settled and not healthy(memory, seen, now) else ""
    return f"Serves{doubt}" + (f"; no word from the keeper of {', '.join(silent)}." if silent else ".")


def _part(settings: Settings, memory: Memory, why: Trouble, seen: Seen, now: float) -> Turn:
    """End this start of all ranks."""
    served, fall = memory.state == SERVING, fallen(memory, seen)
    # A start that never served has failed; one that did is no failure, and proves nothing before it has lasted.
    failures = memory.failures + (not served and not why.planned)
    memory = replace(
        memory,
        last=memory.epoch,
        fall=Fall(memory.epoch, seen.own.end, fall, seen.own.echo) if fall else memory.fall,
        cause=why.words,
        planned=why.planned,
        failures=0 if served and now - memory.served >= PROVEN else failures,
    )
    return _stop(settings, moved(memory, STOPPING, now), seen, now, f"All ranks end: {why.words}")


def _stop(settings: Settings, memory: Memory, seen: Seen, now: float, event: str = "") -> Turn:
    """Stop this rank. The workers hold theirs until it has ended, so that it can finish what it is asked to finish."""
    if memory.state != STOPPING:
        event = "Rank 0 runs, but not with the others; it is stopped."
        memory = moved(replace(memory, planned=True, cause=event), STOPPING, now)
    if seen.own.runs or seen.busy or seen.own.status == UNKNOWN:
        limit = settings.stop_timeout if memory.planned else SHORT_STOP
        memory, actions = act(memory, seen, Action(STOP, limit), now) if seen.own.runs else (memory, ())
        trouble = seen.fault or (seen.own.words if seen.own.status == UNKNOWN else "")
        return turn(memory, f"Stops rank 0. {trouble}".rstrip(), actions, event, aloud=bool(trouble))
    pause = PAUSES[min(memory.failures, len(PAUSES) - 1)]
    memory = moved(replace(forgotten(memory), until=now + pause), PAUSING, now)
    return turn(memory, "Rank 0 is stopped, and the workers stop theirs.", event=event)


def _pause(settings: Settings, memory: Memory, seen: Seen, now: float) -> Turn:
    """Let every rank end, and find out which one was the first."""
    cause = "" if memory.planned else first(settings, memory, seen)
    event = f"It began there: {cause}" if cause and cause != memory.cause else ""
    memory = replace(memory, cause=cause or memory.cause)
    exhausted = memory.failures >= settings.restarts and not memory.planned
    if now < (memory.since + PAUSES[0] if exhausted else memory.until):
        words = "Looks for the cause." if exhausted else f"Starts all ranks in {duration(memory.until - now)}."
        return turn(memory, words, event=event, aloud=False)
    if exhausted:
        memory = moved(memory, FAILED, now)
        return turn(memory, _given_up(memory), event=event)
    return _wait(settings, moved(memory, WAITING, now), seen, now, event)


def _given_up(memory: Memory) -> str:
    count = f" after {memory.failures} failed start(s) in a row" if memory.failures else ""
    return f"Gave up{count}; no rank runs. The last time: {memory.cause}"


def _wait(settings: Settings, memory: Memory, seen: Seen, now: float, event: str = "") -> Turn:
    """Wait until every rank can start, however long that takes: a node may be off. Then start all of them."""
    memory = moved(memory, WAITING, now)
    needed = [f"{settings.node}: {what}" for what in seen.unmet]
    needed += [what for peer in settings.others if (what := lacks(memory, peer, seen.told.get(peer.rank), now))]
    # A run that works on the server holds its keeper; what is made anew here could be what a run has just taken away.
    # A rank that died while a run is at other work is started again: the lock of a dead run lasts for hours.
    anew = seen.own.status not in (STOPPED, UP)
    needed += [f"the cluster is locked by {seen.lock}"] if seen.lock and anew else []
    if needed or seen.busy or seen.own.status == UNKNOWN:
        words = f"Waits until every rank can start. {'; '.join(needed)}".rstrip()
        return turn(memory, words, event=event, aloud=bool(needed))
    memory = replace(forgotten(memory), epoch=seen.token, before=seen.own.start, begun=now)
    memory, actions = act(moved(memory, STARTING, now), seen, Action(START), now)
    again = f" ({memory.failures} failed start(s) in a row before)" if memory.failures else ""
    who = f"all {len(settings.peers)} ranks" if settings.others else "the server"
    return turn(memory, f"Starts {who}{again}.", actions, event)


def leave(settings: Settings, memory: Memory, seen: Seen, now: float) -> Turn:
    """Stop this rank for good, as asked: it finishes its requests first, and the workers hold until it has."""
    event = ""
    if memory.state != LEAVING:
        memory, event = (
            moved(replace(memory, until=0.0), LEAVING, now),
            "Asked to stop: it finishes its requests first.",
        )
    late = now - memory.since > settings.stop_timeout + 3 * SHORT_STOP
    if (seen.own.runs or seen.busy or seen.own.status == UNKNOWN) and not late:
        stop = Action(STOP, settings.stop_timeout)
        memory, actions = act(memory, seen, stop, now) if seen.own.runs else (memory, ())
        return turn(memory, f"Stops. {seen.fault}".rstrip(), actions, event, aloud=bool(seen.fault))
    memory = replace(forgotten(memory), until=memory.until or now + FAREWELL)
    heard = [told for peer in settings.others if (told := seen.told.get(peer.rank)) and now - told.heard < FAREWELL]
    # One that was leaving and no longer answers has ended itself: there is nobody to be told.
    heard = [told for told in heard if not (told.state == LEAVING and told.missed)]
    if any(told.epoch and told.state in (RUNNING, STARTING, LEAVING) for told in heard) and now < memory.until:
        return turn(memory, "Stopped; tells the workers.", (), event, aloud=False)
    words = "Stopped." if not late else f"Docker did not stop it in time. {seen.fault or seen.own.words}".rstrip()
    return turn(memory, words, (Action(EXIT),), event)

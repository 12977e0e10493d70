# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock of a cluster: which run works on it. Its head keeps it in a file, so that a second run is told.

Times are whole seconds since 1970 by the clock of the head.
"""

from __future__ import annotations

import datetime
import json
import typing as t
from dataclasses import asdict, dataclass, fields, replace

from .._errors import Problem
from .._text import duration


@dataclass(frozen=True)
class Holder:
    """A run of Ansible, and who started it where.

    `pid` and `birth` (in ticks since the boot; empty where it is not told) are those of its main process, in `place`:
    one boot of one machine, and one space of process IDs there. `run` is a name that no other run has.
    """

    user: str = ""
    host: str = ""
    pid: int = 0
    birth: str = ""
    place: str = ""
    run: str = ""


@dataclass(frozen=True)
class Lock:
    """What a holder says of its work: what for, since when, and after which second nobody need respect it."""

    cluster: str
    holder: Holder
    purpose: str
    since: int
    expires: int

    def text(self) -> str:
        """Return what stands in the file."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    def told(self, now: float) -> str:
        """Return who has it, since when, until when and what for, for people."""
        holder = self.holder
        purpose = f": {self.purpose}" if self.purpose else ""
        return (
            f"{holder.user}@{holder.host} (process {holder.pid}) since {clock(self.since)}"
            f" ({duration(max(0.0, now - self.since))} ago), until {clock(self.expires)} at the latest{purpose}"
        )


@dataclass(frozen=True)
class Decision:
    """`text`: of the file afterwards, empty for none; `held`: whether the lock is that of the run that asks.

    `refusal`: why it is not; `warning`: what a person should know when it is.
    """

    text: str
    held: bool
    warning: str = ""
    refusal: Problem | None = None


def read_lock(text: str) -> Lock | None:
    """Return the lock in a file, expired or not; None for a text that is none."""
    try:
        raw = json.loads(text)
        holder = Holder(**{item.name: raw["holder"][item.name] for item in fields(Holder)})
        lock = Lock(holder=holder, **{item.name: raw[item.name] for item in fields(Lock) if item.name != "holder"})
    except (ValueError, TypeError, KeyError):
        return None
    numbers = all(isinstance(number, int) for number in (lock.since, lock.expires, lock.holder.pid))
    return lock if numbers and isinstance(lock.cluster, str) else None


def parse_lock(text: str, now: float) -> Lock | None:
    """Return the lock that is in force at `now`; None for an empty file, one that is none, and one that has expired."""
    lock = read_lock(text)
    return lock if lock and now < lock.expires else None


def take(text: str, wanted: Lock, now: float, force: bool = False, gone: str = "") -> Decision:
    """Return who has the cluster after `wanted` was asked for. `text`: of the file, empty for none.

    `gone`: the name of a run that is known to have ended without giving its lock back.
    """
    found, warning = read_lock(text), ""
    if found is None:
        warning = f"The lock of cluster {wanted.cluster} could not be read, and was replaced." if text.strip() else ""
        return Decision(wanted.text(), True, warning)
    if found.holder.run == wanted.holder.run:  # it has it already: it needs longer
        purpose = wanted.purpose or found.purpose
        return Decision(replace(wanted, since=found.since, purpose=purpose).text(), True)
    who = f"cluster {wanted.cluster} was locked by {found.told(now)}"
    if found.holder.run == gone:
        warning = f"An interrupted run left its lock: {who}. Its process is gone."
    elif now >= found.expires:
        warning = f"A lock was not given back and has expired: {who}."
    elif force:
        warning = f"A lock was taken by force: {who}. Should that run be alive, two are at work."
    if warning:
        return Decision(wanted.text(), True, warning)
    hint = "wait until that run has ended, or add -e lock_force=true when you know that it is dead."
    refusal = Problem(f"Cluster {wanted.cluster} is locked by {found.told(now)}.", hint)
    return Decision(text, False, refusal=refusal)


def give_back(text: str, run: str) -> Decision:
    """Return what is left when a run gives back its lock. Whatever else the file says stays as it is."""
    found = read_lock(text)
    return Decision("" if found and found.holder.run == run else text, False)


def clock(seconds: float) -> str:
    """Return a time as people on machines in different time zones read it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def public(text: str) -> dict[str, t.Any]:
    """Return the lock in a file as data; empty for none."""
    lock = read_lock(text)
    return asdict(lock) if lock else {}

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a keeper knows: its settings, what it remembers, what it sees, and what it decides.

A keeper keeps one rank of one instance. Those of a cluster see to it together that all ranks run or none does. Times
are seconds of the node's monotonic clock, unless they are told to people or to other nodes.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

# States of a head and of a worker, and those that both can have.
LOOKING, WAITING, STARTING, STOPPING, LEAVING = "looking", "waiting", "starting", "stopping", "leaving"
ADOPTING, SERVING, PAUSING, FAILED = "adopting", "serving", "pausing", "failed"
READY, RUNNING, ENDED = "ready", "running", "ended"
# In these a head holds its ranks together: when one of them falls, all are started again.
TOGETHER = (ADOPTING, STARTING, SERVING)

# Status of a rank's own container; one of another generation is `other`, whether it runs is another matter.
UNKNOWN, ABSENT, FOREIGN, STOPPED, UP = "unknown", "absent", "foreign", "stopped", "up"
OTHER, OTHER_UP = "other", "other_up"

START, STOP, EXIT = "start", "stop", "exit"

# Another keeper that has not answered for so long is gone; it answers every two seconds.
SILENCE = 30.0
# A rank that is not asked to finish its requests gets so long for its last words.
SHORT_STOP = 5
# An action that led to nothing is tried again.
RETRY = 5.0
# Exit status of a keeper that has given up, or that has nothing to keep: systemd starts it again only when asked.
GAVE_UP = 3


@dataclass(frozen=True)
class Peer:
    """Another rank of the cluster, and where its keeper answers."""

    node: str
    rank: int
    address: str


@dataclass(frozen=True)
class Settings:
    """What the plan says of one rank and of its cluster. `peers`: all ranks in order, this one included.

    `start_limit`, `stop_timeout` and `patience` in seconds; `restarts`: failed starts in a row until the head gives up.
    """

    instance: str
    cluster: str
    generation: str
    rank: int
    peers: tuple[Peer, ...]
    start_limit: float
    stop_timeout: int
    patience: float
    restarts: int

    @property
    def node(self) -> str:
        return self.peers[self.rank].node

    @property
    def others(self) -> tuple[Peer, ...]:
        """Whom this keeper asks: a head its workers, a worker its head."""
        return self.peers[1:] if self.rank == 0 else self.peers[:1]


@dataclass(frozen=True)
class Own:
    """This rank's container. `start`: when it last started, as Docker says it, empty for never; `end`: when it ended.

    `words`: how it ended and what that means, or what Docker says instead; `echo`: another rank's end is behind it.
    """

    status: str = UNKNOWN
    start: str = ""
    end: str = ""
    words: str = ""
    echo: bool = False

    @property
    def runs(self) -> bool:
        return self.status in (UP, OTHER_UP)


@dataclass(frozen=True)
class Fall:
    """How a rank ended that was started for `epoch`. `at`: when, as Docker says it; `echo`: another's end caused it."""

    epoch: str = ""
    at: str = ""
    words: str = ""
    echo: bool = False


@dataclass(frozen=True)
class Told:
    """What the keeper of another rank last said. `heard`: when; `missed`: how often it was asked in vain since."""

    rank: int
    generation: str
    state: str
    epoch: str
    words: str
    fall: Fall = field(default_factory=Fall)
    heard: float = 0.0
    missed: int = 0


@dataclass(frozen=True)
class Health:
    """What the API of rank 0 answers. `start`: the start of the container that was asked; `at`: when /health was last
    200; `passed`: whether it has proven to be our server; `refused`: why it is another one; `phase`: how far it is."""

    start: str = ""
    at: float = 0.0
    passed: bool = False
    refused: str = ""
    phase: str = ""


@dataclass(frozen=True)
class Seen:
    """Everything that one step is decided from.

    `unmet`: what this rank lacks for a start; `busy`: whether an action is under way, or its outcome not yet looked at;
    `fault`: why the last action failed; `lock`: who works on the cluster; `head_serves`: whether the head's API is
    healthy, asked by a worker whose head is silent; `leaving`: this rank is to be stopped; `token`: for a new epoch.
    """

    own: Own = field(default_factory=Own)
    unmet: tuple[str, ...] = ()
    told: t.Mapping[int, Told] = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    busy: bool = False
    fault: str = ""
    lock: str = ""
    head_serves: bool = False
    leaving: bool = False
    token: str = ""


@dataclass(frozen=True)
class Memory:
    """What a keeper remembers from one step to the next, and over a restart of itself.

    epoch: the start of all ranks that this one's container belongs to; empty when to none, or to one that is not known.
    before, start: when the container last started before that epoch, and when for it (empty: not yet seen).
    last: the epoch that ended last. fall: how this rank ended. cause: why the head's ranks had to end.
    since, begun, served, until, tried, born: when the state was reached, the epoch began, it served, a pause is over,
    an action was last asked for, and the keeper itself began. planned: the end was asked for, and is no failure.
    said: what was last told to people. looked: when the last step was.
    """

    generation: str
    state: str = LOOKING
    epoch: str = ""
    before: str = ""
    start: str = ""
    last: str = ""
    fall: Fall = field(default_factory=Fall)
    cause: str = ""
    planned: bool = False
    failures: int = 0
    since: float = 0.0
    begun: float = 0.0
    served: float = 0.0
    until: float = 0.0
    tried: float = 0.0
    born: float = 0.0
    said: str = ""
    looked: float = 0.0


@dataclass(frozen=True)
class Action:
    """`start` this rank's container, `stop` it within `number` seconds, or `exit` with status `number`."""

    kind: str
    number: int = 0


@dataclass(frozen=True)
class Turn:
    """The outcome of a step. `words`: how things stand; `lines`: what has just happened, for the log."""

    memory: Memory
    actions: tuple[Action, ...] = ()
    words: str = ""
    lines: tuple[str, ...] = ()

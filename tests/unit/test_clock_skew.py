# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node whose clock is an hour off: who holds a cluster, which rank ended first and how old a server is, by numbers.

No simulated node can have such a clock: Linux gives a container none of its own.
"""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from ansible_collections.dgxspark.sglang.plugins.action import cluster_lock
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._trouble import first
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._types import (
    Fall,
    Memory,
    Peer,
    Seen,
    Settings,
    Told,
)
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._gate import FAILED, Report, root_cause
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._lock import Holder, Lock, take
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._status import rows_of

NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=datetime.timezone.utc)
SKEWS = [pytest.param(hours * 3600, id=f"{hours:+d} h") for hours in (-1, 0, 1)]


def stamp(seconds: float) -> str:
    """Return a time after noon as Docker says it."""
    return (NOW + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize(("age", "held"), [(60, False), (3599, False), (3600, True)])
def test_a_lock_is_as_old_as_the_head_says(skew: int, age: int, held: bool) -> None:
    taken = int(NOW.timestamp()) + skew
    other = Lock("pair", Holder("anna", "laptop", 1, "1", "one", "a"), "site.yml", taken, taken + 3600)
    mine = replace(other, holder=Holder("ben", "desk", 2, "2", "two", "b"))
    assert take(other.text(), mine, taken + age).held is held


def test_the_controller_tells_the_head_no_time() -> None:
    assert set(cluster_lock.this_run()) == {"user", "host", "pid", "birth", "place", "run"}


@pytest.mark.parametrize("skew", SKEWS)
def test_the_rank_that_ended_first_is_the_cause_whatever_its_clock_says(skew: int) -> None:
    """Rank 1 ended by itself, rank 0 five seconds later, because of it."""
    cause = Report("spark-02", 1, FAILED, "container", "killed", finished_at=stamp(skew))
    echo = Report("spark-01", 0, FAILED, "container", "connection reset", finished_at=stamp(5), echo=True)
    assert root_cause([echo, cause]) == cause


@pytest.mark.parametrize("skew", SKEWS)
def test_a_keeper_finds_the_same_cause(skew: int) -> None:
    peers = (Peer("spark-01", 0, "192.168.100.11"), Peer("spark-02", 1, "192.168.100.12"))
    settings = Settings("sglang", "pair", "g1", 0, peers, 420, 60, 120, 3)
    memory = Memory("g1", last="e1", fall=Fall("e1", stamp(5), "lost its connection", echo=True))
    told = Told(1, "g1", "ended", "", "", Fall("e1", stamp(skew), "was killed"))
    assert "spark-02" in first(settings, memory, Seen(told={1: told}))


@pytest.mark.parametrize(("skew", "shown"), [(-3600, "1 h 01 min"), (0, "1 min 00 s"), (3600, "-")])
def test_no_server_is_younger_than_nothing(skew: int, shown: str) -> None:
    """The age is that of the node's clock against the controller's: what can't be is not shown."""
    container = {
        **{"name": "sglang", "cluster": "pair", "rank": "0", "status": "running", "restart_count": 0},
        **{"model": "tiny-llama", "running": True, "started_at": stamp(skew - 60), "finished_at": stamp(0)},
    }
    probe = {"memory": {"available": 2**30}, "docker_error": "", "containers": [container]}
    (row,) = rows_of("spark-01", "pair", {"probe": probe}, NOW)
    assert row[7] == shown

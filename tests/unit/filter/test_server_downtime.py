# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.dgxspark.sglang.plugins.filter.server_downtime import server_downtime

NODES = ["spark-01", "spark-02", "spark-03"]


def hostvars(stop: float, start: float, load: float) -> dict[str, t.Any]:
    """Return two ranks, and an idle node that was cleared faster."""
    started = {"actions": ["start"], "seconds": {"stop": stop, "start": start}}
    rank = {"server_started": started, "server_gate": {"elapsed": load}}
    idle = {"server_started": {"actions": ["stop"], "seconds": {"stop": stop / 2, "start": 0.0}}}
    return {"spark-01": rank, "spark-02": rank, "spark-03": idle, "spark-04": {}}


def test_a_cluster_was_down() -> None:
    assert server_downtime(hostvars(8.0, 2.0, 30.0), NODES[:2], NODES) == {
        "stop": 8.0,
        "start": 2.0,
        "load": 30.0,
        "served": True,
        "total": 40.0,
        "text": "the endpoint was down 40 s: stop 8 s, start 2 s, load 30 s",
    }


def test_the_start_that_failed_before_counts() -> None:
    before = server_downtime(hostvars(8.0, 2.0, 30.0), NODES[:2], NODES)
    both = server_downtime(hostvars(0.0, 1.0, 20.0), NODES[:2], NODES, before)
    assert (both["total"], both["text"]) == (61.0, "the endpoint was down 1 min 01 s: stop 8 s, start 3 s, load 50 s")


def test_nothing_to_tell_where_nothing_was_done() -> None:
    found = server_downtime({node: {} for node in NODES}, NODES, NODES)
    assert (found["total"], found["text"]) == (0.0, "")

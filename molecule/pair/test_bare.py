# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two bare nodes: what a run would do, what it refuses, and a rank that dies while everybody waits."""

from __future__ import annotations

import time

import pytest

from molecule.cluster import PAIR


def test_check_tells_what_a_run_would_do() -> None:
    played = PAIR.play("site.yml", "--check")
    assert played.code == 0
    assert played.said("rank 0 spark-01: create and start")
    assert played.said("rank 1 spark-02: create and start")
    assert all(played.changed[node] > 0 for node in PAIR.nodes)


def test_check_touches_nothing() -> None:
    for node in PAIR.nodes:
        assert PAIR.run(node, "docker", "ps", "-aq") == ""
        assert PAIR.run(node, "docker", "images", "-q") == ""
        assert "absent" in PAIR.run(node, "sh", "-c", "test -e /etc/dgxspark-sglang || echo absent")


def test_a_dead_rank_ends_the_wait_at_once() -> None:
    process = PAIR.start("site.yml")
    try:
        _wait_for(lambda: "sglang" in PAIR.run("spark-02", "docker", "ps", "--format", "{{.Names}}"), 300)
        time.sleep(10)  # importing torch: neither rank is ready, both are being waited for
        pid = PAIR.run("spark-02", "pgrep", "--oldest", "--full", "^python3 -m sglang.launch_server").strip()
        assert process.poll() is None
        died = time.monotonic()
        PAIR.run("spark-02", "kill", "-KILL", pid)
        lines, told = [], 0.0
        for line in process.stdout or ():
            lines.append(line)
            told = told or ("Gate failed" in line and time.monotonic() - died)
        process.wait(timeout=60)
        ended = time.monotonic() - died
    finally:
        process.kill()
    output = "".join(lines)
    print(output, f"The gate told it {told:.1f} s after the death, and the play ended after {ended:.1f} s.", sep="\n")
    assert process.returncode != 0
    assert "Gate failed at step 'container' on spark-02 (rank 1)" in output
    assert "Nothing serves now" in output
    assert 0 < told < 3
    # Stopping what is left comes after that; on a quiet machine all of it takes two seconds.
    assert ended < 15


@pytest.mark.parametrize("node", PAIR.nodes)
def test_no_rank_is_left_running(node: str) -> None:
    assert PAIR.container(node)["State"]["Running"] is False


def _wait_for(true: object, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)

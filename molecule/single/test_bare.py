# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One bare node: what a run would do."""

from __future__ import annotations

from molecule.cluster import SINGLE


def test_check_tells_what_a_run_would_do_and_touches_nothing() -> None:
    played = SINGLE.play("site.yml", "--check")
    assert played.code == 0
    assert played.said("rank 0 spark-01: create and start", "tiny-llama would serve at")
    assert played.changed["spark-01"] > 0
    assert SINGLE.run("spark-01", "docker", "ps", "-aq") == ""

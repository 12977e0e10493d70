# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two nodes as they are unpacked: what the doctor says of them, the first contact, and what a run would do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from molecule.bare.first_state import kept, state
from molecule.cluster import PAIR


@pytest.fixture(scope="session", autouse=True)
def remembered() -> None:
    for node in PAIR.nodes:
        kept(node).write_text(json.dumps(state(node)))


@pytest.mark.parametrize("node", PAIR.nodes)
def test_the_nodes_are_bare(node: str) -> None:
    first = json.loads(kept(node).read_text())
    assert "docker" not in " ".join(first["groups"])
    assert first["rails"] == ["1500", "1500"]  # no address, and the MTU that every interface begins with
    assert not any("python3-docker " in line for line in first["packages"])
    assert PAIR.ssh(node, "10.254.88.12")[0] == 255


def test_the_doctor_tells_what_is_missing_and_who_repairs_it(tmp_path: Path) -> None:
    played = PAIR.play("doctor.yml", "--check", doctor_report=str(tmp_path), server_transport="rdma")
    assert played.code != 0
    assert played.changed == {"spark-01": 0, "spark-02": 0}
    found = {
        (finding["check"], node): finding["fixed_by"]
        for finding in json.loads((tmp_path / "pair.json").read_text())["findings"]
        for node in [finding["node"]]
        if finding["severity"] in ("fail", "warn")
    }
    for node in PAIR.nodes:
        assert found["docker-sdk", node] == "host"
        assert found["fabric-addresses", node] == "fabric"
        assert found["hotplug", node] == "fabric"
        assert found["memlock", node] == "host"


def test_a_run_would_tell_what_it_does_and_touches_nothing() -> None:
    played = PAIR.play("site.yml", "--check", "--diff")
    assert played.code == 0
    assert played.said("60-dgxspark-sglang.yaml", "192.168.100.11/24", "192.168.101.12/24", "member spark:docker")
    assert played.said("rank 0 spark-01: create and start", "rank 1 spark-02: create and start")
    assert all(played.changed[node] > 0 for node in PAIR.nodes)
    for node in PAIR.nodes:
        assert state(node) == json.loads(kept(node).read_text())

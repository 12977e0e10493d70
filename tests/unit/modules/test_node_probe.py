# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the look at a node tells of memory: which instance holds how much."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges import _held
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._container import LABEL, Observed
from ansible_collections.dgxspark.sglang.plugins.modules.node_probe import held_by
from ansible_collections.dgxspark.sglang.tests.unit.builders import observed


class Module:
    run_command: t.Any = None


def ours(name: str, number: int, status: str = "running") -> Observed:
    return replace(observed(), id=f"{number:012d}", status=status, labels={LABEL + "name": name})


HELD = {"000000000001": 70, "000000000002": 3, "000000000003": -1}
TEAM = [ours("chat", 1), ours("embed", 2), ours("code", 3), ours("old", 4, "exited")]


@pytest.mark.parametrize(
    ("mine", "held", "others"),
    [
        pytest.param(TEAM[0], 70, {"embed": 3, "code": 0}, id="one that runs"),
        pytest.param(TEAM[2], -1, {"chat": 70, "embed": 3}, id="one that can't be told"),
        pytest.param(TEAM[3], 0, {"chat": 70, "embed": 3, "code": 0}, id="one that is stopped"),
        pytest.param(None, 0, {"chat": 70, "embed": 3, "code": 0}, id="none"),
    ],
)
def test_the_memory_of_each_instance_is_told_by_its_name(
    monkeypatch: pytest.MonkeyPatch, mine: Observed | None, held: int, others: dict[str, int]
) -> None:
    monkeypatch.setattr(_held, "by_container", lambda run: HELD)
    assert held_by(t.cast(t.Any, Module()), mine, TEAM) == {"held": held, "others": others}

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back: after restore.yml the nodes are what they were, shown by comparing."""

from __future__ import annotations

import json

import pytest

from molecule.bare.first_state import kept, state
from molecule.cluster import PAIR


def test_check_tells_and_does_nothing() -> None:
    before = {node: state(node) for node in PAIR.nodes}
    played = PAIR.play("restore.yml", "--check")
    assert played.code == 0
    assert all(played.changed[node] > 0 for node in PAIR.nodes)
    assert {node: state(node) for node in PAIR.nodes} == before


def test_restore_succeeds() -> None:
    assert PAIR.play("restore.yml").code == 0


@pytest.mark.parametrize("node", PAIR.nodes)
def test_the_node_is_what_it_was(node: str) -> None:
    first, now = json.loads(kept(node).read_text()), state(node)
    for heading, lines in first.items():
        assert now[heading] == lines, heading


def test_a_second_restore_changes_nothing() -> None:
    played = PAIR.play("restore.yml")
    assert (played.code, set(played.changed.values())) == (0, {0})

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._recovery import Fallback, fallback


def good(generation: str = "good", nnodes: int = 2) -> dict[str, t.Any]:
    return {"generation": generation, "model": "tiny", "nnodes": nnodes}


@pytest.mark.parametrize(
    ("last_good", "failed", "changed", "expected"),
    [
        pytest.param(
            {"a": good(), "b": good()},
            "new",
            True,
            Fallback(True, "", "good", "tiny", ("a", "b")),
            id="every rank is known",
        ),
        pytest.param(
            {"a": {}, "b": {}}, "new", True, Fallback(False, "nothing has passed the gate here before"), id="none ever"
        ),
        pytest.param({}, "new", True, Fallback(False, "nothing has passed the gate here before"), id="no node"),
        pytest.param(
            {"a": good(), "b": {}},
            "new",
            True,
            Fallback(False, "only 1 of 2 ranks of the last good plan are known"),
            id="a rank is unknown",
        ),
        pytest.param(
            {"a": good(), "b": good("older")},
            "new",
            True,
            Fallback(False, "only 1 of 2 ranks of the last good plan are known"),
            id="the ranks are of two plans",
        ),
        pytest.param(
            {"a": good(), "b": good()},
            "good",
            True,
            Fallback(False, "the plan that failed is the one that was good before"),
            id="what was just started and failed is not tried again",
        ),
        pytest.param(
            {"a": good(), "b": good()},
            "good",
            False,
            Fallback(True, "", "good", "tiny", ("a", "b")),
            id="what had been running unhealthy is",
        ),
        pytest.param(
            {"a": good(nnodes=1), "b": {}},
            "new",
            True,
            Fallback(True, "", "good", "tiny", ("a",)),
            id="the other node was idle",
        ),
        pytest.param(
            {"a": good("newer", 1), "b": good("old")},
            "new",
            True,
            Fallback(True, "", "newer", "tiny", ("a",)),
            id="only a plan of which all ranks are known",
        ),
    ],
)
def test_what_a_cluster_can_go_back_to(
    last_good: dict[str, dict[str, t.Any]], failed: str, changed: bool, expected: Fallback
) -> None:
    assert fallback(last_good, failed, changed) == expected

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.filter.lock_refusal import lock_refusal


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        pytest.param({"held": True, "lock": {}}, "", id="this run has it"),
        pytest.param({"held": False, "lock": {"cluster": "alpha"}}, "", id="check mode has warned"),
        pytest.param(
            {
                "failed": True,
                "msg": "Alpha is locked by x.\n  Next step: wait.",
                "reason": "",
                "lock": {"a": 1},
            },
            "Alpha is locked by x.\n  Next step: wait.",
            id="another run has it",
        ),
        pytest.param(
            {"failed": True, "msg": "No.\n  Next step: use become: true.", "reason": "No."},
            "spark-01 failed in cluster_lock: No.\n  Next step: use become: true.",
            id="it could not be written",
        ),
        pytest.param(
            {"unreachable": True, "msg": "timeout"},
            "spark-01 can't be reached: timeout\n"
            "  Next step: check its power, network and ssh; every node of a cluster is needed.",
            id="unreachable",
        ),
        pytest.param(
            None,
            "spark-01 has no result of cluster_lock: --limit leaves it out, or it failed earlier in this run.\n"
            "  Next step: mend what failed before, and run it on all nodes of the cluster at once.",
            id="left out",
        ),
    ],
)
def test_why_a_run_did_not_get_the_lock(taken: dict[str, t.Any] | None, expected: str) -> None:
    assert lock_refusal({"spark-01": {"lock_taken": taken}, "spark-02": {}}, "spark-01") == expected


def test_a_head_that_is_no_node_is_told() -> None:
    assert lock_refusal({"spark-01": {}}, "spark-09").startswith("spark-09 has no result of cluster_lock")

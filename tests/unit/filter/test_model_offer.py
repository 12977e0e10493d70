# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.dgxspark.sglang.plugins.filter.model_offer import model_offer
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._offer import Row


def node(cluster: str, result: t.Any) -> dict[str, t.Any]:
    return {"spark_cluster": cluster, "server_offered": result}


def offered(name: str) -> dict[str, t.Any]:
    return {"models": [asdict(Row(name, fits="yes", ranks=1))], "remarks": [f"{name} is new."]}


def test_there_is_one_table_for_each_cluster() -> None:
    hostvars = {
        "spark-03": node("alpha", offered("tiny")),
        "spark-02": node("alpha", offered("tiny")),
        "spark-01": node("beta", offered("big")),
    }
    lines = model_offer(hostvars, ["spark-03", "spark-02", "spark-01"]).splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        *("alpha: 1 of 1 models fit", "MODEL", "tiny", "tiny is new."),
        "",
        *("beta: 1 of 1 models fit", "MODEL", "big", "big is new."),
    ]


def test_one_node_with_an_answer_is_enough() -> None:
    gone = {"failed": True, "msg": "No.", "reason": "No."}
    hostvars = {"spark-01": node("alpha", gone), "spark-02": node("alpha", offered("tiny"))}
    assert model_offer(hostvars, list(hostvars)).startswith("alpha: 1 of 1 models fit")


def test_a_cluster_without_an_answer_says_why() -> None:
    refused = {"failed": True, "msg": "It belongs to no cluster.", "reason": "It belongs to no cluster."}
    hostvars = {"spark-01": {"server_offered": refused}}
    assert model_offer(hostvars, ["spark-01"]) == "spark-01 failed in sglang_models: It belongs to no cluster."

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters pass on what the nodes say; who fetches is decided by the kernel."""

from __future__ import annotations

from ansible_collections.dgxspark.sglang.plugins.filter.model_course import model_course
from ansible_collections.dgxspark.sglang.plugins.filter.model_story import model_story

ABSENT = {"path": "/m/tiny", "whole": False, "bytes": 0, "revision": ""}
NODES = ["spark-01", "spark-02"]


def test_the_head_fetches_for_all() -> None:
    found = model_course({node: {"model_found": ABSENT} for node in NODES}, NODES, "spark-02")
    told = {"source": "spark-02", "fetch": True, "lacking": ["spark-01"], "reason": "", "differs": False}
    assert found == {**told, "complete": False}


def test_a_node_without_a_look_is_told() -> None:
    assert "spark-02" in model_course({"spark-01": {"model_found": ABSENT}, "spark-02": {}}, NODES)["reason"]


def test_what_has_come_has_no_story() -> None:
    assert model_story({"spark-01": {"model_started": ABSENT, "model_fetched": ABSENT}}, "spark-01") == ""


def test_a_refusal_is_told_with_its_node() -> None:
    refused = {"failed": True, "msg": "it is gated\n  Next step: a token.", "reason": "it is gated"}
    assert model_story({"spark-01": {"model_started": refused}}, "spark-01") == (
        "spark-01 failed in model_download: it is gated\n  Next step: a token."
    )
    started = {"model_started": ABSENT, "model_fetched": {"unreachable": True, "msg": "timed out"}}
    assert "can't be reached" in model_story({"spark-01": started}, "spark-01")

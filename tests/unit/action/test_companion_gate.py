# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service that starts is looked at again and again; what the loop does is tested with the download's."""

from __future__ import annotations

from ansible_collections.dgxspark.sglang.plugins.action.companion_gate import ActionModule


def test_it_asks_until_it_is_told_and_names_node_and_service() -> None:
    action = object.__new__(ActionModule)
    assert ActionModule.polled == (None,)
    assert action._subject({"name": "vllm"}, "spark-01") == "spark-01: vllm"

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ollama's names of models."""

from __future__ import annotations

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._ollama import full_name, missing


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("qwen3:8b", "qwen3:8b"),
        ("bge-m3", "bge-m3:latest"),
        ("me/mine", "me/mine:latest"),
        ("registry:5000/mine", "registry:5000/mine:latest"),
        ("registry:5000/mine:1", "registry:5000/mine:1"),
    ],
)
def test_a_name_without_a_tag_is_the_latest(given: str, full: str) -> None:
    assert full_name(given) == full


def test_what_is_missing_is_told_once() -> None:
    assert missing(["a", "b:1", "a:latest", "c"], ["c:latest", "b:2"]) == ["a:latest", "b:1"]

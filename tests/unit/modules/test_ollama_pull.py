# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ollama fetches what it lacks, and nothing else."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.modules import ollama_pull


def converge(
    monkeypatch: pytest.MonkeyPatch, known: list[str] | None, wanted: list[str], check_mode: bool = False
) -> tuple[dict[str, t.Any], list[str]]:
    pulled = list[str]()
    server = types.SimpleNamespace(models=lambda: known, pull=pulled.append)
    monkeypatch.setattr(ollama_pull, "Ollama", lambda host, port, patience: server)
    params = {"models": wanted, "host": "127.0.0.1", "port": 11434, "patience": 300}
    module = types.SimpleNamespace(params=params, check_mode=check_mode)
    return ollama_pull.converge(t.cast(t.Any, module)), pulled


def test_only_what_is_missing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    result, pulled = converge(monkeypatch, ["a:latest"], ["a", "b:1"])
    assert (result["changed"], result["fetched"], pulled) == (True, ["b:1"], ["b:1"])
    assert result["models"] == ["a:latest", "b:1"]
    assert result["diff"] == {"before": "a:latest\n", "after": "a:latest\nb:1\n"}
    again, pulled = converge(monkeypatch, result["models"], ["a", "b:1"])
    assert (again["changed"], pulled) == (False, [])


@pytest.mark.parametrize("known", [None, []])
def test_check_mode_tells_the_same_and_fetches_nothing(
    monkeypatch: pytest.MonkeyPatch, known: list[str] | None
) -> None:
    result, pulled = converge(monkeypatch, known, ["a"], check_mode=True)
    assert (result["changed"], result["fetched"], pulled) == (True, ["a:latest"], [])


def test_an_ollama_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SparkError, match="does not answer at port 11434"):
        converge(monkeypatch, None, ["a"])

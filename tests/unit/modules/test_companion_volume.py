# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A volume is told of, and goes only when it is asked for."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._volume import Volume
from ansible_collections.dgxspark.sglang.plugins.modules import companion_volume

FULL = Volume("open-webui", True, "/v", 2**30, 3)


def converge(
    monkeypatch: pytest.MonkeyPatch, found: Volume, check_mode: bool = False, **params: t.Any
) -> tuple[dict[str, t.Any], list[str]]:
    removed = list[str]()
    monkeypatch.setattr(companion_volume, "volume", lambda name: found)
    monkeypatch.setattr(companion_volume, "remove_volume", removed.append)
    given = {"name": "open-webui", "state": "looked", "leaving": [], **params}
    module = types.SimpleNamespace(params=given, check_mode=check_mode)
    return companion_volume.converge(t.cast(t.Any, module)), removed


def test_looking_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    result, removed = converge(monkeypatch, FULL)
    assert (result["changed"], removed) == (False, [])
    assert result["told"] == "The volume open-webui holds 1.0 GiB in 3 files (/v)."
    assert result["diff"]["before"] == result["diff"]["after"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_it_goes_and_check_mode_says_so(monkeypatch: pytest.MonkeyPatch, check_mode: bool) -> None:
    result, removed = converge(monkeypatch, FULL, check_mode, state="absent")
    assert (result["changed"], removed) == (True, [] if check_mode else ["open-webui"])
    assert result["diff"]["after"] == "The volume open-webui does not exist.\n"


def test_what_is_not_there_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    result, removed = converge(monkeypatch, Volume("open-webui"), state="absent")
    assert (result["changed"], removed) == (False, [])


def test_a_container_that_leaves_is_no_reason_in_check_mode_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    used = Volume("open-webui", True, "/v", users=("open-webui",))
    assert converge(monkeypatch, used, True, state="absent", leaving=["open-webui"])[0]["changed"]
    with pytest.raises(SparkError, match="is used by open-webui"):
        converge(monkeypatch, used, False, state="absent", leaving=["open-webui"])

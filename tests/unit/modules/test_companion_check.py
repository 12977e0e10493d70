# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the check answers, and that it tells all reasons."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._check import Seen
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._systemd import Unit
from ansible_collections.dgxspark.sglang.plugins.modules import companion_check

KEEPERS = (Unit("dgxspark-sglang@ondemand.service"), Unit("dgxspark-sglang@sglang.service"))


def check(monkeypatch: pytest.MonkeyPatch, seen: Seen, **params: t.Any) -> dict[str, t.Any]:
    monkeypatch.setattr(companion_check, "look", lambda run, name, port, state_dir: seen)
    given = {"name": "vllm", "port": 8000, "exclusive": True, "guarded": True, "state_dir": "/s", "folders": ["/m"]}
    module = types.SimpleNamespace(params={**given, **params}, run_command=None)
    return companion_check.check(t.cast(t.Any, module))


def test_a_free_node(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = check(monkeypatch, Seen(Unit("vllm.service"), keepers=KEEPERS))
    assert (answer["instances"], answer["folders"]) == (["ondemand", "sglang"], ["/m"])
    assert (answer["unit"]["name"], answer["unit"]["active"]) == ("vllm.service", "inactive")


def test_every_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(Unit("vllm.service"), container="theirs", servers=("sglang",))
    with pytest.raises(SparkError) as caught:
        check(monkeypatch, seen, guarded=False)
    assert len(caught.value.problems) == 3
    check(monkeypatch, Seen(Unit("vllm.service"), servers=("sglang",)), exclusive=False)

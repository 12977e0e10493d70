# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service is refused for: each reason alone, all of them together, and none for what is our own."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import Problem
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._check import Seen, problems_of
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._systemd import Unit

OWN = Unit("vllm.service", "active", enabled=True, path="/etc/systemd/system/vllm.service")
ABSENT = Unit("vllm.service")
LISTENER = {"pid": 812, "process": "nginx", "container_id": ""}
KEEPER = "dgxspark-sglang@sglang.service"
OLLAMA = Unit("ollama.service", "active", conflicts=(KEEPER,))


def refused(exclusive: bool = True, guarded: bool = True, **seen: t.Any) -> list[Problem]:
    return problems_of("vllm", 8000, exclusive, guarded, Seen(**{"unit": ABSENT, **seen}))


@pytest.mark.parametrize(
    "seen",
    [
        {},
        {"unit": OWN, "container": "ours", "owner": {**LISTENER, "process": "docker-proxy"}},
        {"keepers": (Unit(KEEPER),)},
        {"engines": (Unit("ollama.service"), Unit("ollama.service", "active"))},
    ],
)
def test_nothing_is_wrong_with_a_bare_node_and_with_what_is_our_own(seen: dict[str, t.Any]) -> None:
    assert refused(**seen) == []


@pytest.mark.parametrize(
    ("seen", "what", "hint"),
    [
        ({"unit": OWN, "marked": False}, "vllm.service is there already", "sudo systemctl disable --now vllm"),
        ({"container": "theirs"}, "A container named vllm", "docker rm -f vllm (its volumes stay"),
        ({"owner": LISTENER}, "Port 8000 is taken by nginx (pid 812).", "another port"),
        ({"owner": {"pid": 0, "process": ""}}, "Port 8000 is taken by somebody (pid unknown).", "another port"),
        ({"servers": ("sglang",)}, "The SGLang server sglang runs on this node.", "stop.yml"),
        ({"keepers": (Unit(KEEPER, "activating"),)}, f"server sglang is at work ({KEEPER}).", "stop.yml"),
        ({"keepers": (Unit(KEEPER, enabled=True),)}, "sglang starts at the next boot", "stop.yml"),
        ({"engines": (OLLAMA,)}, "ollama.service runs on this node", "ollama.yml -e ollama_state=absent"),
        ({"guarded": False}, "anybody who reaches port 8000", "vllm_api_key (or vllm_api_key_file)"),
    ],
)
def test_each_reason_is_told_with_its_next_step(seen: dict[str, t.Any], what: str, hint: str) -> None:
    (problem,) = refused(**seen)
    assert (what in problem.what, hint in problem.hint) == (True, True), problem


def test_a_server_and_its_keeper_are_one_reason() -> None:
    assert len(refused(servers=("sglang",), keepers=(Unit(KEEPER, "active", enabled=True),))) == 1


def test_what_is_no_engine_runs_beside_every_engine() -> None:
    assert refused(exclusive=False, servers=("sglang",), keepers=(Unit(KEEPER, "active"),), engines=(OLLAMA,)) == []


def test_all_reasons_are_told_at_once() -> None:
    seen = {"unit": OWN, "marked": False, "servers": ("sglang", "ondemand"), "engines": (OLLAMA,)}
    assert len(refused(guarded=False, **seen)) == 5

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd tells of units, and the command lines that it takes apart again."""

from __future__ import annotations

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._systemd import (
    Unit,
    parse_units,
    quoted,
)
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._unit import instance_of

# systemd 252: the order is its own, a unit that does not exist has no path.
SHOWN = """Result=exit-code
ExecMainStartTimestampMonotonic=481516234
ExecMainStatus=125
Id=vllm.service
Conflicts=shutdown.target dgxspark-sglang@sglang.service ollama.service
FragmentPath=/etc/systemd/system/vllm.service
UnitFileState=enabled
ActiveState=activating
SubState=auto-restart

Result=success
ExecMainStartTimestampMonotonic=0
ExecMainStatus=0
Id=ollama.service
Conflicts=
FragmentPath=
UnitFileState=
ActiveState=inactive
SubState=dead
"""


def test_units_as_systemctl_shows_them() -> None:
    vllm, ollama = parse_units(SHOWN)
    assert vllm == Unit(
        "vllm.service",
        "activating",
        "auto-restart",
        True,
        "/etc/systemd/system/vllm.service",
        ("shutdown.target", "dgxspark-sglang@sglang.service", "ollama.service"),
        "exit-code",
        125,
        481.516234,
    )
    assert ollama == Unit("ollama.service", result="success")


@pytest.mark.parametrize("text", ["", "\n", "Failed to connect to bus: No such file or directory\n"])
def test_where_there_is_no_systemd_there_are_no_units(text: str) -> None:
    assert parse_units(text) == ()


@pytest.mark.parametrize(
    ("unit", "running", "wanted", "has_gpu"),
    [
        (Unit("vllm.service"), False, False, True),
        (Unit("vllm.service", "failed", enabled=True), False, True, True),
        (Unit("ollama.service", "active"), True, True, False),
        (Unit("ollama.service", "activating", conflicts=("dgxspark-sglang@a.service",)), True, True, True),
        (Unit("ollama.service", "reloading", conflicts=("shutdown.target",)), True, True, False),
        (Unit("ollama.service", "deactivating"), False, False, False),
    ],
)
def test_what_a_unit_means_for_others(unit: Unit, running: bool, wanted: bool, has_gpu: bool) -> None:
    assert (unit.running, unit.wanted, unit.has_gpu) == (running, wanted, has_gpu)


def test_a_keeper_names_its_instance() -> None:
    assert instance_of(Unit("dgxspark-sglang@on-demand.service").name) == "on-demand"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["/usr/bin/docker", "run", "--publish=0.0.0.0:8000:8000"], "/usr/bin/docker run --publish=0.0.0.0:8000:8000"),
        (["a b"], '"a b"'),
        ([""], '""'),
        (["100%"], "100%%"),
        (["$HOME", "${A} b"], '$$HOME "$${A} b"'),
        (['{"a": 1}'], '"{\\"a\\": 1}"'),
        (["back\\slash"], '"back\\\\slash"'),
        (["two\nlines\tand"], '"two\\nlines\\tand"'),
        (["it's", ";", "*"], '"it\'s" ";" "*"'),
    ],
)
def test_words_stay_the_words_that_they_are(words: list[str], line: str) -> None:
    assert quoted(words) == line

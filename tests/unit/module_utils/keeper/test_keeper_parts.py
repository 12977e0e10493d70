# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keepers tell each other, what one remembers, what it waits for, and the files that make it a service."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import typing as t
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper import _bundle, _unit
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._conditions import Facts, first_others, unmet
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._head import leave
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._kept import Kept, parse_kept
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._told import answer, heard, recall, remembered
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._types import (
    FAILED,
    LEAVING,
    LOOKING,
    RUNNING,
    SERVING,
    STARTING,
    STOPPED,
    WAITING,
    Fall,
    Memory,
    Own,
    Peer,
    Seen,
    Told,
)
from ansible_collections.dgxspark.sglang.tests.unit.builders import REPO, observed
from ansible_collections.dgxspark.sglang.tests.unit.keepers import GENERATION, last_good, settings

ME = settings(1)
HEAD = Peer("spark-01", 0, "192.168.100.11")
SAID = Memory(GENERATION, SERVING, epoch="e1", fall=Fall("e0", "2026-11-21T02:05:00Z", "ended", True))


def kept(**changes: t.Any) -> Kept:
    return parse_kept(last_good(**changes), "sglang", lambda path: path.replace("~spark", "/home/spark"))


def test_what_is_told_is_heard() -> None:
    text = json.dumps(answer(settings(0), SAID, "Serves.", 1795226584.9))
    told = heard(ME, HEAD, text, 7.0)
    assert told
    assert (told.rank, told.generation, told.state, told.epoch) == (0, GENERATION, SERVING, "e1")
    assert (told.words, told.fall, told.heard) == ("Serves.", SAID.fall, 7.0)
    assert json.loads(text)["since"] == 1795226584


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "not json",
        json.dumps(answer(replace(settings(0), instance="other"), SAID, "", 0.0)),
        json.dumps(answer(replace(settings(0), cluster="beta"), SAID, "", 0.0)),
        json.dumps(answer(settings(1), SAID, "", 0.0)),
        json.dumps({**answer(settings(0), SAID, "", 0.0), "fall": None}),
    ],
    ids=["nothing", "empty", "list", "words", "another instance", "another cluster", "another rank", "no fall"],
)
def test_what_is_no_answer_of_that_keeper_s_is_not_heard(text: str) -> None:
    assert heard(ME, HEAD, text, 7.0) is None


def test_a_flood_of_words_is_cut() -> None:
    told = heard(ME, HEAD, json.dumps(answer(settings(0), SAID, "x" * 10000, 0.0)), 7.0)
    assert told
    assert len(told.words) == 2000


def test_what_is_remembered_is_recalled() -> None:
    assert recall(remembered(SAID)) == SAID


@pytest.mark.parametrize("text", ["", "{}", "null", '{"generation": "x"}', "{"])
def test_what_is_no_memory_is_none(text: str) -> None:
    assert recall(text) is None


def test_a_kept_plan_has_full_paths_and_both_ranks() -> None:
    found = kept()
    assert (found.server["model_path"], found.server["cache_dir"]) == ("/home/spark/ai/models/tiny", "")
    assert found.server["mounts"] == [{"source": "/home/spark/x", "target": "/x"}]
    assert (found.settings.node, [peer.node for peer in found.settings.others]) == ("spark-02", ["spark-01"])


def test_a_lone_rank_asks_nobody_and_is_asked_by_nobody() -> None:
    found = kept(peers=[{"node": "spark-01", "rank": 0, "address": ""}], rank=0)
    assert (found.watch_port, found.settings.others) == (0, ())


def test_what_is_expected_of_a_start_is_the_gate_s() -> None:
    expected = kept().expectation(observed(image_id="sha256:1"))
    assert (expected.generation, expected.image_id, expected.started_at) == (
        GENERATION,
        "sha256:1",
        "2026-11-21T02:03:04.500000000Z",
    )
    assert (expected.served_model_name, expected.rails, expected.tp_size) == ("tiny", ("rocep1s0f1",), 2)


def test_without_a_plan_nothing_is_kept() -> None:
    with pytest.raises(SparkError, match="no last good plan on this node"):
        parse_kept(None, "sglang", str)


def test_the_plan_of_an_older_version_is_named_as_such() -> None:
    with pytest.raises(SparkError, match="has no part for its keeper") as caught:
        parse_kept({**last_good(), "keep": None}, "sglang", str)
    assert caught.value.problems[0].hint == "an older version wrote it: run site.yml."


READY = Facts(rails={"rocep1s0f1": "4: ACTIVE"}, addresses={"192.168.100.12": True})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ()),
        ({"gpu": False}, ("the driver shows no GPU (/proc/driver/nvidia/gpus)",)),
        ({"rails": {"rocep1s0f1": "1: DOWN"}}, ("no link on rocep1s0f1",)),
        ({"rails": {}}, ("no link on rocep1s0f1",)),
        ({"addresses": {"192.168.100.12": False}}, ("no interface has 192.168.100.12",)),
        ({"model": False}, ("the model folder /home/spark/ai/models/tiny is not there",)),
        ({"image": False}, ("the image example/sglang:v0.5.23 (5a9d1c1f1a0b) is not there",)),
        ({"foreign": True}, ("a container named sglang is there that this collection did not make",)),
        (
            {"listener": "192.168.100.12 port 40000: Address already in use"},
            ("the other keepers can't ask this one: 192.168.100.12 port 40000: Address already in use",),
        ),
    ],
    ids=lambda value: next(iter(value), "all is there") if isinstance(value, dict) else "",
)
def test_what_a_start_lacks_is_told(changes: dict[str, t.Any], expected: tuple[str, ...]) -> None:
    assert unmet(kept(), replace(READY, **changes)) == expected


def test_an_engine_on_cpu_waits_for_no_gpu_and_one_on_sockets_for_no_rail() -> None:
    assert unmet(kept(gpus="none", rails=[]), replace(READY, gpu=False, rails={})) == ()


@pytest.mark.parametrize(
    ("state", "at_boot", "spent", "waits"),
    [
        (STARTING, True, 9999.0, True),
        (WAITING, True, 100.0, True),
        (WAITING, True, 500.0, False),
        (LOOKING, False, 1.0, True),
        (SERVING, True, 1.0, False),
        (FAILED, True, 1.0, False),
        ("", True, 10.0, True),
        ("", True, 40.0, False),
        ("", False, 10.0, False),
    ],
)
def test_instances_take_their_memory_one_after_the_other(state: str, at_boot: bool, spent: float, waits: bool) -> None:
    expected = ("first takes its memory first",) if waits else ()
    assert first_others({"first": (state, at_boot)}, spent, 430.0) == expected


def test_a_unit_and_its_instance_name_each_other() -> None:
    assert _unit.unit_of("on-demand") == "dgxspark-sglang@on-demand.service"
    assert _unit.instance_of("dgxspark-sglang@on-demand.service") == "on-demand"
    assert [_unit.instance_of(name) for name in ("", "docker.service", "dgxspark-sglang-return-host.service")] == [
        ""
    ] * 3


def test_the_unit_runs_the_program_and_never_gives_up_for_systemd() -> None:
    text = _unit.unit_text("/srv/state", 3)
    assert "ExecStart=/usr/bin/python3 -I /usr/local/lib/dgxspark-sglang/keeper.pyz /srv/state keep %i\n" in text
    for line in ("Type=notify", "Restart=always", "RestartPreventExitStatus=3", "Conflicts=vllm.service"):
        assert f"\n{line}\n" in text
    ordered = next(line for line in text.splitlines() if line.startswith("After="))
    # Without an order systemd would start the engine while the other one still has the memory.
    assert {"docker.service", "vllm.service", "ollama.service"} <= set(ordered.removeprefix("After=").split())
    assert "keeper.pyz /srv/state serve" in _unit.command_text("/srv/state")


REPLACE = ("create", "stop", "remove", "rename", "start")


@pytest.mark.parametrize(
    ("actions", "for_good", "active", "enabled", "expected"),
    [
        (REPLACE, False, False, True, REPLACE),
        (REPLACE, False, True, True, ("create", "hold", "stop", "remove", "rename", "start")),
        (("start",), False, True, True, ("hold", "start")),
        (("renew",), False, True, True, ("renew",)),
        ((), False, True, True, ()),
        (("stop",), True, True, True, ("disable", "stop")),
        ((), True, False, True, ("disable",)),
        ((), True, True, False, ("disable",)),
        (("stop", "remove"), True, False, False, ("stop", "remove")),
    ],
)
def test_a_keeper_is_held_before_its_container_is_touched(
    actions: tuple[str, ...], for_good: bool, active: bool, enabled: bool, expected: tuple[str, ...]
) -> None:
    assert _unit.with_keeper(actions, for_good, active, enabled) == expected


def sources() -> dict[str, str]:
    root = REPO / "plugins/module_utils"
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in root.rglob("*.py")}


def test_the_program_is_the_same_whenever_it_is_made() -> None:
    known = sources()
    assert _bundle.bundle(known) == _bundle.bundle(dict(reversed(known.items())))


def test_the_program_has_what_it_imports_and_nothing_of_ansible() -> None:
    names = zipfile.ZipFile(io.BytesIO(_bundle.bundle(sources()))).namelist()
    assert {"__main__.py", "dgxspark_sglang/edges/_keeper.py", "dgxspark_sglang/server/__init__.py"} <= set(names)
    assert [name for name in names if "/model/" in name or "doctor" in name] == []
    assert len(names) == len(set(names))


def test_every_way_of_importing_is_followed() -> None:
    known = {
        "edges/_keeper_main.py": "from ..a._b import c\nfrom . import _d\nfrom .._e import f\nimport os\n",
        "a/_b.py": "",
        "a/__init__.py": "",
        "edges/_d.py": "from __future__ import annotations\n",
        "edges/__init__.py": "",
        "_e.py": "",
        "edges/_unused.py": "",
    }
    assert _bundle.needed(known) == sorted(set(known) - {"edges/_unused.py"})


def test_an_import_that_leads_nowhere_is_no_program() -> None:
    with pytest.raises(KeyError):
        _bundle.needed({"edges/_keeper_main.py": "from ._gone import x\n", "edges/__init__.py": ""})


def test_the_program_runs_apart_from_everything_around_it(tmp_path: Path) -> None:
    """As systemd runs it: isolated, from a zip; here with nothing to keep."""
    program = tmp_path / "keeper.pyz"
    program.write_bytes(_bundle.bundle(sources()))
    command = [sys.executable, "-I", str(program), str(tmp_path), "keep", "sglang"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == "Instance sglang has no last good plan on this node.\n  Next step: run site.yml.\n"
    wrong = subprocess.run(command[:3], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stderr[:6]) == (2, "usage:")


@pytest.mark.parametrize(
    ("state", "missed", "waits"), [(LEAVING, 0, True), (LEAVING, 1, False), (RUNNING, 0, True), (RUNNING, 1, True)]
)
def test_a_head_that_is_stopped_tells_a_worker_and_waits_for_none_that_has_ended(
    state: str, missed: int, waits: bool
) -> None:
    worker = Told(1, GENERATION, state, "e1", "As it is.", heard=100.0, missed=missed)
    stopped = Seen(own=Own(STOPPED, "s1"), told={1: worker}, leaving=True)
    before = Memory(GENERATION, LEAVING, epoch="e1", start="s1", since=98.0)
    turn = leave(settings(0), before, stopped, 101.0)
    assert (turn.actions == (), turn.words) == (waits, "Stopped; tells the workers." if waits else "Stopped.")

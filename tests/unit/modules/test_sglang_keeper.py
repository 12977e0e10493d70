# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper as a service: installed, held and removed, on a systemd that only remembers."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges import _units
from ansible_collections.dgxspark.sglang.plugins.modules import sglang_keeper

PROGRAM = b"a program"
DIGEST = hashlib.sha256(PROGRAM).hexdigest()


class Systemd:
    """Units that are known, active or enabled; `refuses`: the word that fails."""

    def __init__(self, wants: Path) -> None:
        self.wants, self.active, self.failed, self.restarting = wants, set[str](), set[str](), set[str]()
        self.did: list[str] = []
        self.refuses = ""

    def run(self, command: list[str]) -> tuple[int, str, str]:
        word, unit = command[1], command[-1]
        if word == "show":
            state = "active" if unit in self.active else "failed" if unit in self.failed else "inactive"
            state = "activating" if unit in self.restarting else state
            enabled = "enabled" if (self.wants / unit).exists() else "disabled"
            return 0, f"ActiveState={state}\nUnitFileState={enabled}\nStatusText=It says = this.\n", ""
        if word == "list-units":
            known = [*(f"{unit} loaded active running x" for unit in sorted(self.active))]
            known += [f"{unit} loaded failed failed x" for unit in sorted(self.failed)]
            return 0, "".join(f"{line}\n" for line in known), ""
        self.did.append(" ".join(command[1:]))
        if self.refuses and self.refuses in self.did[-1]:
            return 1, "", "Job failed."
        if word == "reset-failed":
            self.failed.discard(unit)
        if word == "start":
            self.active.add(unit)
            self.tell(unit)
        if word == "reload":
            self.tell(unit)
        if word == "stop" or "--now" in command:
            self.active.discard(unit)
        if word == "enable":
            (self.wants / unit).touch()
        if word == "disable":
            (self.wants / unit).unlink(missing_ok=True)
        return 0, "", ""

    def tell(self, unit: str) -> None:
        """What a keeper does when it begins."""
        told = self.wants.parent / f"{unit.removeprefix('dgxspark-sglang@').removesuffix('.service')}.keeper.json"
        program = self.wants.parent / "lib/keeper.pyz"
        told.write_text(json.dumps({"program": hashlib.sha256(program.read_bytes()).hexdigest()}), encoding="utf-8")


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    """A node whose files of the keeper are in this test's folder."""
    (tmp_path / "wants").mkdir()
    for name, path in (("PROGRAM", "lib/keeper.pyz"), ("COMMAND", "bin/spark-serve"), ("UNIT_FILE", "unit@.service")):
        monkeypatch.setattr(_units, name, str(tmp_path / path))
        if hasattr(sglang_keeper, name):
            monkeypatch.setattr(sglang_keeper, name, str(tmp_path / path))
    monkeypatch.setattr(_units, "WANTS", str(tmp_path / "wants"))
    monkeypatch.setattr(
        _units, "told_files", lambda name: (str(tmp_path / name), str(tmp_path / f"{name}.keeper.json"))
    )
    (tmp_path / "program").write_bytes(PROGRAM)
    return Systemd(tmp_path / "wants")


class Module:
    def __init__(self, systemd: Systemd, tmp_path: Path, check: bool, **params: t.Any) -> None:
        self.check_mode, self.run_command = check, systemd.run
        given = {"name": "sglang", "state": "present", "enabled": True, "last_good": None, "digest": DIGEST}
        folders = {"state_dir": str(tmp_path / "state"), "source": str(tmp_path / "program")}
        self.params = {**given, **folders, **params}


def converge(systemd: Systemd, tmp_path: Path, check: bool = False, **params: t.Any) -> dict[str, t.Any]:
    return sglang_keeper.converge(t.cast(t.Any, Module(systemd, tmp_path, check, **params)))


UNIT = "dgxspark-sglang@sglang.service"
GOOD = {"generation": "0123456789ab", "server": {"model": "tiny"}}


def test_a_keeper_is_installed_enabled_and_started(systemd: Systemd, tmp_path: Path) -> None:
    result = converge(systemd, tmp_path)
    assert (result["changed"], result["actions"]) == (True, ["install", "enable", "start"])
    assert result["keeper"] == {"active": True, "enabled": True, "state": "active", "words": "It says = this."}
    assert systemd.did == ["daemon-reload", f"enable --quiet {UNIT}", f"start {UNIT}"]
    assert (tmp_path / "lib/keeper.pyz").read_bytes() == PROGRAM
    modes = [
        (tmp_path / path).stat().st_mode & 0o777 for path in ("lib/keeper.pyz", "bin/spark-serve", "unit@.service")
    ]
    assert modes == [0o755, 0o755, 0o644]
    assert str(tmp_path / "state") in (tmp_path / "unit@.service").read_text(encoding="utf-8")


def test_a_second_run_changes_nothing(systemd: Systemd, tmp_path: Path) -> None:
    converge(systemd, tmp_path)
    systemd.did.clear()
    result = converge(systemd, tmp_path)
    assert (result["changed"], result["actions"], systemd.did) == (False, [], [])


def test_the_plan_is_kept_before_the_keeper_starts_and_a_second_time_nothing_changes(
    systemd: Systemd, tmp_path: Path
) -> None:
    kept = tmp_path / "state" / "sglang.last_good.json"
    first = converge(systemd, tmp_path, last_good=GOOD)
    assert first["actions"] == ["keep", "install", "enable", "start"]
    assert (json.loads(kept.read_text(encoding="utf-8")), kept.stat().st_mode & 0o777) == (GOOD, 0o600)
    assert converge(systemd, tmp_path, last_good=GOOD)["changed"] is False
    assert converge(systemd, tmp_path)["changed"] is False  # without one, the plan stays
    kept.chmod(0o644)
    assert converge(systemd, tmp_path, last_good=GOOD)["actions"] == ["keep"]
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_check_keeps_no_plan(systemd: Systemd, tmp_path: Path) -> None:
    assert converge(systemd, tmp_path, check=True, last_good=GOOD)["actions"][0] == "keep"
    assert not (tmp_path / "state").exists()


def test_who_has_no_rank_any_longer_forgets_the_plan(systemd: Systemd, tmp_path: Path) -> None:
    converge(systemd, tmp_path, last_good=GOOD)
    assert "forget" in converge(systemd, tmp_path, state="absent")["actions"]
    assert not (tmp_path / "state" / "sglang.last_good.json").exists()
    assert converge(systemd, tmp_path, state="absent")["changed"] is False


def test_a_plan_that_can_not_be_written_is_told(systemd: Systemd, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file", encoding="utf-8")
    with pytest.raises(SparkError, match="The last good plan can't be written"):
        converge(systemd, tmp_path, last_good=GOOD)
    assert systemd.did == []


def test_a_new_program_takes_over_without_a_restart(systemd: Systemd, tmp_path: Path) -> None:
    converge(systemd, tmp_path)
    systemd.did.clear()
    (tmp_path / "program").write_bytes(b"new")
    result = converge(systemd, tmp_path, digest=hashlib.sha256(b"new").hexdigest())
    assert (result["actions"], systemd.did) == (["install", "reload"], ["daemon-reload", f"reload {UNIT}"])
    assert (tmp_path / "lib/keeper.pyz").read_bytes() == b"new"


def test_the_keeper_of_another_instance_takes_the_new_program_at_its_own_turn(systemd: Systemd, tmp_path: Path) -> None:
    """And so does one whose run was interrupted between the program and the reload."""
    converge(systemd, tmp_path)
    converge(systemd, tmp_path, name="ondemand")
    (tmp_path / "program").write_bytes(b"new")
    new = hashlib.sha256(b"new").hexdigest()
    converge(systemd, tmp_path, digest=new)
    assert converge(systemd, tmp_path, name="ondemand", digest=new)["actions"] == ["reload"]
    assert converge(systemd, tmp_path, name="ondemand", digest=new)["actions"] == []


def test_one_that_is_about_to_be_started_again_is_not_told_to_reload(systemd: Systemd, tmp_path: Path) -> None:
    converge(systemd, tmp_path)
    systemd.restarting.add(UNIT)
    (tmp_path / "program").write_bytes(b"new")
    assert converge(systemd, tmp_path, digest=hashlib.sha256(b"new").hexdigest())["actions"] == ["install"]


def test_people_may_read_the_program_whatever_the_umask_of_root_is(systemd: Systemd, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        converge(systemd, tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "lib").stat().st_mode & 0o777 == 0o755


def test_one_that_was_held_or_has_failed_is_started(systemd: Systemd, tmp_path: Path) -> None:
    converge(systemd, tmp_path)
    systemd.active.clear()
    systemd.failed.add(UNIT)
    assert converge(systemd, tmp_path)["actions"] == ["start"]


def test_one_that_is_not_to_start_at_boot_runs_all_the_same(systemd: Systemd, tmp_path: Path) -> None:
    assert converge(systemd, tmp_path, enabled=False)["actions"] == ["install", "start"]
    converge(systemd, tmp_path)
    assert converge(systemd, tmp_path, enabled=False)["actions"] == ["forgo"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_check_mode_tells_the_same_and_does_nothing(systemd: Systemd, tmp_path: Path, state: str) -> None:
    if state == "absent":
        converge(systemd, tmp_path)
        systemd.did.clear()
    before = sorted(tmp_path.rglob("*"))
    told = converge(systemd, tmp_path, check=True, state=state, source=None)
    assert (systemd.did, sorted(tmp_path.rglob("*"))) == ([], before)
    done = converge(systemd, tmp_path, state=state)
    assert (told["changed"], told["actions"], set(told)) == (done["changed"], done["actions"], set(done))


def test_with_the_last_instance_everything_goes(systemd: Systemd, tmp_path: Path) -> None:
    converge(systemd, tmp_path)
    converge(systemd, tmp_path, name="ondemand", enabled=False)
    assert converge(systemd, tmp_path, state="absent")["actions"] == ["disable", "forget"]
    assert (tmp_path / "lib/keeper.pyz").exists()
    result = converge(systemd, tmp_path, name="ondemand", state="absent")
    assert (result["actions"], result["keeper"]["active"]) == (["disable", "forget", "remove"], False)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["program"]
    assert not (tmp_path / "lib").exists()


def test_a_failed_keeper_of_another_instance_needs_its_program(systemd: Systemd, tmp_path: Path) -> None:
    converge(systemd, tmp_path)
    systemd.failed.add("dgxspark-sglang@ondemand.service")
    assert converge(systemd, tmp_path, state="absent")["actions"] == ["disable", "forget"]
    assert converge(systemd, tmp_path, name="ondemand", state="absent")["actions"] == ["disable", "remove"]
    assert (systemd.failed, _units.there()) == (set(), [])


def test_what_a_keeper_has_left_goes_with_it_though_a_run_has_stopped_it_before(
    systemd: Systemd, tmp_path: Path
) -> None:
    converge(systemd, tmp_path)
    _units.hold(systemd.run, "sglang", "disable")
    assert converge(systemd, tmp_path, state="absent")["actions"] == ["forget", "remove"]
    assert not (tmp_path / "sglang.keeper.json").exists()


def test_where_nothing_was_kept_nothing_is_asked(systemd: Systemd, tmp_path: Path) -> None:
    result = converge(systemd, tmp_path, state="absent")
    assert (result["changed"], systemd.did, _units.kept(systemd.run)) == (False, [], [])


def test_what_is_kept_is_known(systemd: Systemd, tmp_path: Path) -> None:
    converge(systemd, tmp_path)
    converge(systemd, tmp_path, name="ondemand", enabled=False)
    systemd.active.clear()
    assert _units.kept(systemd.run) == ["sglang"]


def test_a_refusal_says_where_to_look(systemd: Systemd, tmp_path: Path) -> None:
    systemd.refuses = "start"
    with pytest.raises(SparkError) as caught:
        converge(systemd, tmp_path)
    assert caught.value.as_result()["reason"] == f"`systemctl start {UNIT}` failed: Job failed."
    assert f"journalctl -u {UNIT}" in caught.value.as_result()["hint"]


def test_a_full_disk_is_told(systemd: Systemd, tmp_path: Path) -> None:
    (tmp_path / "lib").write_text("a file where a folder should be")
    with pytest.raises(SparkError, match="The keeper can't be installed"):
        converge(systemd, tmp_path)

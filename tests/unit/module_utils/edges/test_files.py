# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import stat
import types
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges._files import free_bytes, write_private


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sglang.secrets"


def test_files_are_written_and_that_is_a_change(folder: Path) -> None:
    assert write_private(str(folder), {"a": "1", "b": "2"}) is True
    assert content(folder) == {"a": "1", "b": "2"}


def test_files_are_for_their_owner_alone(folder: Path) -> None:
    write_private(str(folder), {"a": "1"})
    assert (mode(folder), mode(folder / "a")) == (0o700, 0o600)


def test_the_same_again_is_no_change(folder: Path) -> None:
    write_private(str(folder), {"a": "1"})
    assert write_private(str(folder), {"a": "1"}) is False


def test_a_new_content_is_a_change(folder: Path) -> None:
    write_private(str(folder), {"a": "1"})
    assert (write_private(str(folder), {"a": "2"}), content(folder)) == (True, {"a": "2"})


def test_a_file_that_is_no_longer_wanted_goes(folder: Path) -> None:
    write_private(str(folder), {"a": "1", "b": "2"})
    assert (write_private(str(folder), {"a": "1"}), content(folder)) == (True, {"a": "1"})


def test_the_folder_stays_the_same_one_because_a_container_has_it_mounted(folder: Path) -> None:
    write_private(str(folder), {"a": "1"})
    before = folder.stat().st_ino
    write_private(str(folder), {"b": "2"})
    assert folder.stat().st_ino == before


def test_nothing_wanted_removes_the_folder(folder: Path) -> None:
    write_private(str(folder), {"a": "1"})
    assert (write_private(str(folder), {}), folder.exists()) == (True, False)


def test_nothing_wanted_and_nothing_there_is_no_change(folder: Path) -> None:
    assert write_private(str(folder), {}) is False


def test_a_folder_that_is_not_there_yet_has_the_room_of_the_one_above_it(tmp_path: Path) -> None:
    assert 0 < free_bytes(str(tmp_path / "not" / "there")) <= shutil.disk_usage(tmp_path).total


@pytest.mark.parametrize("path", ["not/there", ""])
def test_some_of_the_room_is_for_root_alone(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = types.SimpleNamespace(f_bfree=10, f_bavail=8, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda asked: found)
    assert (free_bytes(path, reserved=True), free_bytes(path)) == (40960, 32768)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges._locks import LockFile


def somebody_has(folder: Path) -> bool:
    """Whether a second one would have to wait."""
    descriptor = os.open(folder / ".alone", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_a_second_one_waits_until_the_first_has_written(tmp_path: Path) -> None:
    with LockFile(str(tmp_path), "alpha").alone():
        inside = somebody_has(tmp_path)
    assert (inside, somebody_has(tmp_path)) == (True, False)


def test_whoever_fails_has_let_go_of_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError), LockFile(str(tmp_path), "alpha").alone():
        raise ValueError
    assert not somebody_has(tmp_path)


def test_only_root_could_let_others_wait(tmp_path: Path) -> None:
    with LockFile(str(tmp_path), "alpha").alone():
        pass
    assert stat.S_IMODE((tmp_path / ".alone").stat().st_mode) == 0o600


def test_the_folder_is_made(tmp_path: Path) -> None:
    with LockFile(f"{tmp_path}/run/dgxspark-sglang", "alpha").alone():
        assert (tmp_path / "run/dgxspark-sglang").is_dir()


def test_a_lock_is_written_for_everybody_to_read_and_removed(tmp_path: Path) -> None:
    file = LockFile(str(tmp_path), "alpha")
    file.write("{}")
    mode = stat.S_IMODE((tmp_path / "alpha.lock").stat().st_mode)
    written = file.text()
    file.write("")
    assert (written, mode, file.text(), list(tmp_path.iterdir())) == ("{}", 0o644, "", [])


def test_to_remove_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    LockFile(str(tmp_path), "alpha").write("")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cluster", ["", ".", "..", "../etc/passwd", "a/b", ".alpha", "a b", "alpha\n"])
def test_a_name_that_can_be_no_file_is_refused(cluster: str) -> None:
    with pytest.raises(SparkError, match="needed are letters, digits"):
        LockFile("/nowhere", cluster)


@pytest.mark.parametrize("cluster", ["alpha", "rack_7-b.2", "größe"])
def test_a_name_of_a_group_is_a_file(cluster: str) -> None:
    assert LockFile("/nowhere", cluster).path == f"/nowhere/{cluster}.lock"


def test_a_folder_that_can_not_be_made_is_told_with_what_helps(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SparkError) as caught, LockFile(f"{tmp_path}/file", "alpha").alone():
        raise AssertionError("nobody is alone here")
    assert (caught.value.problems[0].what[:9], caught.value.problems[0].hint) == ("The lock ", "use become: true.")

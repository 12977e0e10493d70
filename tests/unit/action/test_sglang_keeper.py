# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's program is made on the controller and brought to the node."""

from __future__ import annotations

import hashlib
import posixpath
import typing as t
from types import SimpleNamespace

import pytest
from ansible_collections.dgxspark.sglang.plugins.action import sglang_keeper
from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._bundle import bundle


class Action(sglang_keeper.ActionModule):
    """The action without a node: it keeps what it would bring, and what it would hand to the module."""

    def __init__(self, check: bool = False, **args: t.Any) -> None:
        self._task = SimpleNamespace(args=args, check_mode=check)
        self._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp/x", join_path=posixpath.join))
        self.given: dict[str, t.Any] = {}
        self.brought: dict[str, bytes] = {}
        self.removed: list[str] = []

    def _transfer_data(self, remote_path: str, data: bytes) -> str:
        self.brought[remote_path] = data
        return remote_path

    def _fixup_perms2(self, remote_paths: t.Any, remote_user: t.Any = None, execute: bool = True) -> None:
        assert all(path.startswith("/tmp/x") for path in remote_paths)

    def _remove_tmp_path(self, tmp_path: str, force: bool = False) -> None:
        self.removed.append(tmp_path)

    def _execute_module(
        self, module_args: dict[str, t.Any], task_vars: t.Any = None, **rest: t.Any
    ) -> dict[str, t.Any]:
        self.given = module_args
        return {"changed": True}


@pytest.fixture(autouse=True)
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sglang_keeper.ActionBase, "run", lambda self, tmp=None, task_vars=None: {})


def test_the_program_is_brought_with_its_digest() -> None:
    action = Action(name="sglang")
    assert action.run() == {"changed": True}
    [program] = list(action.brought.values())
    assert program == bundle(sglang_keeper.sources(sglang_keeper._SOURCES))
    assert action.given == {
        "name": "sglang",
        "digest": hashlib.sha256(program).hexdigest(),
        "source": "/tmp/x/keeper.pyz",
    }
    assert action.removed == ["/tmp/x"]


def test_check_mode_brings_nothing_and_knows_the_digest() -> None:
    action = Action(check=True, name="sglang", state="present")
    action.run()
    assert (action.brought, set(action.given)) == ({}, {"name", "state", "digest"})


def test_who_is_to_keep_nothing_needs_no_program() -> None:
    action = Action(name="sglang", state="absent")
    action.run()
    assert (action.brought, action.given) == ({}, {"name": "sglang", "state": "absent"})

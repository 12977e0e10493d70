# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of sglang_keeper: the keeper's program is made of this collection, and brought to the node."""

from __future__ import annotations

import hashlib
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase

from ..module_utils.keeper._bundle import bundle

_SOURCES = Path(__file__).parents[1] / "module_utils"


class ActionModule(ActionBase):
    """Packs the program, brings it, and runs the module on the node. The same collection gives the same program."""

    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        if args.get("state", "present") == "present":
            program = bundle(sources(_SOURCES))
            args["digest"] = hashlib.sha256(program).hexdigest()
            if not self._task.check_mode:
                args["source"] = self._bring(program)
        try:
            return {**result, **self._execute_module(module_args=args, task_vars=task_vars)}
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _bring(self, program: bytes) -> str:
        shell = self._connection._shell
        path = str(shell.join_path(shell.tmpdir, "keeper.pyz"))
        self._transfer_data(path, program)
        self._fixup_perms2((shell.tmpdir, path))
        return path


def sources(folder: Path) -> dict[str, str]:
    """Return path below `folder` -> text of every source there."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))
    }

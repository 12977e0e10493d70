# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of the doctor's look: it knows what time it was here, before and after."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

from ..module_utils.doctor._parse import clock_offset
from ..plugin_utils._preload import preload

preload()


class ActionModule(ActionBase):
    """Runs the module node_doctor on the node, and compares the clocks."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        before = time.time()
        result |= self._execute_module(task_vars=task_vars)
        after = time.time()
        if "doctor" in result:
            clock = result["doctor"]["clock"]
            offset, uncertainty = clock_offset(before, clock["began"], clock["ended"], after)
            result["clock"] = {"offset": round(offset, 3), "uncertainty": round(uncertainty, 3)}
        return dict(result)

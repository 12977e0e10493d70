# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of a measurement: look again and again while it lasts, and show how far it is."""

from __future__ import annotations

import typing as t

from ..plugin_utils._poller import Poller
from ..plugin_utils._preload import preload

preload()


class ActionModule(Poller):
    """Shows every phase of a measurement, once for all nodes that take part."""

    polled = ("measured",)
    every = 0.0

    def _subject(self, args: t.Mapping[str, t.Any], node: str) -> str:
        members = [member["name"] for member in args["nodes"]]
        return ", ".join(members) if args["node"] == members[0] else ""

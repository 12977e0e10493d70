# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of a download: look again and again while it lasts, and show how far it is."""

from __future__ import annotations

import typing as t

from ..plugin_utils._poller import Poller
from ..plugin_utils._preload import preload

preload()


class ActionModule(Poller):
    """Shows bytes, rate and expected end of what a node fetches."""

    polled = ("fetched",)

    def _subject(self, args: t.Mapping[str, t.Any], node: str) -> str:
        return f"{node}: {args['path']}"

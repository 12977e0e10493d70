# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of a service's gate: look again and again while it starts, and show what it waits for."""

from __future__ import annotations

import typing as t

from ..plugin_utils._poller import Poller


class ActionModule(Poller):
    """Shows what a service is waited for."""

    polled = (None,)

    def _subject(self, args: t.Mapping[str, t.Any], node: str) -> str:
        return f"{node}: {args['name']}"

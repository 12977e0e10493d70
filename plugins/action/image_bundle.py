# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of saving and loading an image: look again and again while it lasts, and show how far it is."""

from __future__ import annotations

import typing as t

from ..plugin_utils._poller import Poller
from ..plugin_utils._preload import preload

preload()


class ActionModule(Poller):
    """Shows how far an image is on its way into a folder, or out of it."""

    polled = ("saved", "loaded")

    def _subject(self, args: t.Mapping[str, t.Any], node: str) -> str:
        return f"{node}: {'saving' if args['state'] == 'saved' else 'loading'} {args['name']}"

    def _later(self, args: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {"begin": False}

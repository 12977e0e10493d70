# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of a node: `keeper.pyz keep INSTANCE` as a service, `keeper.pyz serve ...` for people."""

from __future__ import annotations

import sys

from ._keeper import Reload, again, keep
from ._keeper_people import serve
from ._terminal import report

_USAGE = "usage: keeper.pyz STATE_DIR keep INSTANCE | keeper.pyz STATE_DIR serve ..."


def main() -> int:
    """Run what the command line asks for. Return the exit status."""
    state_dir, what, *rest = [*sys.argv[1:], "", ""]
    rest = rest[:-2]
    if what == "serve":
        return serve(state_dir, rest)
    if what != "keep" or len(rest) != 1:
        report(_USAGE)
        return 2
    try:
        return keep(state_dir, rest[0])
    except Reload:
        again()

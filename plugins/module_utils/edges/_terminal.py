# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a program of the node says to people: a line at once, to whom it concerns."""

from __future__ import annotations

import sys


def tell(line: str) -> None:
    """Say the answer to what was asked."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def report(line: str) -> None:
    """Say what has happened, or went wrong: for a service, its journal."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()

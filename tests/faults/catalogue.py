# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All faults, in the order in which they run, and those that a lab can't have."""

from __future__ import annotations

from ansible_collections.dgxspark.sglang.tests.faults import interrupted, requests, serving, starts
from ansible_collections.dgxspark.sglang.tests.faults.fault import Fault

# Those that leave a cluster as it was come first, those that stop it last: each begins where the one before ended.
FAULTS: list[Fault] = [fault for part in (requests, serving, interrupted, starts) for fault in part.CATALOGUE.faults]
# What can't be broken here, why not, and what is tested instead.
NOT_HERE: tuple[tuple[str, str, str], ...] = (
    (
        "a node whose clock is wrong",
        "All simulated nodes have the clock of the machine: Linux gives a container no wall clock of its own, and"
        " Docker reads the time past the C library, where it could be shifted for other programs.",
        "Unit tests do it with numbers: a keeper counts with its node's monotonic clock, the lock with the clock of the"
        " head alone.",
    ),
    (
        "a GPU that falls off the bus, an RDMA device that hangs",
        "The lab has neither.",
        "Unit tests have the last words that engines on such nodes have written, and recorded states of the card.",
    ),
)


def chosen(quick: bool) -> list[Fault]:
    return [fault for fault in FAULTS if fault.quick or not quick]

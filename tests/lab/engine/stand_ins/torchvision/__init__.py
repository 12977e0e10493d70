# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for torchvision, for tests on a CPU: everything imports, nothing computes."""

from __future__ import annotations

from cpu_stand_in import become_stand_in

__version__ = "0.28.0"
become_stand_in(__name__)

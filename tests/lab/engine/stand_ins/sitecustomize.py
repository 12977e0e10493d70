# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read by Python at its start: on CPU an engine's start is imports, and a fifth of them was collecting garbage."""

from __future__ import annotations

import gc

gc.set_threshold(200_000, 20, 20)

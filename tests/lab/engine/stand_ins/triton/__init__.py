# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for triton, for tests on a CPU: everything imports, no kernel can run."""

from __future__ import annotations

from cpu_stand_in import become_stand_in

__version__ = "3.5.0"
become_stand_in(__name__)

import triton.backends  # noqa: E402
import triton.language  # noqa: E402
import triton.runtime.jit  # noqa: E402

# What torch looks at to find out whether kernels could be compiled: they cannot.
triton.backends.backends = {}

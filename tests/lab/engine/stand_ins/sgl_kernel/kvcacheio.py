# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions of sgl_kernel.kvcacheio: as in the package itself, they import and raise when called."""

from __future__ import annotations

from sgl_kernel import __getattr__  # noqa: F401

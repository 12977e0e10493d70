# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for the CUDA package sgl_kernel, for tests on a CPU: every function imports, and raises when called.

There is no `scalar_type` module on purpose: its ImportError makes SGLang take its own.
"""

from __future__ import annotations

__version__ = "0.0.0"


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)

    def refuse(*args, **kwargs):
        raise NotImplementedError(f"sgl_kernel.{name}: the lab has a stand-in only")

    return refuse

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image built for another CUDA does at its start."""

from __future__ import annotations

raise ImportError("libcudart.so.12: cannot open shared object file: No such file or directory")

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vLLM as its role describes it, and what the check of a node answered."""

from __future__ import annotations

import typing as t

IMAGE = "sha256:" + "5a" * 32
CHECKED = {"folders": ["/home/spark/ai/models/tiny", "/home/spark/ai/cache/vllm"], "instances": ["ondemand", "sglang"]}


def asked(**changes: t.Any) -> dict[str, t.Any]:
    """Return vLLM as its role describes it."""
    return {
        "name": "vllm",
        "about": "vLLM",
        "bind": "0.0.0.0",
        "port": 8000,
        "target_port": 8000,
        "entrypoint": "vllm",
        "command": ["serve", "--config", "/run/dgxspark-sglang/config.yaml"],
        "env": {"HF_HUB_OFFLINE": 1},
        "folders": [
            {"source": "~/ai/models/tiny", "target": "/models/tiny"},
            {"source": "~/ai/cache/vllm", "target": "/root/.cache", "read_only": False, "make": True},
        ],
        "volumes": [],
        "files": True,
        "files_dir": "/etc/dgxspark-sglang/vllm",
        "gpus": "all",
        "exclusive": True,
        "stop_timeout": 60,
        **changes,
    }

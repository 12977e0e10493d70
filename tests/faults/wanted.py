# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the runs of the faults ask for: another plan of the real engine, or one of the stand-in."""

from __future__ import annotations

import typing as t

FAULTY, FAULTY_SGLANG = "lmsysorg/sglang:faulty", "0.5.23"
MODEL_FOLDER = "/home/spark/ai/models/lab/tiny-llama"
RAILS = ("enp1s0f1np1", "enP2p1s0f1np1")
MODELS: dict[str, t.Any] = {
    name: {
        "identity": {"repo": f"lab/{name}", "path": f"lab/{name}", "served_name": name},
        "needs": {"nodes": [1, 2, 4]},
        "args": {"mem_fraction_static": 0.5},
    }
    for name in ("tiny-llama", "tiny-moe")
}
# Another plan for the same engine and model: all ranks have to be started anew.
OTHER_PLAN: dict[str, t.Any] = {
    "server_args": {"max_total_tokens": 4096, "sleep_on_idle": True, "schedule_policy": "lpm"}
}


def stand_in(fault: str, path: str = "lab/tiny-llama", **more: t.Any) -> dict[str, t.Any]:
    """Return the variables that make switch_model.yml start the stand-in with `fault` of its (see tests/lab/faulty)."""
    profile = {**MODELS["tiny-llama"], "env": {"LAB_FAULT": fault}}
    profile["identity"] = {"repo": "lab/tiny-llama", "path": path, "served_name": "tiny-faulty"}
    return {
        "model": "tiny-faulty",
        "server_models": {**MODELS, "tiny-faulty": profile},
        "server_image": FAULTY,
        "server_sglang": FAULTY_SGLANG,
        # Each node pulls the one layer that it lacks; an image that is carried brings all of its layers.
        "image_spread": False,
        **more,
    }

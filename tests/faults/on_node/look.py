# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run on a node: its container, its keeper, what it keeps as last good, and locks, as one line of JSON."""

from __future__ import annotations

import glob
import json
import subprocess
import sys

LABEL = "dgxspark.sglang.generation"
PROPERTIES = {
    "active": "ActiveState",
    "sub": "SubState",
    "result": "Result",
    "status": "StatusText",
    "enabled": "UnitFileState",
    "restarts": "NRestarts",
}


def output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def look(instance: str, unit: str, state_dir: str) -> dict[str, object]:
    found = (json.loads(output("docker", "inspect", instance) or "[]") or [{}])[0]
    labels = found.get("Config", {}).get("Labels") or {}
    state = found.get("State", {}) if LABEL in labels else {}  # somebody else's is no rank
    shown = dict(line.partition("=")[::2] for line in output("systemctl", "show", unit).splitlines())
    try:
        with open(f"{state_dir}/{instance}.last_good.json", encoding="utf-8") as file:
            kept = json.load(file).get("generation", "")
    except (OSError, ValueError):
        kept = ""
    return {
        "running": bool(state.get("Running")),
        "paused": bool(state.get("Paused")),
        "generation": labels.get(LABEL, ""),
        "started_at": state.get("StartedAt", ""),
        "kept": kept,
        "unit": {name: shown.get(key, "") for name, key in PROPERTIES.items()},
        "locks": sorted(glob.glob("/run/dgxspark-sglang/*.lock")),
    }


print(json.dumps(look(*sys.argv[1:])))

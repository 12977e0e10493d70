# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""With the first action plugin of a playbook, every filter is there: no process of a task imports one again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

COLLECTION = "ansible_collections.dgxspark.sglang.plugins"
ROOT = Path(__file__).parents[3]
FILTERS = sorted(path.stem for path in (ROOT / "plugins" / "filter").glob("*.py"))


@pytest.mark.parametrize(
    "action", ["cluster_lock", "sglang_plan", "node_doctor", "nccl_probe", "model_download", "image_bundle"]
)
def test_an_action_with_which_playbooks_begin_brings_all_filters(action: str) -> None:
    program = f"""
import importlib, json, sys
sys.path.insert(0, {str(ROOT / ".collections")!r})
importlib.import_module({COLLECTION!r} + ".action." + {action!r})
begin = {COLLECTION!r} + ".filter."
print(json.dumps(sorted(name.removeprefix(begin) for name in sys.modules if name.startswith(begin))))
"""
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert json.loads(told) == FILTERS

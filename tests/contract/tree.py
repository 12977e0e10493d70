# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the collection, for the contract tests."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import yaml

REPO = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.dgxspark.sglang"
KERNEL_AND_EDGES = sorted((REPO / "plugins/module_utils").rglob("_[a-z]*.py"))
KERNEL = [path for path in KERNEL_AND_EDGES if path.parent.name != "edges"]
MODULES = sorted((REPO / "plugins/modules").glob("[a-z]*.py"))
FILTERS = sorted((REPO / "plugins/filter").glob("[a-z]*.py"))
ROLES = sorted(path.parent for path in REPO.glob("roles/*/tasks"))
TASK_FILES = sorted(
    path
    for pattern in ("roles/*/tasks/*.yml", "roles/*/handlers/*.yml", "playbooks/tasks/*.yml")
    for path in REPO.glob(pattern)
)
PLAYBOOKS = sorted(REPO.glob("playbooks/*.yml"))
ROOT_PLAYBOOKS = sorted(path for path in REPO.glob("*.yml") if path.name != "galaxy.yml")


def name(path: Path) -> str:
    """Return a path as a test's ID."""
    return str(path.relative_to(REPO))


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def tracked(*folders: str) -> list[Path]:
    """Return the files that belong to the project, below these folders: those in git and those about to be."""
    # Whoever owns the checkout: nothing of it is run.
    trusting = ["git", "-c", f"safe.directory={REPO}", "-C", str(REPO)]
    command = [*trusting, "ls-files", "-z", "--cached", "--others", "--exclude-standard", *folders]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return sorted({REPO / entry for entry in listed.split("\0") if entry and (REPO / entry).is_file()})


def tasks(path: Path) -> t.Iterator[dict[str, t.Any]]:
    """Return every task of a task file or playbook, those in blocks included; plays count as tasks."""
    pending = list(load(path) or [])
    while pending:
        task = pending.pop(0)
        yield task
        for key in ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            pending += task.get(key) or []

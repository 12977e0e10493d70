"""Undo what setup, demo and the tests made: the lab, the virtual environments, the caches and the link."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from steps import LAB, REPO, say

FOLDERS = (".venv", ".venv-2.19", ".collections", ".cache", ".ansible", "tests/output", ".ruff_cache", ".mypy_cache")
FOREIGN = {".git", ".venv", ".venv-2.19", ".collections"}


def main() -> int:
    say("   the lab ...")
    # A lab that another checkout started and that still runs stays: lab.py refuses to touch it.
    code = subprocess.run([*LAB, "clean"], cwd=REPO, stdin=subprocess.DEVNULL, check=False).returncode
    for name in FOLDERS:
        folder = REPO / name
        # Links are removed, never followed: .collections points back at the checkout.
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)
        else:
            continue
        say(f"   {name}")
    for place, folders, _files in os.walk(REPO):
        folders[:] = [name for name in folders if name not in FOREIGN]
        if "__pycache__" in folders:
            folders.remove("__pycache__")
            shutil.rmtree(Path(place) / "__pycache__")
    return code


if __name__ == "__main__":
    sys.exit(main())

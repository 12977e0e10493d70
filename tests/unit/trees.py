# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recorded sysfs trees, and a way to plant one as real files."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "data" / "sys"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def tree(name: str) -> dict[str, str]:
    """Return path -> text of a recorded tree."""
    return dict(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["files"])


def plant(files: dict[str, str], root: Path) -> None:
    """Make the files of a tree below `root`; a path that others are below becomes a link, as `device` is in sysfs."""
    folders = {str(parent) for path in files for parent in Path(path).parents}
    for path in sorted(files):
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if path in folders:
            real = root / "sys/devices" / files[path]
            real.mkdir(parents=True)
            place.symlink_to(real)
        elif not place.is_symlink():
            place.write_text(f"{files[path]}\n", encoding="utf-8")

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private files on a node: written atomically, readable by root alone."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t


def write_private(folder: str, files: t.Mapping[str, str]) -> bool:
    """Make `folder` hold exactly `files` (name -> content), mode 0600 in a folder of 0700. Return whether it changed.

    Files are replaced in place of one another, never the folder: a running container has it mounted.
    """
    if not files:
        existed = os.path.isdir(folder)
        shutil.rmtree(folder, ignore_errors=True)
        return existed
    os.makedirs(folder, mode=0o700, exist_ok=True)
    changed = False
    for stale in set(os.listdir(folder)) - set(files):
        os.unlink(os.path.join(folder, stale))
        changed = True
    for name, content in files.items():
        path = os.path.join(folder, name)
        if _content(path) != content:
            _replace(path, content)
            changed = True
    return changed


def _content(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return None


def _replace(path: str, content: str) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")  # mkstemp makes it 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    os.replace(temporary, path)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper as one file: the part of module_utils that it needs. The same sources give the same bytes everywhere."""

from __future__ import annotations

import ast
import io
import posixpath
import typing as t
import zipfile

ENTRY = "edges/_keeper_main.py"
_PACKAGE = "dgxspark_sglang"
_MAIN = f"""\
import sys

from {_PACKAGE}.edges._keeper_main import main

sys.exit(main())
"""


def needed(sources: t.Mapping[str, str], entry: str = ENTRY) -> list[str]:
    """Return the files that `entry` imports, itself included, and the packages that they are in.

    `sources`: path below module_utils -> text. Raises KeyError for an import that leads nowhere.
    """
    found, pending = set(), [entry]
    while pending:
        path = pending.pop()
        if path in found:
            continue
        found.add(path)
        pending += _imports(sources, path)
        folder = posixpath.dirname(path)
        pending += [f"{folder}/__init__.py"] if folder and not path.endswith("__init__.py") else []
    return sorted(found)


def _imports(sources: t.Mapping[str, str], path: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(sources[path])):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        folder = path
        for _level in range(node.level):
            folder = posixpath.dirname(folder)
        base = posixpath.join(folder, *(node.module or "").split("."))
        names = [posixpath.join(base, name.name) for name in node.names] if f"{base}.py" not in sources else [base]
        found += [f"{name}.py" for name in names]
    return found


def bundle(sources: t.Mapping[str, str]) -> bytes:
    """Return a program for Python from its sources. Nothing of the controller is in it, no time and no compressor."""
    packed = io.BytesIO()
    files = {f"{_PACKAGE}/{path}": sources[path] for path in needed(sources)}
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, text in sorted({**files, "__main__.py": _MAIN, f"{_PACKAGE}/__init__.py": ""}.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr, entry.create_system = 0o644 << 16, 3
            archive.writestr(entry, text)
    return packed.getvalue()

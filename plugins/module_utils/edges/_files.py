# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files on a node, written atomically; those of `write_private` are readable by root alone."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
import typing as t

from .._errors import SparkError


def write_private(folder: str, files: t.Mapping[str, str]) -> bool:
    """Make `folder` hold exactly `files` (name -> content), mode 0600 in a folder of 0700. Return whether it changed.

    Files are replaced in place of one another, never the folder: a running container has it mounted.
    """
    if not files:
        existed = os.path.isdir(folder)
        shutil.rmtree(folder, ignore_errors=True)
        return existed
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = read_private(folder)
    for name in found.keys() - files.keys():
        os.unlink(os.path.join(folder, name))
    for name, content in files.items():
        if found.get(name) != content:
            replace(os.path.join(folder, name), content)
    return found != files


def read_private(folder: str) -> dict[str, str]:
    """Return name -> content of the files in `folder`; none where there is no such folder, or it can't be read."""
    names = sorted(os.listdir(folder)) if os.access(folder, os.R_OK | os.X_OK) else []
    return {name: text_of(os.path.join(folder, name)) for name in names}


def replace(path: str, content: str, mode: int = 0o600, owner: str = "", group: str = "") -> None:
    """Write a file in one step: who reads it gets the old content or the new one. Raises OSError, LookupError.

    It belongs to whoever runs this, unless told otherwise.
    """
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(content)
        if owner and group:
            shutil.chown(temporary, _number(owner), _number(group))
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _number(name: str) -> str | int:
    """An owner without a name is known by its number."""
    return int(name) if name.isdigit() else name


def look_file(path: str) -> dict[str, str] | None:
    """Return content, mode (four octal digits), owner and group of a file; None when there is none."""
    return {"content": text_of(path), **ownership(path)} if os.path.isfile(path) else None


def ownership(path: str) -> dict[str, str]:
    found = os.stat(path)
    return {
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "owner": _name(lambda: pwd.getpwuid(found.st_uid).pw_name, found.st_uid),
        "group": _name(lambda: grp.getgrgid(found.st_gid).gr_name, found.st_gid),
    }


def _name(lookup: t.Callable[[], str], number: int) -> str:
    try:
        return lookup()
    except KeyError:
        return str(number)


def put_file(path: str, state: t.Mapping[str, str] | None) -> None:
    """Bring a file into the state that `look_file` returns. Raises SparkError when that can't be."""
    try:
        if state is not None:
            replace(path, state["content"], int(state["mode"], 8), state["owner"], state["group"])
        elif os.path.lexists(path):
            os.unlink(path)
    except (OSError, LookupError) as error:
        raise SparkError(f"{path} can't be written: {error}.", "check its folder, owner and group.") from error


def text_of(path: str) -> str:
    """Return a text file's content; empty when there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def free_bytes(path: str, reserved: bool = False) -> int:
    """Return the bytes that the file system of a path has free, whether or not there is something at the path.

    `reserved`: with those that are kept back for root.
    """
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    found = os.statvfs(path)
    return (found.f_bfree if reserved else found.f_bavail) * found.f_frsize


def digest_of(path: str) -> str:
    """Return a file's SHA-256; empty when it can't be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""

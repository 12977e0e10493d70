# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder that is whole under its name or not there: looked at, prepared under another name, and put in place."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import time
import typing as t

from .._errors import SparkError
from .._text import gib
from ..transfer._chain import listing, reusable
from ..transfer._manifest import NAME, PARTIAL, Manifest, compare, parse
from ._files import free_bytes, replace, text_of
from ._jobs import passwd, sizes

_PART = ".part"
_OLD = ".old"


class Place:
    """The folder at `path`, which belongs to `user`."""

    def __init__(self, path: str) -> None:
        self.path, self.partial = path, path + PARTIAL

    def look(self) -> dict[str, t.Any]:
        """Return what `transfer._chain.Holding` tells of this node."""
        text = text_of(f"{self.path}/{NAME}")
        has = parse(text) if text else listing(_listed(self.path))
        return {
            "manifest": has.text(),
            "listed": not text,
            "lacks": compare(has, sizes(self.path)).problems(),
            "partial": sum(size for name, size in sizes(self.partial).items() if name != NAME),
            "free": free_bytes(self.path),
            "at": time.time(),
        }

    def exists(self) -> bool:
        return os.path.lexists(self.path) or os.path.lexists(self.partial)

    def room(self, needed: int, spare: int = 0) -> None:
        """Refuse when the file system has less than `needed` bytes beside the spare ones. Raises SparkError."""
        if free_bytes(self.path) < needed + spare:
            kept = f", and {gib(spare)} must stay free" if spare else ""
            what = f"The node has {gib(free_bytes(self.path))} free for {self.path}, needed are {gib(needed)}{kept}."
            raise SparkError(what, "make room there.")

    def is_whole(self, wanted: Manifest) -> bool:
        return text_of(f"{self.path}/{NAME}") == wanted.text() and compare(wanted, sizes(self.path)).whole

    def prepare(self, wanted: Manifest, user: str) -> None:
        """Make the folder in which the copy comes about, as the user's; what leads there is root's where only root can
        make it. What is there already and wanted stays. Raises SparkError."""
        owner = passwd(user)
        with self._told(), self._made_by(owner):
            self._refuse_foreign()
            self._make_partial(owner)
            with acting_as(owner):
                self._fill(wanted)

    def _fill(self, wanted: Manifest) -> None:
        before = text_of(f"{self.partial}/{NAME}")
        if before == wanted.text():
            return
        kept = reusable(parse(before), wanted) if before else []
        for folder, _folders, names in os.walk(self.partial):
            for path in (os.path.join(folder, name) for name in names):
                if os.path.relpath(path, self.partial).removesuffix(_PART) not in kept:
                    os.unlink(path)
        self._take_over(wanted)
        replace(f"{self.partial}/{NAME}", wanted.text(), 0o644)

    def _made_by(self, owner: pwd.struct_passwd) -> contextlib.AbstractContextManager[None]:
        """Return who makes and renames the folder: root where nobody else can lead a path elsewhere, else the user."""
        return contextlib.nullcontext() if roots_alone(os.path.dirname(self.path)) else acting_as(owner)

    def _make_partial(self, owner: pwd.struct_passwd) -> None:
        """Make the folder, or refuse what is there and no copy has left."""
        if not os.path.lexists(self.partial):
            missing = [self.partial]
            while not os.path.isdir(parent := os.path.dirname(missing[-1])):
                missing.append(parent)
            for folder in reversed(missing):
                os.mkdir(folder)
                os.chmod(folder, 0o755)
        found = os.lstat(self.partial)
        empty = stat.S_ISDIR(found.st_mode) and not os.listdir(self.partial)
        if empty and os.geteuid() == 0:
            os.chown(self.partial, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
            found = os.lstat(self.partial)
        why = ""
        if not stat.S_ISDIR(found.st_mode):
            why = "is no folder"
        elif found.st_uid != owner.pw_uid:
            why = f"does not belong to {owner.pw_name}"
        elif not empty and not os.path.isfile(f"{self.partial}/{NAME}"):
            why = "has files, and was not left by a copy"
        if why:
            what = f"{self.partial} {why}."
            raise SparkError(what, "let the download of that folder end, if it is one's; else move or remove it.")

    def _refuse_foreign(self) -> None:
        """Refuse to replace what we did not make, also where the user who serves could not see it."""
        ours = os.path.isfile(f"{self.path}/{NAME}")
        if os.path.lexists(self.path) and not ours and not (os.path.isdir(self.path) and not os.listdir(self.path)):
            what = f"There is something at {self.path} that this collection did not make."
            raise SparkError(what, "move or remove it; nothing that is not ours is replaced.")

    def _take_over(self, wanted: Manifest) -> None:
        """What an older folder of ours has of the wanted one need not travel: it gets a second name."""
        text = text_of(f"{self.path}/{NAME}")
        has = sizes(self.path) if text else {}
        for name in reusable(parse(text), wanted) if text else ():
            new = f"{self.partial}/{name}"
            if has.get(name) == wanted.files[name].size and not os.path.exists(new):
                os.makedirs(os.path.dirname(new), exist_ok=True)
                with contextlib.suppress(PermissionError):  # nobody may link what he can't write
                    os.link(f"{self.path}/{name}", new)

    def put(self, wanted: Manifest, user: str) -> None:
        """Give the copy its name. An older one of ours goes when the new one has come. Raises SparkError."""
        with self._told(), self._made_by(passwd(user)):
            self._put(wanted)

    def _put(self, wanted: Manifest) -> None:
        compared = compare(wanted, sizes(self.partial))
        if not compared.whole:
            told = ", ".join(compared.problems())
            raise SparkError(f"{self.partial} {told} after it was copied.", "somebody has changed it; run again.")
        self._refuse_foreign()
        old = self.path + _OLD
        shutil.rmtree(old, ignore_errors=True)
        if os.path.isdir(self.path):
            os.rename(self.path, old)
        os.rename(self.partial, self.path)
        shutil.rmtree(old, ignore_errors=True)

    @contextlib.contextmanager
    def _told(self) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SparkError(f"{self.path} can't be made: {error}.", "look at the disk and its owner.") from error


@contextlib.contextmanager
def acting_as(owner: pwd.struct_passwd) -> t.Iterator[None]:
    """Act as a user: what he has made of his folders can then lead nowhere that he can't go himself."""
    if os.geteuid() != 0 or owner.pw_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups(os.getgrouplist(owner.pw_name, owner.pw_gid))
    os.setegid(owner.pw_gid)
    os.seteuid(owner.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def roots_alone(path: str) -> bool:
    """Whether root alone can write to all folders that lead to a path, as far as there are any."""
    for way in (os.path.abspath(path), os.path.realpath(path)):
        while True:
            if os.path.lexists(way):
                found = os.lstat(way)
                shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not stat.S_ISLNK(found.st_mode)
                if found.st_uid != 0 or shared:
                    return False
            if way == os.path.dirname(way):
                break
            way = os.path.dirname(way)
    return True


def _listed(path: str) -> dict[str, tuple[int, float]]:
    """Return name -> (bytes, time of its last change) of all that counts in a folder: nothing that is hidden."""
    found = {}
    for name, size in sizes(path).items():
        if not any(part.startswith(".") for part in name.split("/")):
            found[name] = (size, os.path.getmtime(f"{path}/{name}"))
    return found

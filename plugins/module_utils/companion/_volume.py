# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's volumes of a service: what would be lost with one, and whether it may go."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SparkError
from .._text import gib


@dataclass(frozen=True)
class Volume:
    """A volume; `bytes` and `files` in it, `users`: the containers that have it, running or not."""

    name: str
    there: bool = False
    path: str = ""
    bytes: int = 0
    files: int = 0
    users: tuple[str, ...] = ()


def sentence(volume: Volume) -> str:
    """Return what a volume is, for people."""
    if not volume.there:
        return f"The volume {volume.name} does not exist."
    return f"The volume {volume.name} holds {gib(volume.bytes)} in {volume.files} files ({volume.path})."


def refuse_in_use(volume: Volume, leaving: t.Container[str]) -> None:
    """Raise SparkError when a container has the volume that is not among those about to go."""
    others = [name for name in volume.users if name not in leaving]
    if others:
        what = f"The volume {volume.name} is used by {', '.join(others)}."
        raise SparkError(what, f"remove it first: docker rm -f {' '.join(others)}")

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keepers leave on a node's disk: the plan that is kept, and in /run what is gone with the next boot."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import typing as t

from .._errors import SparkError
from ..keeper._kept import Kept, parse_kept
from ..keeper._unit import RUN, WANTS, told_files, unit_of
from ..server._lock import parse_lock
from ._files import replace, text_of
from ._plans import plan_file

# People who ask for the status hold the claim of a keeper for a moment.
_CLAIMS, _CLAIM_PAUSE = 20, 0.1


def load(state_dir: str, instance: str) -> Kept:
    """Return the kept plan of an instance. Raises SparkError."""
    try:
        text = text_of(plan_file(state_dir, instance))
        raw = json.loads(text) if text else None
    except ValueError:
        raw = {}
    except OSError as error:
        raise SparkError(f"The last good plan can't be read: {error}.", "look at the node's disk.") from error
    return parse_kept(raw, instance, lambda path: os.path.expanduser(os.path.expandvars(path)))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Place:
    """The files of one instance in /run: its keeper's memory, what it tells people, and the claim that it is there."""

    def __init__(self, instance: str, folder: str = RUN) -> None:
        self._folder = folder
        self._memory, self._told, self._claim = told_files(instance, folder)

    @contextlib.contextmanager
    def claim(self) -> t.Iterator[None]:
        """Be the only keeper of this instance. Raises SparkError when another one is, and for a folder that is full."""
        try:
            os.makedirs(self._folder, mode=0o755, exist_ok=True)
            # For root alone: who can open it could lock it, and no keeper would start.
            file = open(self._claim, "w", encoding="utf-8", opener=_private)  # noqa: SIM115, closed below
        except OSError as error:
            raise SparkError(f"{self._claim} can't be written: {error}.", "look at /run of the node.") from error
        with file:
            for _try in range(_CLAIMS):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(_CLAIM_PAUSE)
            else:
                raise SparkError("Another keeper of this instance runs.", "look for it with `pgrep -af keeper.pyz`.")
            yield

    def alive(self) -> bool:
        """Whether a keeper of this instance runs."""
        try:
            with open(self._claim, encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def memory(self) -> str:
        with contextlib.suppress(OSError):
            return text_of(self._memory)
        return ""

    def remember(self, text: str) -> None:
        """Keep the memory; an empty one removes it. Where that can't be, a new keeper finds out by looking."""
        with contextlib.suppress(OSError):
            if text:
                replace(self._memory, text)
            else:
                os.unlink(self._memory)

    def told(self) -> dict[str, t.Any]:
        """Return what a keeper last told; empty when none did."""
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(text_of(self._told) or "{}")
            return found if isinstance(found, dict) else {}
        return {}

    def tell(self, text: str) -> None:
        with contextlib.suppress(OSError):
            replace(self._told, text)

    def lock(self, cluster: str) -> str:
        """Return who works on the cluster; empty when nobody does."""
        now = time.time()
        with contextlib.suppress(OSError):
            found = parse_lock(text_of(f"{self._folder}/{cluster}.lock"), now)
            return found.told(now) if found else ""
        return ""

    def before(self, instance: str) -> tuple[str, bool]:
        """Return the state of another instance's keeper (empty: it does not run), and whether it starts at boot."""
        other = Place(instance, self._folder)
        state = str(other.told().get("state", "")) if other.alive() else ""
        return state, os.path.exists(f"{WANTS}/{unit_of(instance)}")

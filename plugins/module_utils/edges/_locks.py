# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file on the head that says which run works on the cluster."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import typing as t

from .._errors import SparkError
from ._files import replace, text_of

# A name of a group becomes the name of a file.
_NAME = re.compile(r"[^\W.][\w.+-]*")


class LockFile:
    """The lock of one cluster. Raises SparkError for a name that can't be a file's, and where it can't be written."""

    def __init__(self, folder: str, cluster: str) -> None:
        if not _NAME.fullmatch(cluster):
            raise SparkError(
                f"The cluster is named {cluster!r}, needed are letters, digits and _ . + - in it.",
                "set spark_cluster in the group variables of the cluster, to the name of that group.",
            )
        self._folder = folder
        self.path = f"{folder}/{cluster}.lock"

    @contextlib.contextmanager
    def alone(self) -> t.Iterator[None]:
        """Let nobody else read and write in between. Readers that only look need it not: files are replaced whole."""
        with self._permitted():
            os.makedirs(self._folder, mode=0o755, exist_ok=True)
            # A file that nobody removes meanwhile, for root alone: who can open it could let everybody else wait.
            descriptor = os.open(f"{self._folder}/.alone", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Whoever dies has let go of it.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def text(self) -> str:
        with self._permitted():
            return text_of(self.path)

    def write(self, text: str) -> None:
        """Replace the file; an empty text removes it."""
        with self._permitted():
            if text:
                replace(self.path, text, 0o644)
            elif os.path.lexists(self.path):
                os.unlink(self.path)

    @contextlib.contextmanager
    def _permitted(self) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SparkError(f"The lock {self.path} can't be used: {error}.", "use become: true.") from error

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper of an instance as a unit of systemd, as a run of Ansible sees and moves it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import typing as t
from dataclasses import dataclass

from .._errors import SparkError
from ..keeper._unit import (
    COMMAND,
    DISABLE,
    EVERY,
    PROGRAM,
    TEMPLATE,
    UNIT_FOLDER,
    WANTS,
    instance_of,
    told_files,
    unit_of,
)
from ._files import digest_of, replace, text_of
from ._host import Run

UNIT_FILE = f"{UNIT_FOLDER}/{TEMPLATE}"


@dataclass(frozen=True)
class Unit:
    """How the keeper of an instance is: `active` (it runs or is about to), `enabled` (at boot), and its own `words`."""

    active: bool = False
    enabled: bool = False
    state: str = "inactive"
    words: str = ""


def installed() -> bool:
    return os.path.exists(UNIT_FILE)


def look(run: Run, instance: str) -> Unit:
    """Return how the keeper of an instance is. Nothing is asked where keepers are not installed."""
    if not installed():
        return Unit()
    properties = "ActiveState,UnitFileState,StatusText"
    _status, output, _error = run(["systemctl", "show", f"--property={properties}", unit_of(instance)])
    found = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    state = found.get("ActiveState", "inactive")
    return Unit(
        active=state in ("active", "activating", "reloading", "deactivating"),
        enabled=found.get("UnitFileState") == "enabled",
        state=state,
        words=found.get("StatusText", ""),
    )


def systemctl(run: Run, *words: str) -> str:
    """Return what systemd says. Raises SparkError when it refuses."""
    status, output, error = run(["systemctl", *words])
    if status != 0:
        what = f"`systemctl {' '.join(words)}` failed: {(error or output).strip()}"
        raise SparkError(what, f"look at `systemctl status {words[-1]}` and `journalctl -u {words[-1]}` on the node.")
    return output


def hold(run: Run, instance: str, action: str) -> None:
    """Stop a keeper, which stops its rank and lets it finish its requests; `disable` it, and it does not start at boot.

    One that is only held is there again after the next boot, with the last good plan. Raises SparkError.
    """
    words = ["disable", "--quiet", "--now"] if action == DISABLE else ["stop"]
    systemctl(run, *words, unit_of(instance))
    if action == DISABLE:  # else one that gave up stays `failed`, even without its file; no other one knows the word
        run(["systemctl", "reset-failed", unit_of(instance)])


def outdated(instance: str, digest: str) -> bool:
    """Whether the keeper that runs is another program than the one with this SHA-256."""
    try:
        return bool(json.loads(text_of(told_files(instance)[1]))["program"] != digest)
    except (OSError, ValueError, TypeError, KeyError):
        return True


def left(instance: str) -> bool:
    """Whether there is something that a keeper has left for people."""
    return any(os.path.lexists(path) for path in told_files(instance))


def forget(instance: str) -> None:
    """Remove what a keeper that has ended has left for people."""
    for path in told_files(instance):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def kept(run: Run) -> list[str]:
    """Return the instances that are kept on this node: their keepers run, have failed, or start at boot.

    Raises SparkError where systemd can't be asked.
    """
    if not installed():
        return []
    listed = systemctl(run, "list-units", "--all", "--plain", "--no-legend", "--full", EVERY)
    loaded = [line.split()[0] for line in listed.splitlines() if " inactive " not in line]
    waiting = os.listdir(WANTS) if os.path.isdir(WANTS) else []
    return sorted({found for name in (*loaded, *waiting) if (found := instance_of(name))})


def differing(digest: str, texts: t.Mapping[str, str]) -> list[str]:
    """Return the files of the keeper that are not as they should be. `digest`: SHA-256 of its program; `texts`: path ->
    content of the others."""
    found = [path for path, text in texts.items() if not os.path.exists(path) or text_of(path) != text]
    return found if digest_of(PROGRAM) == digest else [PROGRAM, *found]


def install(paths: t.Iterable[str], source: str, texts: t.Mapping[str, str]) -> None:
    """Write those files, the program from `source`. Raises SparkError."""
    try:
        for path in paths:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            if path == PROGRAM:
                os.chmod(os.path.dirname(path), 0o755)  # whatever the umask of root is
                _copy(source, path)
            else:
                replace(path, texts[path], 0o755 if path == COMMAND else 0o644)
    except OSError as error:
        raise SparkError(f"The keeper can't be installed: {error}.", "look at the disk of the node.") from error


def _copy(source: str, path: str) -> None:
    """A keeper that runs goes on with the file that it began with."""
    new = f"{path}.new"
    shutil.copyfile(source, new)
    os.chmod(new, 0o755)
    os.replace(new, path)


def there() -> list[str]:
    """Return the files of the keeper that are on the node."""
    return [path for path in (UNIT_FILE, COMMAND, PROGRAM) if os.path.lexists(path)]


def remove(paths: t.Iterable[str]) -> None:
    for path in paths:
        os.unlink(path)
    shutil.rmtree(os.path.dirname(PROGRAM), ignore_errors=True)

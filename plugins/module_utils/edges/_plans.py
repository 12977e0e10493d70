# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last good plans of a node, one file for each instance. They have no secrets, and are for root alone."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import stat
import typing as t

from .._errors import SparkError
from ..server._secrets import former_dir
from ._files import replace, text_of, write_private

_ENDING = ".last_good.json"


def plan_file(state_dir: str, instance: str) -> str:
    return f"{state_dir}/{instance}{_ENDING}"


def planned(state_dir: str) -> dict[str, str]:
    """Return instance -> file, of those that have a last good plan, by name."""
    found = sorted(glob.glob(plan_file(glob.escape(state_dir), "*")))
    return {os.path.basename(path).removesuffix(_ENDING): path for path in found}


def last_good(state_dir: str, instance: str) -> dict[str, t.Any]:
    """Return the last good plan; empty when there is none, or when it can't be read."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(text_of(plan_file(state_dir, instance)) or "{}")
        return found if isinstance(found, dict) else {}
    return {}


def is_kept(state_dir: str, instance: str, plan: t.Mapping[str, t.Any]) -> bool:
    """Whether this is the last good plan already, and nobody else can read it."""
    path = plan_file(state_dir, instance)
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return (stat.S_IMODE(found.st_mode), found.st_uid) == (0o600, os.geteuid()) and text_of(path) == _text(plan)
    return False


def keep(state_dir: str, instance: str, plan: t.Mapping[str, t.Any]) -> None:
    """Raises SparkError."""
    try:
        os.makedirs(state_dir, mode=0o700, exist_ok=True)
        replace(plan_file(state_dir, instance), _text(plan))
    except OSError as error:
        hint = (
            "make room on the node's disk and run site.yml again; until then a reboot does not bring the server back."
        )
        raise SparkError(f"The last good plan can't be written: {error}.", hint) from error


def settle(state_dir: str, instance: str) -> None:
    """Remove what only the way back from a plan that is tried would need."""
    write_private(former_dir(state_dir, instance), {})


def forget(state_dir: str, instance: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(plan_file(state_dir, instance))


def _text(plan: t.Mapping[str, t.Any]) -> str:
    return json.dumps(plan, indent=4, sort_keys=True, ensure_ascii=False) + "\n"

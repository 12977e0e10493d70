# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which models are served, by whom, and which nobody needs: what is on disk joined with the containers of a node.

Paths are compared with links resolved (`real`).
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..server._container import Observed

# Between a container's folder and a model's: one is the other, or lies in it. Who mounts the whole disk, as monitoring
# does, uses no model.
_WHOLE_DISK = "/"


@dataclass(frozen=True)
class Server:
    """One of our servers on a node. `profile`: what it was started for; `path`: the model's folder on the node.

    `names`: what its API calls the model; `api`: how it answered: answers, no answer, HTTP nnn, or empty (not asked:
    it does not run, or has no rank 0). `tls`: it speaks https.
    """

    instance: str
    cluster: str
    rank: int
    port: int
    host: str
    status: str
    profile: str
    path: str
    names: tuple[str, ...] = ()
    api: str = ""
    tls: bool = False


@dataclass(frozen=True)
class Mounted:
    """A container that is not ours, and the folders of the node that it has."""

    name: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """What is known of the use of models on a node.

    `needed` are the folders that the inventory asks for, `kept` those that a failed switch goes back to. `complete` is
    False where Docker could not be asked, or nobody said what is needed.
    """

    servers: tuple[Server, ...] = ()
    mounted: tuple[Mounted, ...] = ()
    needed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    complete: bool = True


def server_of(container: Observed) -> Server:
    """Return what one of our containers serves, from the spec in its label."""
    spec = json.loads(container.spec or "{}")
    argv = list(map(str, spec.get("command") or ()))
    inside = _value(argv, "--model-path")
    mounts = {mount["target"]: mount["source"] for mount in spec.get("mounts") or ()}
    shown = container.public()
    return Server(
        instance=shown["name"],
        cluster=shown["cluster"],
        rank=int(shown["rank"] or 0),
        port=int(shown["port"] or 0),
        host=_value(argv, "--host"),
        status=container.status,
        profile=shown["model"],
        path=str(mounts.get(inside, "")),
        tls=bool(shown["tls"]),
    )


def names_of(status: int, models: t.Any) -> tuple[tuple[str, ...], str]:
    """Return the names in an answer of /v1/models, and how that answer is to be called. Status 0 is none."""
    if status != 200:
        return (), f"HTTP {status}" if status else "no answer"
    try:
        return tuple(str(card["id"]) for card in models["data"]), "answers"
    except (TypeError, KeyError):
        return (), "answers, but not as SGLang does"


def use(real: str, known: Known) -> dict[str, t.Any]:
    """Return `served_by` and `mounted_by` (names), `needed`, `kept`, and `unused` of the model folder `real`.

    A stopped server is still there to be started again. Where not all is known, nothing is called unused.
    """
    served = tuple(f"{one.instance}:{one.port}" for one in known.servers if _touch(one.path, real))
    mounted = tuple(one.name for one in known.mounted if any(_touch(source, real) for source in one.sources))
    needed, kept = (any(_touch(path, real) for path in paths) for paths in (known.needed, known.kept))
    return {
        "served_by": served,
        "mounted_by": mounted,
        "needed": needed,
        "kept": kept,
        "unused": known.complete and not (served or mounted or needed or kept),
    }


def _touch(one: str, other: str) -> bool:
    if _WHOLE_DISK in (one, other) or not one:
        return False
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _value(argv: t.Sequence[str], flag: str) -> str:
    return argv[argv.index(flag) + 1] if flag in argv[:-1] else ""

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster could serve: every profile of the catalogue, whether it fits, where it is, and who serves it now."""

from __future__ import annotations

import textwrap
import typing as t
from dataclasses import dataclass, field, replace

from .._errors import SparkError
from .._results import Result, account
from .._text import gib
from ..model._stock import WHOLE, stock
from ..transfer._manifest import PARTIAL
from ._catalogue import Profile, parse_profile
from ._fitting import NO, UNKNOWN, YES, Folder, Judgement, against_all, bare, judge_profile
from ._request import Request
from ._status import table

SOME, NONE, UNSEEN = "partial", "no", "not known"  # what of a folder is there, beside WHOLE
_FAILED = "every published run failed"
_COLUMNS = ("MODEL", "SIZE", "NODES", "NEEDS", "ON DISK", "SERVED", "FITS")
_LONGEST = 140  # characters of a reason


@dataclass(frozen=True)
class Seen:
    """What one node showed, as the modules returned it: node_probe, and model_inventory over what `asked` names."""

    looked: Result | None
    stocked: Result | None


@dataclass(frozen=True)
class Row:
    """One profile. `fits`: yes, no or unknown, on `ranks` nodes; `reason` says why not, `nearest` what does fit.

    `nodes`: on how many it can run; `bytes`: of its folder where that is whole, else of its download (0: unknown);
    `disk`: node -> whole, partial, no or not known; `served`: who serves it now; `caution`: what to know of it before.
    """

    name: str
    repo: str = ""
    nodes: tuple[int, ...] = ()
    bytes: int = 0
    needs: tuple[str, ...] = ()
    fits: str = NO
    ranks: int = 0
    reason: str = ""
    nearest: str = ""
    caution: str = ""
    disk: t.Mapping[str, str] = field(default_factory=dict)
    served: tuple[str, ...] = ()


def asked(request: Request) -> list[str]:
    """Return the folders that a node is asked for: of each profile its own, and the one in which that is made."""
    found = (f"{request.model_root}/{profile.path}" for profile in _profiles(request)[0].values())
    return [path for folder in found for path in (folder, folder + PARTIAL)]


def offer(request: Request, seen: t.Mapping[str, Seen]) -> tuple[list[Row], list[str]]:
    """Return every profile as a row, and what is true of all of them or of a node. `seen`: the cluster's nodes."""
    known, broken = _profiles(request)
    here = _here(known, seen)
    looked = {node: one.looked for node, one in seen.items()}
    whole = {name: {node: pair[0] for node, pair in found.items()} for name, found in here.items()}
    plain, shared = bare(request), against_all(bare(request))
    judged = {
        name: _without(judge_profile(plain, profile, looked, whole[name]), shared) for name, profile in known.items()
    }
    served = _served(seen)
    disk = {name: {node: _state(here[name].get(node)) for node in seen} for name in known}
    rows = [_row(known[name], judged, here[name], disk[name], served.get(name, ())) for name in known]
    rows += [Row(name, reason=_short(why)) for name, why in broken.items()]
    return sorted(rows, key=lambda row: row.name), [*shared, *_missing(seen)]


def _profiles(request: Request) -> tuple[dict[str, Profile], dict[str, str]]:
    """Return the profiles by name, and why others are none. Those that are null were taken away."""
    known, broken = {}, {}
    for name in sorted(name for name, raw in request.models.items() if raw is not None):
        try:
            known[name] = parse_profile(name, request.models)
        except SparkError as error:
            broken[name] = error.problems[0].what
    return known, broken


def _here(known: t.Iterable[str], seen: t.Mapping[str, Seen]) -> dict[str, dict[str, tuple[Folder, Folder]]]:
    """Return profile -> node -> its folder and the one in which that is made, of the nodes that could be asked."""
    here: dict[str, dict[str, tuple[Folder, Folder]]] = {name: {} for name in known}
    for node, one in seen.items():
        found = (one.stocked or {}).get("models") or ()
        for name, pair in zip(here, zip(found[::2], found[1::2], strict=True), strict=False):
            here[name][node] = pair
    return here


def _without(one: Judgement, shared: t.Collection[str]) -> Judgement:
    own = tuple(reason for reason in one.reasons if reason not in shared)
    return replace(one, reasons=own, fits=one.fits if own or not one.reasons else UNKNOWN)


def _row(
    profile: Profile,
    judged: t.Mapping[str, Judgement],
    here: t.Mapping[str, tuple[Folder, Folder]],
    disk: t.Mapping[str, str],
    served: t.Sequence[str],
) -> Row:
    one = judged[profile.name]
    whole = next((folder for folder, _making in here.values() if folder["complete"]), None)
    size = whole["disk_bytes"] if whole else profile.disk * 10**9
    relatives = [(name, judged[name].fits) for name in profile.alternatives if name in judged]
    near = [name for name, fits in relatives if fits == YES]
    near += [f"{name}, perhaps" for name, fits in relatives if fits == UNKNOWN]
    return Row(
        name=profile.name,
        repo=profile.repo,
        nodes=profile.nodes,
        bytes=size,
        needs=tuple(_needs(profile, one, size, whole is not None)),
        fits=one.fits,
        ranks=one.ranks,
        reason=_short(one.reasons[0]) if one.reasons else "",
        nearest=next(iter((*one.ways, *near)), "") if one.fits == NO else "",
        caution=_FAILED if one.fits == YES and profile.status == "failed" else "",
        disk=disk,
        served=tuple(served),
    )


def _needs(profile: Profile, one: Judgement, size: int, whole: bool) -> t.Iterator[str]:
    weights = one.weights or (size // min(profile.nodes) if profile.nodes else 0)
    if weights:
        yield f"{gib(weights)} a node"
    if profile.image != "default":
        yield f"image {profile.image}"
    if profile.gated and not whole:
        yield "a token"


def _state(pair: tuple[Folder, Folder] | None) -> str:
    if pair is None:
        return UNSEEN
    folder, making = pair
    if folder["complete"]:
        return WHOLE
    return SOME if folder["disk_bytes"] or making["disk_bytes"] else NONE


def _served(seen: t.Mapping[str, Seen]) -> dict[str, list[str]]:
    """Return profile -> instance:port of those that run with it, and what is to be known of them."""
    found: dict[str, list[str]] = {}
    for one in stock({node: one.stocked for node, one in seen.items()})["served"]:
        if "running" in one["nodes"].values():
            told = "" if one["api"] == "answers" else f" ({one['api'] or 'its head does not run'})"
            found.setdefault(one["profile"], []).append(f"{one['instance']}:{one['port']}{told}")
    return found


def _missing(seen: t.Mapping[str, Seen]) -> t.Iterator[str]:
    for node, one in seen.items():
        if "probe" not in (one.looked or {}):
            yield account(node, one.looked, "node_probe")
        elif "models" not in (one.stocked or {}):
            yield account(node, one.stocked, "model_inventory")


def _short(text: str) -> str:
    """Return the first line of a reason, without a full stop, cut where it is too long for a table."""
    return textwrap.shorten(text.partition("\n")[0].rstrip("."), _LONGEST, placeholder=" ...")


def told(cluster: str, rows: t.Sequence[t.Mapping[str, t.Any]], remarks: t.Iterable[str]) -> str:
    """Return the rows (as data) as a table for people, under a line that says how many fit, as far as that is known."""
    count = {fits: sum(row["fits"] == fits for row in rows) for fits in (YES, UNKNOWN)}
    unknown = f"; of {count[UNKNOWN]} it is not known" if count[UNKNOWN] else ""
    lines = [f"{cluster}: {count[YES]} of {len(rows)} models fit{unknown}", table(map(_cells, rows), _COLUMNS)]
    return "\n".join([*lines, *remarks])


def _cells(row: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    return (
        row["name"],
        gib(row["bytes"]) if row["bytes"] else "-",
        ", ".join(map(str, row["nodes"])) or "-",
        ", ".join(row["needs"]) or "-",
        _places(row["disk"]),
        ", ".join(row["served"]) or "-",
        _fits(row),
    )


def _places(disk: t.Mapping[str, str]) -> str:
    """Return what all nodes have in common, else who has what."""
    states = set(disk.values())
    if len(states) < 2:
        return next(iter(states), "-")
    by_state = {state: [node for node, own in disk.items() if own == state] for state in (WHOLE, SOME, UNSEEN)}
    return "; ".join(f"{state} on {', '.join(nodes)}" for state, nodes in by_state.items() if nodes)


def _fits(row: t.Mapping[str, t.Any]) -> str:
    if row["fits"] == YES:
        return f"yes, on {row['ranks']} node(s)" + (f"; {row['caution']}" if row["caution"] else "")
    word = "no" if row["fits"] == NO else "not known"
    nearest = f"; nearest: {row['nearest']}" if row["nearest"] else ""
    return f"{word}: {row['reason']}{nearest}" if row["reason"] else word

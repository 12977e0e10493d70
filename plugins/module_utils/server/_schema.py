# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of hand-written data (profiles, images) that name the place, the value found and the value needed."""

from __future__ import annotations

import typing as t

from .._errors import Problem
from .._text import did_you_mean

Types = tuple[type, ...]
# One number with its origin: on how many nodes, by whom, and where it was published.
MEASURED: dict[str, Types] = {
    "what": (str,),
    "value": (int, float),
    "unit": (str,),
    "nodes": (int,),
    "by": (str,),
    "source": (str,),
}


def check_keys(
    where: str,
    content: t.Any,
    schema: t.Mapping[str, Types],
    required: t.Iterable[str] = (),
    secret: t.Container[str] = (),
) -> list[Problem]:
    """Return what is wrong with the keys and types of one dictionary. A bool is no int; lists hold text.

    The values of the keys in `secret` are not shown.
    """
    if not isinstance(content, t.Mapping):
        return [Problem(f"{where} is {_kind(content)}, needed is a dictionary.")]
    problems = unknown_keys(where, content, schema)
    problems += [Problem(f"{where} lacks {key!r}.") for key in required if key not in content]
    for key, value in content.items():
        kinds = schema.get(key, ())
        if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            needed = " or ".join(kind.__name__ for kind in kinds)
            found = f"of type {_kind(value)}" if key in secret else f"{value!r} ({_kind(value)})"
            problems.append(Problem(f"{where}.{key} is {found}, needed is {needed}."))
    return problems


def check_texts(where: str, items: t.Iterable[t.Any], choices: t.Sequence[str] = ()) -> list[Problem]:
    """Return the items of a list that are not text, or not one of `choices`."""
    needed = f"one of {', '.join(choices)}" if choices else "text"
    return [
        Problem(f"{where} has {item!r}, needed is {needed}.")
        for item in items
        if not isinstance(item, str) or (choices and item not in choices)
    ]


def check_measured(where: str, entries: t.Iterable[t.Any]) -> list[Problem]:
    """A number without its origin is a rumour: every entry has all keys of MEASURED."""
    return [
        problem
        for number, entry in enumerate(entries, 1)
        for problem in check_keys(f"{where}[{number}]", entry, MEASURED, MEASURED)
    ]


def check_env(where: str, env: t.Mapping[str, t.Any]) -> list[Problem]:
    """Environment values are text: YAML's `true` or `1` would reach the engine in a spelling that nobody chose."""
    return [
        Problem(
            f"{where}, environment variable {key} is {value!r} ({_kind(value)}), needed is text.",
            "quote it in YAML.",
        )
        for key, value in env.items()
        if value is not None and not isinstance(value, str)  # null removes what a lower layer set
    ]


def unknown_keys(where: str, content: t.Mapping[str, t.Any], known: t.Iterable[str]) -> list[Problem]:
    """Return the keys that nobody reads, with the nearest known ones."""
    names = set(known)
    return [
        Problem(f"{where} has the unknown key {key!r}.", did_you_mean(str(key), names))
        for key in content
        if key not in names
    ]


def unknown_name(name: str, known: t.Iterable[str], variable: str) -> str:
    """Return the next step for a name that no entry has."""
    return f"{did_you_mean(name, known)} Or add it to {variable}.".strip()


def without_nulls(content: t.Any, keep: t.Container[str] = ()) -> t.Any:
    """Return a dictionary without what a later layer set to null, at every depth; what is in `keep` stays as it is."""
    if not isinstance(content, t.Mapping):
        return content
    return {key: value if key in keep else without_nulls(value) for key, value in content.items() if value is not None}


def _kind(value: t.Any) -> str:
    """Return the name of a value's type: of Ansible's own kinds of text and numbers that of the plain one."""
    plain = (bool, int, float, str, list, dict)
    return next((kind.__name__ for kind in plain if isinstance(value, kind)), type(value).__name__)

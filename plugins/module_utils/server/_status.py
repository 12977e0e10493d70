# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of clusters on one screen."""

from __future__ import annotations

import datetime
import typing as t

from .._results import words
from .._text import duration, gib

COLUMNS = ("CLUSTER", "NODE", "INSTANCE", "RANK", "STATE", "MODEL", "HEALTH", "SINCE", "MEMORY FREE")


def table(rows: t.Iterable[t.Sequence[str]], head: t.Sequence[str] = COLUMNS) -> str:
    """Return rows as aligned columns."""
    lines = [list(head), *[list(map(str, row)) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def rows_of(
    node: str, cluster: str, looked: t.Mapping[str, t.Any] | None, now: datetime.datetime
) -> list[tuple[str, ...]]:
    """Return one row for each server of a node, from the result of node_probe; one row that says why there is none."""
    empty = ("-",) * 5
    if not looked or "probe" not in looked:
        why = "unreachable" if (looked or {}).get("unreachable") else "not looked at"
        return [(cluster, node, "-", "-", why, *empty[:4])]
    probe = looked["probe"]
    memory = gib(probe["memory"]["available"])
    if probe["docker_error"]:
        return [(cluster, node, "-", "-", "no Docker", "-", "-", "-", memory)]
    if not probe["containers"]:
        return [(cluster, node, "-", "-", "no server", "-", "-", "-", memory)]
    return [
        (
            item["cluster"] or cluster,
            node,
            item["name"],
            item["rank"],
            item["status"] + (f" ({item['restart_count']} restarts)" if item["restart_count"] else ""),
            item["model"] or "-",
            _health(item),
            _since(item, now),
            memory,
        )
        for item in sorted(probe["containers"], key=lambda item: item["name"])
    ]


def reasons(node: str, looked: t.Mapping[str, t.Any] | None) -> list[str]:
    """Return why a node's row says so little, in the words of what failed."""
    if not looked or "probe" not in looked:
        return [f"{node}: {words(looked) or 'it was not asked'}"]
    error = looked["probe"]["docker_error"]
    return [f"{node}: {error}"] if error else []


def keepers(node: str, looked: t.Mapping[str, t.Any] | None) -> list[str]:
    """Return what the keepers of a node say, one line each."""
    known = (looked or {}).get("probe", {}).get("keepers", {})
    return [
        f"{node} {instance}: {keeper['words'] or 'the keeper has said nothing'}"
        + ("" if keeper["active"] else f" (the keeper is {keeper['state']})")
        + ("" if keeper["enabled"] else " (does not start at boot)")
        for instance, keeper in sorted(known.items())
    ]


def _health(item: t.Mapping[str, t.Any]) -> str:
    if "health" not in item:
        return "-"
    status = item["health"]
    return {200: "healthy", 503: "not ready (503)", 0: "no answer"}.get(status, f"HTTP {status}")


def _since(item: t.Mapping[str, t.Any], now: datetime.datetime) -> str:
    when = item["started_at"] if item["running"] else item["finished_at"]
    begin = datetime.datetime.fromisoformat(when[:19] + "+00:00")
    age = (now - begin).total_seconds()  # of two clocks
    return duration(age) if begin.year > 1 and age >= 0 else "-"

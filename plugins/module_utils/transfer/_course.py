# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a folder gets to all nodes of a cluster: who has it, who fetches it, who is sent it."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from .._errors import Problem
from .._results import account
from ._chain import LISTING


@dataclass(frozen=True)
class Course:
    """`source` has it, or is to fetch it; `lacking` are to get it from there. `differs`: nodes have it whole, but not
    the same, so that no node alone tells which is right. With a `reason` nothing can be decided."""

    source: str = ""
    fetch: bool = False
    lacking: tuple[str, ...] = ()
    reason: str = ""
    differs: bool = False

    @property
    def complete(self) -> bool:
        """Whether every node has it, and the same."""
        return not (self.reason or self.fetch or self.lacking or self.differs)

    def public(self) -> dict[str, t.Any]:
        return {**asdict(self), "lacking": list(self.lacking), "complete": self.complete}


def course(found: t.Mapping[str, t.Mapping[str, t.Any] | None], head: str) -> Course:
    """Return the course for what M(model_download) found on every node of the cluster (name -> its result).

    Who has most of it fetches the rest; the head where it makes no difference.
    """
    unseen = [
        account(node, found[node], "model_download") for node in sorted(found) if "whole" not in (found[node] or {})
    ]
    if unseen:
        return Course(reason="\n".join(unseen))
    seen = {node: result for node, result in found.items() if result is not None}
    order = sorted(seen, key=lambda node: (node != head, node))
    whole = [node for node in order if seen[node]["whole"]]
    source = whole[0] if whole else max(order, key=lambda node: seen[node]["bytes"])
    revisions = {node: str(seen[node]["revision"]) for node in whole if seen[node]["repo"]}
    if len(set(revisions.values())) > 1:
        shown = ", ".join(f"{node} {revision}" for node, revision in sorted(revisions.items()))
        what = f"{seen[source]['path']} is not of one revision on all nodes: {shown}."
        return Course(reason=str(Problem(what, "remove it from the nodes where it is the wrong one, and run again.")))
    lacking = tuple(node for node in sorted(seen) if node != source and not seen[node]["whole"])
    return Course(source, not whole, lacking, differs=_differ([seen[node] for node in whole]))


def _differ(whole: t.Sequence[t.Mapping[str, t.Any]]) -> bool:
    """Whether folders have other files, or one is a copy of ours of what another was before it changed."""
    if any(str(one["revision"]).startswith(LISTING) for one in whole):
        return len({(one["contents"], one["revision"] or one["listing"]) for one in whole}) > 1
    return len({one["contents"] for one in whole}) > 1

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What went wrong, what is needed, and what to do next: the only exception of the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

_T = t.TypeVar("_T")


@dataclass(frozen=True)
class Problem:
    """One reason for a refusal: what was found (and what is needed), and the next step of the person who reads it."""

    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.what}\n  Next step: {self.hint}" if self.hint else self.what


class SparkError(Exception):
    """Raised by the kernel and the edges, caught once in each module and action.

    `facts` travel into the result as keys of their own (for example `log_tail`), so that a playbook can use them.
    """

    def __init__(self, what: str | t.Iterable[Problem], hint: str = "", **facts: t.Any) -> None:
        self.problems = (Problem(what, hint),) if isinstance(what, str) else tuple(what)
        self.facts = facts
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def as_result(self) -> dict[str, t.Any]:
        """Return the keys for `fail_json`: `msg` is the whole text, `reason` and `hint` are its two halves."""
        hints = [problem.hint for problem in self.problems if problem.hint]
        reason = "\n".join(problem.what for problem in self.problems)
        return {"msg": str(self), "reason": reason, "hint": "\n".join(dict.fromkeys(hints)), **self.facts}


def collect(problems: list[Problem], step: t.Callable[[], _T]) -> _T | None:
    """Run a step; what it refuses joins the problems, so that a person sees all of them at once."""
    try:
        return step()
    except SparkError as error:
        problems += error.problems
        return None

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What went wrong, what is needed, and what to do next: the only exception of the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


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
        """Return the keys for `fail_json`: `msg` is the whole text, `hint` the next steps alone."""
        hints = [problem.hint for problem in self.problems if problem.hint]
        return {"msg": str(self), "hint": "\n".join(dict.fromkeys(hints)), **self.facts}

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an entry of the table of last words is."""

from __future__ import annotations

import re
from dataclasses import dataclass

PAGE = "docs/troubleshooting.md"

# The moments at which last words appear: the phases that the gate shows, and what comes after them.
STARTING = "starting the container"
READING = "reading the configuration"
MEETING = "meeting the other ranks"
LOADING = "loading weights"
CACHE = "allocating the KV cache"
GRAPHS = "capturing CUDA graphs"
WARMING = "warming up"
SERVING = "serving"
ANY_TIME = "any time"
MOMENTS = (STARTING, READING, MEETING, LOADING, CACHE, GRAPHS, WARMING, SERVING, ANY_TIME)


@dataclass(frozen=True)
class Diagnosis:
    """What a failure means in one sentence, why it happens, the next step, and where somebody reported it (a URL).

    `when`: the moments at which it appears. `echo`: another rank's failure can be behind it; one that is no echo, on
    whatever rank, is to be believed first.
    """

    name: str
    meaning: str
    cause: str
    next_step: str
    link: str
    when: tuple[str, ...]
    echo: bool = False

    @property
    def why(self) -> str:
        """What it means and why it happens, in one line."""
        return f"{self.meaning} {self.cause}"

    @property
    def hint(self) -> str:
        """The next step, and where there is more to read."""
        return f"{self.next_step} See {PAGE}#{self.name}."

    def text(self) -> str:
        """Return everything that a person needs, in one line."""
        return f"{self.why} Next step: {self.hint}"


@dataclass(frozen=True)
class Entry:
    """A diagnosis, the regular expressions of which one is in the log, and how that reads there (for people)."""

    diagnosis: Diagnosis
    patterns: tuple[str, ...]
    says: tuple[str, ...]

    def matches(self, text: str) -> bool:
        """Return whether the end of a log, as one text, has one of the patterns."""
        return any(re.search(pattern, text) for pattern in self.patterns)


def entry(
    name: str,
    *patterns: str,
    when: tuple[str, ...],
    says: tuple[str, ...],
    meaning: str,
    cause: str,
    next_step: str,
    link: str,
    echo: bool = False,
) -> Entry:
    """Return an entry; written this way the data read as a table."""
    return Entry(Diagnosis(name, meaning, cause, next_step, link, when, echo), patterns, says)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a service beside the server serves: its unit runs, its health is good, and an engine has generated something."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SparkError
from .._text import duration
from ..diagnosis._match import diagnose
from ._systemd import Unit

# systemd is about to start it again, or has given it up: the start that was waited for is over.
_OVER = ("failed", "inactive")
_AGAIN = "auto-restart"


@dataclass(frozen=True)
class Answers:
    """What the service answered: the status of its health (0: refused, or no answer), and of an engine the names of its
    models and the tokens that it generated, as far as it was asked; `error`: what was strange."""

    health: int = 0
    models: tuple[str, ...] | None = None
    tokens: int | None = None
    error: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether it serves, and if not yet, what is waited for."""

    passed: bool
    phase: str


def ended(unit: Unit) -> bool:
    return unit.active in _OVER or unit.sub.startswith(_AGAIN)


def end_error(unit: Unit, words: t.Sequence[str]) -> SparkError:
    """Return what a service's end means. `words`: the last lines of its journal, without secrets."""
    diagnosis = diagnose(words, unit.status)
    meaning = f" {diagnosis.why}" if diagnosis else ""
    hint = diagnosis.hint if diagnosis else f"read all of it: journalctl -u {unit.name}"
    how = f"{unit.result or unit.active}, exit status {unit.status}"
    return SparkError(f"{unit.name} has ended ({how}).{meaning}{_tail(words)}", hint, log_tail=list(words))


def late_error(unit: Unit, phase: str, limit: float, words: t.Sequence[str]) -> SparkError:
    """Return what it means that a service still runs after `limit` seconds, and does not serve."""
    what = f"{unit.name} does not serve within {duration(limit)}: {phase}.{_tail(words)}"
    hint = f"read all of it: journalctl -u {unit.name}; when it only needs longer, raise its start timeout."
    return SparkError(what, hint, log_tail=list(words))


def _tail(words: t.Sequence[str]) -> str:
    return "\nLast words:\n" + "\n".join(f"  {line}" for line in words) if words else " It has said nothing."


def judge(health: str, model: str, answers: Answers) -> Verdict:
    """Return the verdict on the answers. `health`: the path asked; `model`: the name wanted, empty for no engine.

    Raises SparkError for another server's answers.
    """
    if answers.health != 200:
        return Verdict(False, f"{health} answers {answers.health or 'nothing'}")
    if not model:
        return Verdict(True, "serves")
    if answers.models is None:
        return Verdict(False, answers.error or "/v1/models is not answered yet")
    if model not in answers.models:
        listed = ", ".join(answers.models) or "nothing"
        hint = "another server answers on this port, or its arguments name another model."
        raise SparkError(f"/v1/models lists {listed}, needed is {model}.", hint)
    if answers.tokens is None:
        return Verdict(False, answers.error or "nothing is generated yet")
    if answers.tokens < 1:
        raise SparkError(f"{model} answers without generating a token.", "read its journal.")
    return Verdict(True, "serves")

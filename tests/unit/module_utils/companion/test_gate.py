# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a service serves, when it is waited for, and what its end means."""

from __future__ import annotations

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._gate import (
    Answers,
    Verdict,
    end_error,
    ended,
    judge,
    late_error,
)
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._systemd import Unit


@pytest.mark.parametrize(
    ("active", "sub", "over"),
    [
        ("active", "running", False),
        ("activating", "start-pre", False),
        ("activating", "auto-restart", True),
        ("activating", "auto-restart-queued", True),  # systemd 254
        ("failed", "failed", True),
        ("inactive", "dead", True),
    ],
)
def test_a_start_is_over_even_if_there_will_be_another(active: str, sub: str, over: bool) -> None:
    assert ended(Unit("vllm.service", active, sub)) is over


@pytest.mark.parametrize(
    ("model", "answers", "verdict"),
    [
        ("", Answers(), Verdict(False, "/health answers nothing")),
        ("", Answers(503), Verdict(False, "/health answers 503")),
        ("", Answers(200), Verdict(True, "serves")),
        ("tiny", Answers(200), Verdict(False, "/v1/models is not answered yet")),
        ("tiny", Answers(200, error="/v1/models answers 401"), Verdict(False, "/v1/models answers 401")),
        ("tiny", Answers(200, ("tiny",)), Verdict(False, "nothing is generated yet")),
        ("tiny", Answers(200, ("tiny",), error="x"), Verdict(False, "x")),
        ("tiny", Answers(200, ("tiny",), 4), Verdict(True, "serves")),
    ],
)
def test_answers_are_judged_in_their_order(model: str, answers: Answers, verdict: Verdict) -> None:
    assert judge("/health", model, answers) == verdict


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (Answers(200, ("other", "more"), 4), "/v1/models lists other, more, needed is tiny."),
        (Answers(200, ()), "/v1/models lists nothing, needed is tiny."),
        (Answers(200, ("tiny",), 0), "tiny answers without generating a token."),
    ],
)
def test_another_server_is_not_waited_for(answers: Answers, reason: str) -> None:
    with pytest.raises(SparkError) as caught:
        judge("/health", "tiny", answers)
    assert caught.value.problems[0].what == reason


def test_an_end_is_told_with_its_words_and_their_meaning() -> None:
    words = ["loading", "ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'"]
    error = end_error(Unit("vllm.service", "activating", "auto-restart", result="exit-code", status=1), words)
    (problem,) = error.problems
    assert problem.what.startswith("vllm.service has ended (exit-code, exit status 1). ")
    assert problem.what.endswith(f"Last words:\n  loading\n  {words[1]}")
    assert "journalctl" not in problem.hint  # the table knows better
    assert error.facts == {"log_tail": words}


def test_an_end_that_nobody_knows_leads_to_the_journal() -> None:
    (problem,) = end_error(Unit("ollama.service", "failed", result="start-limit-hit"), []).problems
    assert problem.what == "ollama.service has ended (start-limit-hit, exit status 0). It has said nothing."
    assert problem.hint == "read all of it: journalctl -u ollama.service"


def test_what_is_late_is_told_with_what_it_was_waited_for() -> None:
    (problem,) = late_error(Unit("vllm.service", "active"), "/health answers nothing", 90, ["loading"]).problems
    assert problem.what == (
        "vllm.service does not serve within 1 min 30 s: /health answers nothing.\nLast words:\n  loading"
    )

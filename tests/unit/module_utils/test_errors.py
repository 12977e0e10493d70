# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import Problem, SparkError


def test_a_problem_reads_as_what_was_found_and_the_next_step() -> None:
    assert str(Problem("The cable is out.", "plug it in.")) == "The cable is out.\n  Next step: plug it in."


def test_a_problem_without_a_next_step_is_what_was_found_alone() -> None:
    assert str(Problem("The cable is out.")) == "The cable is out."


def test_an_error_of_one_problem_becomes_a_result_with_message_hint_and_facts() -> None:
    assert SparkError("No.", "try again.", log_tail=["last"]).as_result() == {
        "msg": "No.\n  Next step: try again.",
        "reason": "No.",
        "hint": "try again.",
        "log_tail": ["last"],
    }


def test_an_error_of_several_problems_tells_all_of_them_and_each_hint_once() -> None:
    error = SparkError(
        [Problem("One.", "same."), Problem("Two.", "same."), Problem("Three.", "other."), Problem("Four.")]
    )
    assert error.as_result() == {
        "msg": "One.\n  Next step: same.\nTwo.\n  Next step: same.\nThree.\n  Next step: other.\nFour.",
        "reason": "One.\nTwo.\nThree.\nFour.",
        "hint": "same.\nother.",
    }

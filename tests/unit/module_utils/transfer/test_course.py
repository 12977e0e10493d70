# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who fetches a folder, and who is sent it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.transfer._course import course


def had(whole: bool = False, count: int = 0, revision: str = "", **more: str) -> dict[str, t.Any]:
    repo = "lab/tiny" if revision and not revision.startswith("listing-") else ""
    found = {"path": "/models/tiny", "whole": whole, "bytes": count, "revision": revision, "repo": repo}
    return {**found, "contents": "c", "listing": "", **more}


@pytest.mark.parametrize(
    ("found", "source", "fetch", "lacking"),
    [
        ({"a": had(), "b": had(), "c": had()}, "b", True, ["a", "c"]),
        ({"a": had(), "b": had(), "c": had(count=5)}, "c", True, ["a", "b"]),
        ({"a": had(True), "b": had(count=5), "c": had()}, "a", False, ["b", "c"]),
        ({"a": had(True), "b": had(True), "c": had()}, "b", False, ["c"]),
        ({"a": had(True), "b": had(True), "c": had(True)}, "b", False, []),
        ({"b": had()}, "b", True, []),
        ({"a": had(True, revision="x"), "b": had(True), "c": had(True, revision="x")}, "b", False, []),
    ],
)
def test_it_is_fetched_once_by_who_has_most(
    found: dict[str, dict[str, t.Any]], source: str, fetch: bool, lacking: list[str]
) -> None:
    expected = {"source": source, "fetch": fetch, "lacking": lacking, "reason": "", "differs": False}
    expected["complete"] = not (fetch or lacking)
    assert course(found, "b").public() == expected


@pytest.mark.parametrize(
    ("a", "b", "differs"),
    [
        (had(True, listing="listing-1"), had(True, listing="listing-2"), False),  # each copied by hand: times differ
        (had(True, listing="listing-1"), had(True, listing="listing-1", contents="d"), True),
        (had(True, revision="x"), had(True, listing="listing-1"), False),
        (had(True, revision="x"), had(True, listing="listing-1", contents="d"), True),
        (had(True, listing="listing-1"), had(True, revision="listing-1"), False),
        (had(True, listing="listing-2"), had(True, revision="listing-1"), True),  # changed in place since it was copied
        (had(True, revision="listing-2"), had(True, revision="listing-1"), True),
        (had(True, revision="x"), had(True, revision="x", contents="d"), True),
        (had(True, revision="x"), had(contents="d"), False),  # what is not whole is brought anyway
    ],
)
def test_folders_that_are_whole_and_not_equal_are_known(
    a: dict[str, t.Any], b: dict[str, t.Any], differs: bool
) -> None:
    found = course({"a": a, "b": b}, "a")
    assert (found.differs, found.complete) == (differs, not differs and b["whole"])


def test_two_revisions_are_no_basis() -> None:
    found = course({"a": had(True, revision="x"), "b": had(True, revision="y")}, "a")
    assert (found.source, found.fetch, found.lacking) == ("", False, ())
    assert "a x, b y" in found.reason
    assert "remove it" in found.reason


@pytest.mark.parametrize(
    ("result", "word"),
    [(None, "no result of model_download"), ({"unreachable": True, "msg": "timed out"}, "can't be reached")],
)
def test_who_was_not_seen_decides_nothing(result: dict[str, t.Any] | None, word: str) -> None:
    found = course({"a": had(True), "b": result}, "a")
    assert found.reason.startswith("b ")
    assert word in found.reason

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.modules import sglang_image
from ansible_collections.dgxspark.sglang.tests.unit.builders import IMAGE_ID, OTHER_ID, shown

KNOWN = "known after the pull"


class Engine:
    """An engine with the interface of Docker: one image here, perhaps another one in the registry."""

    def __init__(self, local: str, remote: str) -> None:
        self.local, self.remote, self.pulls = local, remote, 0

    def image_id(self, name: str) -> str:
        return self.local

    def outdated(self, name: str) -> bool:
        return self.local != self.remote

    def pull(self, name: str) -> str:
        self.pulls += 1
        self.local = self.remote
        return self.local

    def image_digests(self, name: str) -> list[str]:
        return [f"sha256:{self.local[7:11]}"] if self.local else []

    def versions(self, image: str) -> dict[str, str]:
        return {"sglang": {IMAGE_ID: "0.5.23", OTHER_ID: "0.5.21"}[image], "triton": "3.5.0"}


class Module:
    """The part of AnsibleModule that converge uses."""

    def __init__(self, pull: str, check_mode: bool, sent: bool = False, local: bool = False) -> None:
        self.params: dict[str, t.Any] = {"name": "example/sglang:1", "pull": pull, "sent": sent, "local": local}
        self.params["versions"] = True
        self.check_mode = check_mode
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def converge(
    monkeypatch: pytest.MonkeyPatch,
    engine: Engine,
    pull: str,
    check_mode: bool,
    sent: bool = False,
    local: bool = False,
) -> dict[str, t.Any]:
    monkeypatch.setattr(sglang_image, "Images", lambda: engine)
    monkeypatch.setattr(sglang_image, "HAVE_DOCKER", True)
    return sglang_image.converge(t.cast(t.Any, Module(pull, check_mode, sent, local)))


def result(changed: bool, image_id: str, sglang: str, before: str, after: str) -> dict[str, t.Any]:
    return {
        "changed": changed,
        "image_id": image_id,
        "sglang": sglang,
        "triton": "3.5.0" if sglang else "",
        "digests": [f"sha256:{image_id[7:11]}"] if image_id else [],
        "actions": ["pull"] if changed else [],
        "diff": {"before": {"image_id": before}, "after": {"image_id": after}},
    }


@pytest.mark.parametrize(
    ("local", "pull", "check_mode", "expected", "pulls"),
    [
        pytest.param("", "missing", False, result(True, IMAGE_ID, "0.5.23", "", IMAGE_ID), 1, id="missing: pull"),
        pytest.param("", "missing", True, result(True, "", "", "", KNOWN), 0, id="missing: would pull"),
        pytest.param(
            OTHER_ID,
            "missing",
            False,
            result(False, OTHER_ID, "0.5.21", OTHER_ID, OTHER_ID),
            0,
            id="here: the tag may move",
        ),
        pytest.param(
            OTHER_ID, "always", False, result(True, IMAGE_ID, "0.5.23", OTHER_ID, IMAGE_ID), 1, id="the tag moved: pull"
        ),
        pytest.param(
            OTHER_ID, "always", True, result(True, "", "0.5.21", OTHER_ID, KNOWN), 0, id="the tag moved: would pull"
        ),
        pytest.param(
            IMAGE_ID,
            "always",
            False,
            result(False, IMAGE_ID, "0.5.23", IMAGE_ID, IMAGE_ID),
            0,
            id="the tag did not move",
        ),
        pytest.param(
            OTHER_ID, "never", False, result(False, OTHER_ID, "0.5.21", OTHER_ID, OTHER_ID), 0, id="here: never is fine"
        ),
    ],
)
def test_when_an_image_is_pulled(
    local: str, pull: str, check_mode: bool, expected: dict[str, t.Any], pulls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(local, IMAGE_ID)
    assert (converge(monkeypatch, engine, pull, check_mode), engine.pulls) == (expected, pulls)


def test_what_another_node_sends_is_no_pull_in_check_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine("", IMAGE_ID)
    found = converge(monkeypatch, engine, "missing", True, sent=True)
    assert found == result(False, "", "", "", "")
    assert converge(monkeypatch, engine, "missing", False, sent=True)["actions"] == ["pull"]  # it has not arrived


@pytest.mark.parametrize("pull", ["missing", "always", "never"])
@pytest.mark.parametrize("check_mode", [False, True])
def test_an_image_of_no_registry_is_never_asked_for(
    pull: str, check_mode: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(OTHER_ID, IMAGE_ID)
    found = converge(monkeypatch, engine, pull, check_mode, local=True)
    assert (found, engine.pulls) == (result(False, OTHER_ID, "0.5.21", OTHER_ID, OTHER_ID), 0)


@pytest.mark.parametrize("pull", ["missing", "always", "never"])
def test_an_image_of_no_registry_is_built_or_sent(pull: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine("", IMAGE_ID)
    found = converge(monkeypatch, engine, pull, True, local=True)
    assert found == result(False, "", "", "", "known after the build")
    with pytest.raises(SparkError, match="no registry has it") as caught:
        converge(monkeypatch, engine, pull, False, local=True)
    assert (caught.value.problems[0].hint.startswith("set image_spread: true"), engine.pulls) == (True, 0)


@pytest.mark.parametrize("check_mode", [False, True])
def test_an_image_that_is_not_here_and_may_not_be_pulled_is_refused(
    check_mode: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SparkError) as caught:
        converge(monkeypatch, Engine("", IMAGE_ID), "never", check_mode)
    assert shown(caught.value.problems) == [
        ("Image example/sglang:1 is not on this node and may not be pulled.", "load it, or set image_pull.")
    ]


def test_in_check_mode_without_the_sdk_the_image_is_assumed_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sglang_image, "HAVE_DOCKER", False)
    module = Module("missing", True)
    assert sglang_image.converge(t.cast(t.Any, module)) == result(True, "", "", "", KNOWN)
    assert module.warnings == [
        "The Docker SDK is not installed yet, so Docker was not asked. Assuming the image is not here."
    ]


def test_an_image_without_python_is_brought_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ollama's has none: it is not run to be asked what it holds."""
    engine, module = Engine("", IMAGE_ID), Module("missing", check_mode=False)
    monkeypatch.setattr(engine, "versions", lambda image: pytest.fail("it was asked"))
    monkeypatch.setattr(sglang_image, "Images", lambda: engine)
    monkeypatch.setattr(sglang_image, "HAVE_DOCKER", True)
    module.params["versions"] = False
    result = sglang_image.converge(t.cast(t.Any, module))
    assert (result["changed"], result["image_id"], result["sglang"]) == (True, IMAGE_ID, "")

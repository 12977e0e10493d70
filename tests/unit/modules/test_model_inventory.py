# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What model_inventory makes of the folders of a real disk."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges import _models, _serving
from ansible_collections.dgxspark.sglang.plugins.module_utils.model._inventory import Known, Server
from ansible_collections.dgxspark.sglang.plugins.modules import model_inventory
from ansible_collections.dgxspark.sglang.tests.unit.model_files import CONFIG, TWO, write_cached, write_model


def look(**params: t.Any) -> dict[str, t.Any]:
    default: dict[str, t.Any] = {
        "paths": [],
        "roots": [],
        "caches": [],
        "needed": None,
        "depth": 4,
        "served": False,
        "detail": False,
    }
    return model_inventory.look({**default, "state_dir": "/nowhere", **params})


def test_given_folders_come_first_and_in_their_order(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write_model(tmp_path / name)
    models = look(paths=[f"{tmp_path}/none", f"{tmp_path}/b/"], roots=[str(tmp_path)])["models"]
    assert [model["path"] for model in models] == [f"{tmp_path}/{name}" for name in ("none", "b", "a", "c")]
    assert [model["complete"] for model in models] == [False, True, True, True]


def test_a_root_and_a_cache_are_searched(tmp_path: Path) -> None:
    write_model(tmp_path / "models" / "lab" / "tiny")
    write_cached(tmp_path / "cache" / "hub")
    models = look(roots=[f"{tmp_path}/models"], caches=[f"{tmp_path}/cache"])["models"]
    assert [model["name"] for model in models] == ["lab/tiny", "example/tiny"]


def test_a_cache_below_a_root_is_told_once(tmp_path: Path) -> None:
    snapshot = write_cached(tmp_path / "hub")
    models = look(roots=[str(tmp_path)], caches=[str(tmp_path)])["models"]
    assert [model["path"] for model in models] == [str(snapshot)]


def test_one_folder_in_detail(tmp_path: Path) -> None:
    folder = str(write_model(tmp_path / "tiny"))
    (model,) = look(paths=[folder], detail=True)["models"]
    assert (model["config"], model["weights"]) == (CONFIG, {"mlp": 32, "vocabulary": 192})
    assert (look(paths=[folder])["models"][0]["config"], look(paths=[folder])["models"][0]["weights"]) == ({}, {})


def test_several_folders_in_detail_one_of_which_is_not_there(tmp_path: Path) -> None:
    folder = str(write_model(tmp_path / "tiny"))
    models = look(paths=[f"{tmp_path}/none", folder], detail=True)["models"]
    assert [(model["complete"], bool(model["config"])) for model in models] == [(False, False), (True, True)]


@pytest.mark.parametrize("params", [{"paths": ["/a"], "roots": ["/b"]}, {"roots": ["/a"]}, {"caches": ["/a"]}])
def test_detail_is_for_folders_that_are_named(params: dict[str, t.Any]) -> None:
    with pytest.raises(SparkError, match="folders that are named"):
        look(detail=True, **params)


def test_what_can_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(root: str, depth: int) -> t.NoReturn:
        raise PermissionError(13, "Permission denied", root)

    monkeypatch.setattr(_models, "find", refuse)
    with pytest.raises(SparkError, match=r"can't be read: .*Permission denied"):
        look(roots=[str(tmp_path)])


def test_who_uses_a_model_is_told_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = write_model(tmp_path / "real" / "served")
    (write_model(tmp_path / "models" / "idle") / TWO).unlink()
    (tmp_path / "models" / "served").symlink_to(real)
    server = Server("sglang", "alpha", 0, 30000, "", "running", "tiny", str(real), ("tiny",), "answers")
    monkeypatch.setattr(_serving, "look", lambda state_dir, needed: (Known(servers=(server,)), ""))
    found = look(roots=[f"{tmp_path}/models"], served=True, needed=[])
    uses = {model["name"]: (model["complete"], model["served_by"], model["unused"]) for model in found["models"]}
    assert uses == {"idle": (False, (), True), "served": (True, ("sglang:30000",), False)}
    assert [one["names"] for one in found["servers"]] == [("tiny",)]
    assert "servers" not in look(roots=[str(tmp_path)])

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers are written whatever happens to the drawing, and the drawing shows them."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.dgxspark.sglang.plugins.action import nccl_report
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError

SIZES = [8, 2**20, 2**30]


def report(count: int = 1, points: bool = True) -> dict[str, t.Any]:
    given = [
        {"collective": name, "bytes": size, "busbw": 20.0} for size in SIZES for name in ("all_gather", "all_reduce")
    ]
    one = {"nodes": ["spark-01", "spark-02"], "state": "passed", "name": "both_rails", "line_rate": 25.0}
    return {"cluster": "alpha", "measurements": [{**one, "points": given if points else []}] * count}


def test_both_files_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "reports/alpha"
    nccl_report.write(report(), folder)
    assert json.loads((folder / "nccl.json").read_text())["measurements"] == report()["measurements"]
    assert ElementTree.parse(folder / "nccl.svg").getroot().tag.endswith("svg")


def test_the_numbers_stay_when_the_drawing_can_not_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nccl_report, "HAVE_MATPLOTLIB", False)
    with pytest.raises(SparkError, match="needs matplotlib") as caught:
        nccl_report.write(report(), tmp_path)
    assert "pip install matplotlib" in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nccl.json"]


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SparkError, match="can't be written"):
        nccl_report.write(report(), tmp_path / "file")


@pytest.mark.parametrize("count", [1, 3])
def test_the_drawing_has_a_panel_for_each_measurement(count: int) -> None:
    drawn = nccl_report.draw(report(count))
    assert drawn.count("spark-01, spark-02: passed (both rails)") == count
    assert drawn.count("line rate 25 GB/s") == count
    assert all(f">{label}<" in drawn for label in ("8 B", "1 MiB", "1 GiB", "all-gather", "all-reduce"))


def test_the_same_numbers_give_the_same_drawing() -> None:
    assert nccl_report.draw(report()) == nccl_report.draw(report())


def test_nothing_measured_is_drawn_as_that() -> None:
    assert "nothing was measured" in nccl_report.draw(report(points=False))

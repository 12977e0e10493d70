# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster is broken in every way of the catalogue: nothing is left half alive, and nobody is told that it is well."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.dgxspark.sglang.tests.faults.fault import Fault
from ansible_collections.dgxspark.sglang.tests.faults.record import save
from ansible_collections.dgxspark.sglang.tests.faults.scene import Scene


def test_fault(
    fault: Fault, scene: Scene, bare_again: t.Callable[[], None], records: Path, found_versions: dict[str, str]
) -> None:
    try:
        scene.prepare(fault.serving)
    except AssertionError:
        bare_again()
        scene.prepare(fault.serving)
    crash: Exception | None = None
    try:
        fault.run(scene)
    except Exception as error:  # what the damage led to is worth a record, too
        crash = error
        scene.wrong.append(f"the test of it ended with {type(error).__name__}: {error}")
    record = scene.judge(fault)
    record.versions = found_versions
    save(records, record)
    assert record.green, "\n".join(record.wrong)
    assert crash is None

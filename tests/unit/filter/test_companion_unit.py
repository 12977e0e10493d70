# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter hands on what the role describes; the unit itself is tested with the kernel."""

from __future__ import annotations

from ansible_collections.dgxspark.sglang.plugins.filter.companion_unit import FilterModule, companion_unit
from ansible_collections.dgxspark.sglang.tests.unit.companion_builders import CHECKED, IMAGE, asked


def test_the_filter_is_registered() -> None:
    assert FilterModule().filters() == {"companion_unit": companion_unit}


def test_a_unit_runs_the_image() -> None:
    text = companion_unit(asked(), CHECKED, IMAGE)
    assert f" {IMAGE} serve --config " in text

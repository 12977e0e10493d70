# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which faults run, on which cluster, and where their records go."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.molecule.cluster import LAB, PAIR, REPO
from ansible_collections.dgxspark.sglang.tests.faults.catalogue import chosen
from ansible_collections.dgxspark.sglang.tests.faults.scene import Scene
from ansible_collections.dgxspark.sglang.tests.faults.versions import versions


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="only the faults that run with every change")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fault" in metafunc.fixturenames:
        faults = chosen(metafunc.config.getoption("--quick"))
        metafunc.parametrize("fault", faults, ids=[fault.name for fault in faults])


@pytest.fixture(scope="session")
def records(request: pytest.FixtureRequest) -> Path:
    """Where records go; only a whole run makes the page."""
    return REPO / ".cache" / ("faults-quick" if request.config.getoption("--quick") else "faults")


@pytest.fixture(scope="session")
def found_versions() -> dict[str, str]:
    return versions(PAIR)


@pytest.fixture
def scene() -> t.Iterator[Scene]:
    """The pair; after a test, what was damaged is repaired, whatever came of it."""
    scene = Scene(PAIR)
    try:
        yield scene
    finally:
        scene.undo.close()


@pytest.fixture
def bare_again() -> t.Callable[[], None]:
    """Give the nodes back bare: a fault that left them unusable must not hide what comes of the next ones."""

    def reset() -> None:
        subprocess.run([*LAB, "reset", "--nodes", "2", "--keep-images"], check=True, timeout=600)

    return reset

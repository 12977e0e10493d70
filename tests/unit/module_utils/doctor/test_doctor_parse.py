# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what a node's commands print to facts."""

from __future__ import annotations

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.doctor._doctor import version
from ansible_collections.dgxspark.sglang.plugins.module_utils.doctor._facts import App, Gpu
from ansible_collections.dgxspark.sglang.plugins.module_utils.doctor._parse import clock_offset
from ansible_collections.dgxspark.sglang.tests.unit.doctor_builders import GIB, OURS, container, facts


def test_the_facts_of_a_healthy_node() -> None:
    seen = facts(1)
    assert (seen.os["PRETTY_NAME"], seen.dgx, seen.kernel) == ("Ubuntu 24.04.4 LTS", "7.5.0", "6.17.0-1029-nvidia")
    assert seen.gpus == (Gpu("NVIDIA GB10", "580.173.02", 208, 0, 1),)
    assert (seen.cuda, seen.docker, seen.gpu_ways) == ("13.0", "29.2.1", ("runtime nvidia", "CDI"))
    assert (seen.memory["MemTotal"] // GIB, seen.load, seen.synchronized) == (121, 0.37, True)
    assert ([function.netdev for function in seen.functions if function.state == "ACTIVE"], seen.hotplug) == (
        ["enp1s0f1np1", "enP2p1s0f1np1"],
        False,
    )


def test_the_dgx_release_before_any_update() -> None:
    assert facts(1, dgx_release='DGX_SWBUILD_VERSION="7.2.3"').dgx == "7.2.3"


def test_what_gb10_does_not_tell_is_unknown() -> None:
    seen = facts(1, smi="NVIDIA GB10, 580.142, [N/A], [Not Supported], [N/A]\n", smi_apps="7, x, [N/A]\n")
    assert (seen.gpus, seen.apps) == ((Gpu("NVIDIA GB10", "580.142", -1, -1, 0),), (App(7, "x"),))


def test_a_process_is_known_by_the_container_that_it_runs_in() -> None:
    seen = facts(
        1,
        smi_apps="812, /usr/bin/python3, 2048\n",
        app_containers={"812": OURS},
        docker__containers=[container("sglang", ours=True)],
    )
    assert seen.apps == (App(812, "/usr/bin/python3", 2 * GIB, "sglang", True),)


def test_the_cuda_version_of_an_older_nvidia_smi() -> None:
    """Its --version prints the whole screen."""
    assert facts(1, smi_version="| NVIDIA-SMI 580.95   Driver Version: 580.95   CUDA Version: 13.0  |").cuda == "13.0"


def test_an_ordinary_node_without_anything() -> None:
    bare = facts(1, smi="", smi_apps="", smi_version="", docker__info={}, docker__image={}, dgx_release="", sys={})
    assert (bare.gpus, bare.cuda, bare.docker, bare.image_id, bare.gpu_ways, bare.functions) == ((), "", "", "", (), ())


@pytest.mark.parametrize(
    ("times", "offset", "uncertainty"),
    [
        pytest.param((100.0, 100.5, 101.5, 102.0), 0.0, 0.5, id="the same clock"),
        pytest.param((100.0, 130.5, 131.5, 102.0), 30.0, 0.5, id="half a minute ahead"),
        pytest.param((100.0, 90.0, 90.1, 100.1), -10.0, 0.0, id="behind, no time on the way"),
        pytest.param((100.0, 104.0, 105.0, 105.0), 2.0, 2.0, id="all of the way before: as wrong as it says"),
    ],
)
def test_the_offset_of_a_clock(times: tuple[float, float, float, float], offset: float, uncertainty: float) -> None:
    assert clock_offset(*times) == pytest.approx((offset, uncertainty))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("580.159.03", (580, 159, 3)), ("13.0", (13, 0)), ("2.28.9\n", (2, 28, 9)), ("", ()), ("N/A", ())],
)
def test_versions_are_compared_as_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert version(text) == expected

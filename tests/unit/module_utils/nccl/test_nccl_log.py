# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What recorded logs of NCCL and of the sweep prove."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.nccl import _log
from ansible_collections.dgxspark.sglang.plugins.module_utils.nccl._log import Evidence, evidence, phase, sweep

LOGS = Path(__file__).parents[2] / "data/nccl"
SPARK = ("roceP2p1s0f1", "rocep1s0f1")
OTHER = ("roceP2p1s0f0", "rocep1s0f0")
POINT = 'SWEEP {"collective": "all_reduce", "bytes": 67108864, "time_us": 3091.2, "busbw": 21.71, "wrong": 0}'
USING = "NET/IB : Using [0]rocep1s0f1:1/RoCE [1]roceP2p1s0f1:1/RoCE [RO]; OOB enp1s0f1np1:192.168.100.11<0>"


def log(name: str) -> list[str]:
    return (LOGS / f"{name}.log").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("name", "transport", "devices", "version"),
    [
        ("h200-socket", "socket", ("lo",), "2.28.9"),
        ("h200-no-rdma-device", "socket", ("lo",), "2.28.9"),
        # NCCL says "Using network Socket" here, too, and then does not need it.
        ("h200-shm", "local", (), "2.28.9"),
        ("h200-p2p", "local", (), "2.28.9"),
        ("h200-no-interface", "", (), ""),
        ("spark-both-rails", "rdma", SPARK, "2.28.9"),
        ("spark-degraded", "rdma", OTHER, "2.28.9"),
        ("spark-plugin-one-rail", "rdma", ("rocep1s0f0",), ""),
    ],
)
def test_recorded_logs_prove_their_transport(name: str, transport: str, devices: tuple[str, ...], version: str) -> None:
    found = evidence(log(name))
    assert (found.transport, found.devices, found.version) == (transport, devices, version)


@pytest.mark.parametrize(
    ("name", "mtu", "link_local"),
    [("spark-both-rails", 1024, SPARK[:1]), ("spark-degraded", 1024, OTHER[:1]), ("h200-socket", 0, ())],
)
def test_packet_size_and_addresses_of_queue_pairs_are_read(name: str, mtu: int, link_local: tuple[str, ...]) -> None:
    found = evidence(log(name))
    assert (found.rdma_mtu, found.link_local) == (mtu, link_local)


@pytest.mark.parametrize(
    ("lines", "transport", "devices"),
    [
        ([], "", ()),
        ([USING, "Using network IB"], "rdma", SPARK),
        ([USING, "Channel 00/0 : 1[0] -> 0[0] [receive] via NET/IB/0"], "rdma", SPARK[1:]),
        ([USING, "Channel 00/0 : 1[0] -> 0[0] [receive] via NET/IB/1/GDRDMA"], "rdma", SPARK[:1]),
        ([USING, "Channel 00/0 : 1[0] -> 0[0] via NET/IBext_v10/0", "Channel 01 via NET/IBext_v10/1"], "rdma", SPARK),
        (
            [USING, "Made virtual device [2] name=rocep1s0f1+roceP2p1s0f1 speed=400000 ndevs=2", "x via NET/IB/2"],
            "rdma",
            SPARK,
        ),
        ([USING, "Channel 00/0 via NET/IB/0", "Channel 01/0 via NET/Socket/0"], "socket", ()),
        (["NET/Socket : Using [0]a:10.0.0.1<0> [1]b:10.0.1.1<0>", "Using network Socket"], "socket", ("a", "b")),
        (["Using network IBext_v10"], "rdma", ()),
    ],
)
def test_connections_go_before_intentions(lines: list[str], transport: str, devices: tuple[str, ...]) -> None:
    found = evidence(lines)
    assert (found.transport, found.devices) == (transport, devices)


def test_evidence_is_a_few_lines_without_their_prefix() -> None:
    found = evidence(log("h200-no-rdma-device")).lines
    assert found[:3] == (
        "NET/IB : No device found.",
        "NET/IB : Using [RO]; OOB lo:127.0.0.1<0>",
        "NET/Socket : Using [0]lo:127.0.0.1<0>",
    )
    assert len(found) == 6


def test_the_sweep_names_the_library_when_nccl_does_not() -> None:
    assert evidence(['SWEEP {"event": "begin", "nccl": "2.30.4"}']) == Evidence(version="2.30.4")


def test_points_and_events_are_read() -> None:
    found = sweep(log("h200-socket"))
    assert (len(found.points), found.left_out, found.began, found.ended, found.nccl) == (8, 0, True, True, "2.28.9")
    assert {point["collective"] for point in found.points} == {"all_gather", "all_reduce"}
    assert all(point["wrong"] == 0 for point in found.points)


@pytest.mark.parametrize("line", ["SWEEP {", "SWEEP [1]", "SWEEP", "", "SWEEP {}SWEEP {}"])
def test_a_torn_line_is_no_number(line: str) -> None:
    assert sweep([line, POINT]).points == sweep([POINT]).points


def test_a_number_behind_a_word_of_nccl_counts() -> None:
    assert len(sweep([f"vm:1:1 [0] NCCL INFO {POINT}"]).points) == 1


def test_what_was_left_out_is_counted() -> None:
    assert sweep(['SWEEP {"event": "skipped", "collective": "all_gather", "bytes": 8}'] * 2).left_out == 2


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "starting"),
        (['SWEEP {"event": "waiting"}'], "waiting for the other ranks"),
        (['SWEEP {"event": "begin"}'], "measuring"),
        (['SWEEP {"event": "begin"}', POINT], "all_reduce of 64 MiB: 3091 us, 21.71 GB/s"),
        ([POINT, 'SWEEP {"event": "end"}'], "measured"),
    ],
)
def test_the_phase_is_for_people(lines: list[str], expected: str) -> None:
    assert phase(lines) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (8, "8 B"),
        (1024, "1 KiB"),
        (1020, "1020 B"),
        (3 * 2**19, "1.5 MiB"),
        (2**30, "1 GiB"),
        (2**30 - 4, "1024.0 MiB"),
    ],
)
def test_sizes_are_said_as_people_say_them(count: int, expected: str) -> None:
    assert _log.size(count) == expected


@pytest.mark.parametrize(
    ("lines", "exit_code", "meaning", "echo"),
    [
        (log("h200-no-interface"), 1, "The interface that the rank was given does not exist", False),
        (["ModuleNotFoundError: No module named 'torch'"], 1, "The image has no PyTorch.", False),
        (["Timeout (0:03:30)!", "Thread 0x1 (most recent call first):"], 1, "A call hung", False),
        (["NET/IB: Got completion with status=12 IBV_WC_RETRY_EXC_ERR"], 1, "RDMA packets were lost", True),
        (["torch.distributed.DistStoreError: Timed out after 61 seconds waiting for clients. 1/2"], 1, "in vain", True),
        (["RuntimeError: Connection closed by peer [192.168.100.12]:1234"], 1, "Another rank went away", True),
        ([], 137, "killed from outside", False),
        (["?"], 3, "ended with exit code 3", False),
    ],
)
def test_an_end_has_a_cause(lines: list[str], exit_code: int, meaning: str, echo: bool) -> None:
    what, hint, found = _log.failure(lines, exit_code, False)
    assert meaning in what
    assert hint
    assert found == echo

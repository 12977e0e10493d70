# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every check both ways: nothing but ok on a healthy pair, and for each planted fault exactly its finding."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.doctor._doctor import Finding
from ansible_collections.dgxspark.sglang.plugins.module_utils.doctor._parse import parse_facts
from ansible_collections.dgxspark.sglang.plugins.module_utils.doctor._report import CHECKS, examine
from ansible_collections.dgxspark.sglang.tests.unit.doctor_builders import (
    GIB,
    OTHER_ID,
    OURS,
    THEIRS,
    bad,
    container,
    face,
    faces,
    facts,
    meminfo,
    pair,
    sys_tree,
    wanted,
)

Change = dict[str, t.Any]
KHO: Change = {"kernel": "7.0.0-1019-nvidia", "meminfo": meminfo(CmaTotal=0.0, CmaFree=9.3)}
BUSY: Change = {"smi_apps": "812, python3, 96000\n", "app_containers": {"812": OURS}}
SERVING: Change = {"docker__containers": [container("sglang", ours=True)]}
GONE: Change = {"docker__image": {}}
APART: Change = {"docker__image": {"Id": OTHER_ID, "RepoDigests": [], "Size": 1}}
TAKEN: Change = {"30000": {"pid": 812, "process": "nginx", "container_id": ""}}
# What a person wrote has none of our Conflicts; Ollama's own installer makes one that holds nothing until it is used.
VLLM = "Id=vllm.service\nActiveState=active\nSubState=running\nUnitFileState=enabled\n"
OLLAMA = "Id=ollama.service\nActiveState=active\nUnitFileState=enabled\nConflicts={}\n"
SMALL = {"path": "/var/lib/docker", "free": 10 * GIB, "total": 100 * GIB}
MIDDLE = {"path": "/var/lib/docker", "free": 30 * GIB, "total": 100 * GIB}
MODELS = {"path": "/home", "free": 10 * GIB, "total": 100 * GIB}


def smi(
    name: str = "NVIDIA GB10", driver: str = "580.173.02", clock: int = 208, use: str = "0", reasons: str = "0x1"
) -> str:
    return f"{name}, {driver}, {clock}, {use}, {reasons}\n"


def test_a_healthy_pair_has_no_finding_and_every_check_but_two_applies() -> None:
    """Clocks are judged on a busy GPU, disks where something is missing."""
    found = pair()
    assert bad(found) == []
    assert {check.name for check in CHECKS} - {item.check for item in found} == {"gpu-clocks", "disk"}


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        # system
        ({"os_release": 'PRETTY_NAME="Debian 12"\nID=debian\nVERSION_ID="12"'}, [("info", "os")]),
        ({"meminfo": meminfo(SwapTotal=16.0, SwapFree=15.0)}, [("info", "swap")]),
        ({"loadavg": "30.0 25.0 9.0 1/812 4711"}, [("info", "load")]),
        ({"memlock": "8192"}, [("warn", "memlock")]),
        ({"hosts": ["127.0.1.1 spark-02"]}, [("info", "own-name")]),
        ({"clock__synchronized": "no"}, [("info", "time-sync")]),
        # memory: 61 GiB of weights on two nodes are 30.5 GiB, of which 0.75 of the available must be room
        ({"meminfo": meminfo(available=40.0)}, [("warn", "memory"), ("warn", "memory-balance", "")]),
        ({"meminfo": meminfo(available=90.0)}, [("warn", "memory"), ("warn", "memory-balance", "")]),
        ({"meminfo": meminfo(available=100.0)}, [("warn", "memory-balance", "")]),
        # GPU
        ({"smi": "", "smi_error": "nvidia-smi: No such file or directory", "smi_version": ""}, [("fail", "gpu")]),
        ({"smi": smi("NVIDIA GH200")}, [("info", "gpu")]),
        ({"smi": smi(driver="580.142")}, [("warn", "driver"), ("warn", "versions", "")]),
        ({"smi_version": "CUDA Version : 12.9"}, [("warn", "cuda"), ("warn", "versions", "")]),
        ({"smi": smi(clock=702, use="96"), **BUSY, **SERVING}, [("warn", "gpu-clocks")]),
        ({"smi": smi(clock=850, use="50"), **BUSY, **SERVING}, [("warn", "gpu-clocks")]),
        ({"smi": smi(reasons="0x0000000000000008")}, [("warn", "gpu-throttle")]),
        ({"smi": smi(reasons="0x0000000000000020")}, [("warn", "gpu-throttle")]),
        ({"smi": smi(reasons="0x0000000000000040")}, [("warn", "gpu-throttle")]),
        ({"smi": smi(reasons="0x0000000000000081")}, [("warn", "gpu-throttle")]),
        ({"smi_apps": "812, python3, 33000\n"}, [("warn", "gpu-tenants")]),
        ({"smi_apps": "812, python3, [N/A]\n"}, [("warn", "gpu-tenants")]),
        # Docker
        ({"docker__error": "Cannot connect to the Docker daemon", "docker__info": {}}, [("fail", "docker")]),
        (
            {"docker__error": "docker: No such file", "docker__info": {}, "docker__sdk": False},
            [("fail", "docker"), ("fail", "docker-sdk")],
        ),
        ({"docker__sdk": False}, [("fail", "docker-sdk")]),
        ({"docker__info": {"ServerVersion": "29.2.1", "Runtimes": {"runc": {}}}}, [("fail", "gpu-runtime")]),
        (
            {"docker__info": {"ServerVersion": "29.2.1", "Runtimes": {"runc": {}}}, "docker__toolkit": False},
            [("fail", "gpu-runtime")],
        ),
        ({"docker__info": {"ServerVersion": "28.0.1", "Runtimes": {"nvidia": {}}}}, [("info", "versions", "")]),
        ({"groups": ["spark", "sudo"]}, [("info", "docker-group")]),
        ({"docker__containers": [container("sglang", ours=False, running=False)]}, [("fail", "instance-name")]),
        ({"docker__containers": [container("webui", ours=False)]}, [("info", "other-containers")]),
        ({"units": VLLM}, [("fail", "other-engines")]),
        ({"units": VLLM.replace("active\n", "activating\n", 1)}, [("fail", "other-engines")]),
        ({"units": VLLM.replace("ActiveState=active", "ActiveState=failed")}, [("warn", "other-engines")]),
        ({"units": OLLAMA.format("")}, []),
        ({"units": OLLAMA.format("dgxspark-sglang@sglang.service vllm.service")}, [("fail", "other-engines")]),
        ({"ports": TAKEN}, [("fail", "ports")]),
        ({"registry__found": False}, [("info", "registry")]),
        ({"registry__found": False, **GONE}, [("warn", "registry"), ("info", "image")]),
        ({"nccl__version": "2.28.9"}, [("warn", "nccl")]),
        ({"nccl__version": "2.29.2"}, [("warn", "nccl")]),
        ({"nccl__version": "2.29.3"}, [("info", "nccl")]),
        ({"nccl__version": ""}, [("warn", "nccl")]),
        ({"nccl": {"version": "", "error": "docker did not answer within 30 s"}}, [("warn", "nccl")]),
        # kernel
        (KHO, [("warn", "kernel"), ("warn", "versions", "")]),
        ({"kernel": "7.0.0-31-generic"}, [("warn", "kernel"), ("warn", "versions", "")]),
        # fabric
        ({"sys": sys_tree("hot-plugged-away")}, [("fail", "rails")]),
        ({"sys": sys_tree("no-cable")}, [("fail", "rails")]),
        ({"sys": sys_tree("one-rail-up")}, [("warn", "rails")]),
        ({"sys": sys_tree("degraded")}, [("warn", "pcie")]),
        ({"sys": sys_tree(rocep1s0f1__device__current_link_speed="2.5 GT/s PCIe")}, [("warn", "pcie")]),
        ({"sys": sys_tree(net__enp1s0f1np1__speed="100000")}, [("warn", "link-speed")]),
        ({"sys": {**sys_tree(), "/etc/nvidia/cx7-hotplug-enabled": ""}}, [("warn", "hotplug")]),
        ({"sys": sys_tree(rocep1s0f1__fw_ver="28.43.1014")}, [("warn", "versions", "")]),
        ({"interfaces": faces(2)[:3]}, [("fail", "fabric-addresses")]),
        ({"interfaces": [*faces(2)[:3], {**faces(2)[3], "up": False}]}, [("fail", "fabric-addresses")]),
        ({"interfaces": [*faces(2)[:3], {**faces(2)[3], "rdma_device": ""}]}, [("fail", "fabric-addresses")]),
        ({"prefixes": {"10.0.0.12": 24, "192.168.100.12": 23, "192.168.101.12": 23}}, [("warn", "subnets")]),
        (
            {
                "interfaces": [*faces(2)[2:], face("enP7s7", ["192.168.100.77"])],
                "prefixes": {"192.168.100.77": 24, "192.168.100.12": 24, "192.168.101.12": 24},
            },
            [("fail", "subnets")],
        ),
        (
            {
                "interfaces": [*faces(2), face("wlP9s9", ["192.168.101.77"])],
                "prefixes": {"192.168.101.77": 24, "192.168.100.12": 24, "192.168.101.12": 24},
            },
            [("warn", "subnets")],
        ),
        # across nodes
        ({"interfaces": faces(2, second=1500)}, [("fail", "mtu")]),
        ({"interfaces": [*faces(2), face("eth9", ["192.168.100.11"])]}, [("fail", "address-collision")]),
        ({"clock": {"offset": 5.0, "uncertainty": 0.5}}, [("warn", "clock-skew", "")]),
        ({"dgx_release": 'DGX_SWBUILD_VERSION="7.2.3"'}, [("warn", "versions", "")]),
        ({"bios": "5.30"}, [("warn", "versions", "")]),
        (APART, [("fail", "image", "")]),
        (GONE, [("info", "image")]),
        ({**GONE, "disks__docker": SMALL}, [("fail", "disk"), ("info", "image")]),
        ({**GONE, "disks__docker": MIDDLE}, [("warn", "disk"), ("info", "image")]),
        ({"model_bytes": 0, "disks__model": MODELS}, [("fail", "disk")]),
    ],
)
def test_a_planted_fault_is_found_and_nothing_else(second: Change, expected: list[tuple[str, ...]]) -> None:
    assert sorted(bad(pair(second))) == sorted(
        (item[0], item[1], item[2] if len(item) > 2 else "spark-02") for item in expected
    )


@pytest.mark.parametrize(
    "second",
    [
        pytest.param({"cmdline": "ro kho=off", **KHO, "kernel": "6.17.0-1029-nvidia"}, id="KHO is off"),
        pytest.param({"meminfo": meminfo(CmaTotal=0.03, CmaFree=0.02)}, id="ordinary CMA"),
        pytest.param({"smi": smi(clock=2398, use="96"), **BUSY, **SERVING}, id="busy and fast"),
        pytest.param({"smi": smi(clock=702, use="96")}, id="slow, but nobody computes"),
        pytest.param({"smi": smi(clock=702, use="3"), **BUSY, **SERVING}, id="slow, because idle between requests"),
        pytest.param({"smi": smi(reasons="0x4")}, id="at its power limit, which is normal"),
        pytest.param({"smi_apps": "812, gnome-remote-desktop, 120\n"}, id="a desktop on the GPU"),
        pytest.param({"meminfo": meminfo(available=9.0), **BUSY, **SERVING}, id="our server holds the memory"),
        pytest.param({"registry__found": False, "docker__info__HttpsProxy": "http://proxy:3128"}, id="behind a proxy"),
        pytest.param({"smi": smi(clock=851, use="100"), **BUSY, **SERVING}, id="just fast enough"),
        pytest.param({"nccl__version": "2.30.4"}, id="the NCCL that is advised"),
        pytest.param({"meminfo": meminfo(available=100.9)}, id="nine tenths of the other's memory"),
        pytest.param({"clock": {"offset": 2.3, "uncertainty": 0.3}}, id="a little ahead"),
        pytest.param({"meminfo": meminfo(SwapTotal=0.0)}, id="no swap"),
        pytest.param({"docker__image__Id": OTHER_ID}, id="another image store, the same digest"),
        pytest.param({"clock": {"offset": 5.0, "uncertainty": 3.0}}, id="a slow connection is no skew"),
        pytest.param({"ports": {"50000": TAKEN["30000"]}}, id="a port that only the head needs"),
        pytest.param(
            {"ports": {"30000": {"pid": 1, "process": "python3", "container_id": OURS}}, **SERVING}, id="our own port"
        ),
        pytest.param({"loadavg": "30.0 25.0 9.0 1/812 4711", **SERVING}, id="our server makes the load"),
        pytest.param(
            {"docker__hook": True, "docker__info__Runtimes": {}, "docker__info__DiscoveredDevices": None}, id="hook"
        ),
    ],
)
def test_what_looks_like_a_fault_and_is_none(second: Change) -> None:
    assert bad(pair(second)) == []


def flags(*unset: str) -> dict[str, str]:
    return {f"/sys/class/net/{netdev}/flags": "0x1002" for netdev in unset}


@pytest.mark.parametrize(
    ("second", "remedy"),
    [
        pytest.param(
            {"sys": {**sys_tree("no-cable"), **flags("enp1s0f1np1", "enP2p1s0f1np1")}},
            "sudo ip link set enp1s0f1np1 up && sudo ip link set enP2p1s0f1np1 up; after some seconds the port tells of"
            " its cable: then run this again.",
            id="none is up",
        ),
        pytest.param(
            {"sys": {**sys_tree("one-rail-up"), **flags("enP2p1s0f1np1")}},
            "sudo ip link set enP2p1s0f1np1 up; after some seconds the port tells of its cable: then run this again.",
            id="one is up",
        ),
        pytest.param({"sys": sys_tree("no-cable")}, "check the QSFP cable, and that the peer is on.", id="no cable"),
        pytest.param(
            {"sys": sys_tree("one-rail-up")},
            "reseat the QSFP cable, and boot with it in: one rail alone has half the bandwidth.",
            id="one port is down",
        ),
        pytest.param(
            {"sys": {}},
            "check the QSFP cable and the peer's power; after the hot-plug service took the card away, only"
            " a reboot brings it back.",
            id="no card",
        ),
    ],
)
def test_rails_that_no_role_can_bring_up_have_a_next_step(second: Change, remedy: str) -> None:
    """The role fabric sets no interface up before it knows that there is a cable."""
    (found,) = [item for item in pair(second) if item.check == "rails" and item.severity != "ok"]
    assert (found.remedy, found.fixed_by) == (remedy, "")


@pytest.mark.parametrize(
    ("unset", "remedy"),
    [
        (
            ["enP2p1s0f1np1"],
            "sudo ip link set enP2p1s0f1np1 up; after some seconds the port tells of its cable: then run this again.",
        ),
        ([], "check the QSFP cable, and that the peer is on."),
    ],
)
def test_an_address_on_an_interface_that_is_down(unset: list[str], remedy: str) -> None:
    down = {"interfaces": [*faces(2)[:3], {**faces(2)[3], "up": False}], "sys": {**sys_tree(), **flags(*unset)}}
    (found,) = [item for item in pair(down) if item.check == "fabric-addresses" and item.severity != "ok"]
    assert found.remedy == remedy


def applied(findings: list[Finding]) -> set[str]:
    return {item.check for item in findings}


ALL = {check.name for check in CHECKS}
GPU = {
    "gpu",
    "driver",
    "cuda",
    "gpu-clocks",
    "gpu-throttle",
    "gpu-tenants",
    "gpu-runtime",
    "nccl",
    "swap",
    "memory-balance",
}
RDMA = {"rails", "link-speed", "pcie", "hotplug", "kernel", "memlock"}
MULTI = {
    "fabric-addresses",
    "subnets",
    "address-collision",
    "mtu",
    "own-name",
    "nccl",
    "clock-skew",
    "versions",
    "memory-balance",
}
QUIET = {"gpu-clocks", "disk"}


@pytest.mark.parametrize(
    ("asked", "left_out"),
    [
        pytest.param({"gpus": "none"}, GPU, id="no GPU"),
        pytest.param({"transport": "socket"}, RDMA, id="sockets"),
        pytest.param({"nodes": ("spark-01",)}, RDMA | MULTI, id="one node"),
        pytest.param({"image": ""}, {"image", "registry", "request"}, id="no image"),
        pytest.param({"ports": {}}, {"ports"}, id="no ports"),
    ],
)
def test_a_check_that_does_not_apply_says_nothing(asked: Change, left_out: set[str]) -> None:
    nodes = [facts(number) for number in (1, 2)][: len(asked.get("nodes", "12"))]
    assert applied(examine(nodes, wanted(**asked))) == ALL - left_out - QUIET


def test_with_sockets_and_without_a_gpu_their_faults_are_none() -> None:
    broken = {"sys": {}, "smi": "", "smi_error": "nvidia-smi: No such file", "smi_version": "", "memlock": "8192"}
    assert bad(pair({**broken, "nccl__version": ""}, gpus="none", transport="socket")) == []


def test_sockets_get_through_with_mixed_mtu_but_slowly() -> None:
    assert bad(pair({"interfaces": faces(2, first=1500)}, transport="socket")) == [("warn", "mtu", "spark-02")]


def test_without_addresses_in_the_inventory_the_node_is_named() -> None:
    asked = {"spark-01": ("192.168.100.11", "192.168.101.11")}
    assert bad(pair(addresses=asked)) == [("fail", "fabric-addresses", "spark-02")]


def test_nccl_is_not_judged_unless_it_was_asked_for() -> None:
    assert [item for item in examine([facts(1, nccl=None)], wanted()) if item.check == "nccl"] == []


def test_a_request_that_is_refused_is_a_finding_among_the_others() -> None:
    findings = pair({"ports": TAKEN}, refusal=("Model 'x' is not in the catalogue.", "correct server_model."), image="")
    assert bad(findings) == [("fail", "ports", "spark-02"), ("fail", "request", "")]


def test_an_address_that_is_asked_for_twice_is_a_collision() -> None:
    asked = {"spark-01": ("192.168.100.11",), "spark-02": ("192.168.100.11",)}
    found = [item for item in bad(pair(addresses=asked)) if item[1] == "address-collision"]
    assert found == [("fail", "address-collision", "spark-02")]


def test_the_port_of_another_container_is_told_by_its_name() -> None:
    owner = {"30000": {"pid": 812, "process": "python3", "container_id": THEIRS}}
    found = pair({"ports": owner, "docker__containers": [container("vllm", ours=False)]})
    assert "port 30000 is taken by container vllm (pid 812)" in [item.found for item in found]


def test_the_hint_names_the_setting_of_the_instance() -> None:
    asked = {"spark-02": {"server_instances.embed.port": 30000}}
    (found,) = [item for item in pair({"ports": TAKEN}, ports=asked) if item.severity == "fail"]
    assert found.remedy == "stop it, or choose another server_instances.embed.port."


def test_a_node_that_gets_no_rank_needs_neither_ports_nor_image() -> None:
    idle = {"ports": TAKEN, **GONE, "disks__docker": SMALL, "model_bytes": 0, "disks__model": MODELS}
    assert bad(pair(idle, ranks=("spark-01",), ports={"spark-01": {"server_port": 30000}})) == []


def test_weights_are_shared_by_the_ranks() -> None:
    def needed(findings: list[Finding]) -> str:
        return next(item.needed for item in findings if (item.check, item.node) == ("memory", "spark-02"))

    tight = {"meminfo": meminfo(available=45.0)}
    assert needed(pair(tight)) == "91.3 GiB, the fraction 0.75"
    assert needed(pair(tight, ranks=("spark-02",))) == "81.3 GiB for the weights"


@pytest.mark.parametrize(
    ("result", "found", "remedy"),
    [
        (
            None,
            "has no result of node_doctor: --limit leaves it out, or it failed earlier in this run",
            "mend what failed before, and run it on all nodes of the cluster at once.",
        ),
        (
            {"failed": True, "msg": "no ip\n", "reason": "no ip", "hint": "install it."},
            "failed in node_doctor: no ip",
            "install it.",
        ),
        ({"failed": True, "msg": "boom"}, "failed in node_doctor: boom", "mend what it says, then look again."),
    ],
)
def test_a_node_that_was_not_seen_is_a_finding_and_hides_no_other(
    result: Change | None, found: str, remedy: str
) -> None:
    unseen, other = parse_facts("spark-01", result), facts(2, ports=TAKEN)
    findings = examine([unseen, other], wanted())
    assert [
        (item.found, item.remedy) for item in findings if item.check == "reachable" and item.severity == "fail"
    ] == [(found, remedy)]
    assert bad(findings) == [("fail", "reachable", "spark-01"), ("fail", "ports", "spark-02")]


def test_every_finding_that_is_not_ok_says_what_is_needed_and_what_to_do() -> None:
    faults: list[Change] = [{"ports": TAKEN}, {"smi": "", "smi_error": ""}, {"sys": {}}, {"memlock": "8"}, APART, KHO]
    for fault in faults:
        for item in pair(fault):
            if item.severity != "ok":
                assert (bool(item.needed), bool(item.remedy)) == (True, True), item


def test_a_check_has_a_name_of_its_own_and_says_what_it_is_about() -> None:
    assert len(ALL) == len(CHECKS)
    assert [check.name for check in CHECKS if not check.about] == []


@pytest.mark.parametrize(
    ("node", "suspect"),
    [
        ({"kernel": "7.0.0-1018-nvidia"}, False),
        ({"kernel": "7.0.0-1019-nvidia"}, True),
        ({"kernel": "7.0.0-1019-nvidia", "cmdline": "ro kho=off"}, False),
        ({"kernel": "7.0.0-1021-nvidia", "meminfo": meminfo(CmaTotal=0.0, CmaFree=0.0)}, False),
        ({"kernel": "7.0.0-30-generic"}, False),
        ({"kernel": "7.0.0-31-generic"}, True),
        ({"kernel": "7.1.0-9-generic", "meminfo": meminfo(CmaTotal=0.0, CmaFree=9.3)}, True),
    ],
)
def test_a_kernel_is_judged_by_what_it_shows_and_else_by_its_version(node: Change, suspect: bool) -> None:
    expected = [("warn", "kernel", "spark-01"), ("warn", "kernel", "spark-02")] if suspect else []
    assert bad(examine([facts(1, **node), facts(2, **node)], wanted())) == expected


def test_the_oldest_driver_that_is_advised_is_enough() -> None:
    oldest = {"smi": smi(driver="580.159.03")}
    assert bad(examine([facts(1, **oldest), facts(2, **oldest)], wanted())) == []


def test_twelve_faults_at_once_are_all_told() -> None:
    """The first node is fine: whatever is found is the second's, or between the two."""
    spoilt: Change = {
        **KHO,
        "memlock": "8192",
        "smi": smi(driver="580.95.05", reasons="0x40"),
        "docker__sdk": False,
        "docker__info": {"ServerVersion": "29.2.1", "Runtimes": {}},
        "docker__containers": [container("sglang", ours=False)],
        "ports": TAKEN,
        "nccl__version": "2.28.9",
        "sys": {**sys_tree("one-rail-up"), "/etc/nvidia/cx7-hotplug-enabled": ""},
        "interfaces": faces(2, first=1500),
        "clock": {"offset": -60.0, "uncertainty": 0.2},
        **APART,
    }
    told = {check for severity, check, _node in bad(pair(spoilt)) if severity in ("warn", "fail")}
    assert told == {
        "kernel",
        "memlock",
        "driver",
        "gpu-throttle",
        "docker-sdk",
        "gpu-runtime",
        "instance-name",
        "ports",
        "nccl",
        "rails",
        "hotplug",
        "mtu",
        "clock-skew",
        "versions",
        "image",
    }

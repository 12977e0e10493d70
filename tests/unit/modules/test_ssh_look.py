# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How ssh_look sees the user's files, sshd's port and the node's addresses."""

from __future__ import annotations

import json
import types
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.modules import ssh_look

# Shortened from `ip -json -details address show up` of iproute2 6.1.
IP_JSON = [
    {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
    {
        "ifname": "enP7s7",
        "addr_info": [
            {"family": "inet", "local": "10.0.0.11", "prefixlen": 24, "scope": "global"},
            {"family": "inet6", "local": "fd00::11", "prefixlen": 64, "scope": "global"},
            {"family": "inet6", "local": "fe80::11", "prefixlen": 64, "scope": "link"},
        ],
    },
    {
        "ifname": "enp1s0f1np1",
        "addr_info": [{"family": "inet", "local": "169.254.3.4", "prefixlen": 16, "scope": "link"}],
    },
    {
        "ifname": "docker0",
        "linkinfo": {"info_kind": "bridge"},
        "addr_info": [{"family": "inet", "local": "172.17.0.1", "prefixlen": 16, "scope": "global"}],
    },
]
Look = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ssh").mkdir(mode=0o700)
    tmp_path.chmod(0o750)
    return tmp_path


@pytest.fixture
def look(home: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    user = types.SimpleNamespace(pw_name="spark", pw_dir=str(home))
    monkeypatch.setattr(ssh_look.pwd, "getpwuid", lambda uid: user)
    monkeypatch.setattr(ssh_look, "configured_port", lambda: 2022)

    def run(port: int = 0, connection: str = "10.0.0.5 50000 10.0.0.11 2222", status: int = 0) -> dict[str, t.Any]:
        monkeypatch.setenv("SSH_CONNECTION", connection)
        answer = (status, json.dumps(IP_JSON), "no ip")
        module = types.SimpleNamespace(params={"port": port}, run_command=lambda command: answer)
        return ssh_look.look(t.cast(t.Any, module))

    return run


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, (2222, "10.0.0.11"), id="as this connection came in"),
        pytest.param({"port": 22}, (22, "10.0.0.11"), id="as asked for"),
        pytest.param({"connection": ""}, (2022, ""), id="no ssh connection"),
        pytest.param({"connection": "::ffff:10.0.0.5 5 ::ffff:10.0.0.11 22"}, (22, "10.0.0.11"), id="IPv4 in IPv6"),
    ],
)
def test_where_the_node_is_found(look: Look, given: dict[str, t.Any], expected: tuple[int, str]) -> None:
    found = look(**given)
    assert (found["port"], found["address"]) == expected


def test_bridges_and_addresses_of_one_link_are_no_ways_out(look: Look) -> None:
    assert look()["addresses"] == ["10.0.0.11/24", "fd00::11/64", "169.254.3.4/16"]


def test_the_key_is_read_when_it_is_there(look: Look, home: Path) -> None:
    before = look()["public_key"]
    (home / ".ssh/id_dgxspark_sglang.pub").write_text("ssh-ed25519 AAAA x\n", encoding="utf-8")
    assert (before, look()["public_key"]) == ("", "ssh-ed25519 AAAA x")


def test_what_others_may_write_to_is_told(look: Look, home: Path) -> None:
    before = look()["loose"]
    home.chmod(0o770)
    (home / ".ssh/authorized_keys").touch()
    (home / ".ssh/authorized_keys").chmod(0o666)
    assert (before, look()["loose"]) == ([], [str(home), str(home / ".ssh/authorized_keys")])


def test_a_node_without_ip_is_refused(look: Look) -> None:
    with pytest.raises(SparkError, match="no ip"):
        look(status=127)

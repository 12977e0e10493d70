# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first contact with nodes that know a password and no key, and the ways to an inventory."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from molecule.cluster import CORE, PAIR, REPO, Cluster

sys.path.insert(0, str(REPO / "tests" / "lab"))
from sparklab import config

AUTHORIZED = "/home/spark/.ssh/authorized_keys"


@pytest.fixture
def stranger(tmp_path: Path) -> t.Iterator[tuple[Cluster, dict[str, t.Any]]]:
    """The pair as a machine knows it that has a new key and no known host; and what its bootstrap is told."""
    key, known = tmp_path / "id_ed25519", tmp_path / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    inventory = tmp_path / "hosts.yml"
    text = PAIR.inventory.read_text()
    inventory.write_text(text.replace(str(config.SSH_KEY), str(key)).replace(str(config.KNOWN_HOSTS), str(known)))
    passwords = tmp_path / "passwords.yml"
    passwords.write_text(yaml.safe_dump({"ansible_password": config.PASSWORD}))
    printed = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
    told = {
        "bootstrap_fingerprints": {node: PAIR.run(node, *printed.split()).split()[1] for node in PAIR.nodes},
        "bootstrap_public_key": f"{key}.pub",
        "bootstrap_known_hosts": str(known),
        "passwords": str(passwords),
    }
    yield Cluster(inventory, PAIR.nodes), told
    # As the key was added, it goes: the nodes must be bare for what comes next.
    public = Path(f"{key}.pub").read_text().split()[1]
    for node in PAIR.nodes:
        PAIR.run(node, "sed", "-i", f"\\|{public}|d", AUTHORIZED)


def test_a_password_lets_a_key_in_and_is_seen_nowhere(stranger: tuple[Cluster, dict[str, t.Any]]) -> None:
    pair, told = stranger
    more = ["-e", f"@{told.pop('passwords')}", "-vvv"]
    first = pair.play("bootstrap.yml", *more, **told)
    assert first.code == 0
    assert config.PASSWORD not in first.output
    ping = [str(CORE / "ansible"), "-i", str(pair.inventory), "sparks", "-m", "ansible.builtin.ping"]
    assert subprocess.run(ping, cwd=REPO, capture_output=True, text=True, check=False).returncode == 0
    second = pair.play("bootstrap.yml", *more, **told)
    assert (second.code, set(second.changed.values())) == (0, {0})


def test_another_host_key_ends_it_before_a_password_is_sent(stranger: tuple[Cluster, dict[str, t.Any]]) -> None:
    pair, told = stranger
    more = ["-e", f"@{told.pop('passwords')}"]
    told["bootstrap_fingerprints"]["spark-02"] = "SHA256:" + "A" * 43
    before = {node: PAIR.run(node, "cat", AUTHORIZED) for node in PAIR.nodes}
    played = pair.play("bootstrap.yml", *more, **told)
    assert played.code != 0
    assert played.said("spark-02", "SHA256:" + "A" * 43)
    assert {node: PAIR.run(node, "cat", AUTHORIZED) for node in PAIR.nodes} == before


def test_the_nodes_find_each_other_by_mdns() -> None:
    said = PAIR.run("spark-01", "avahi-browse", "-rtp", "_ssh._tcp")
    assert "spark-02.local" in said


def test_the_configuration_of_nvidias_script_becomes_an_inventory(tmp_path: Path) -> None:
    nodes = [
        {"ip_address": f"10.254.88.1{index}", "port": 22, "user": "spark", "password": "not-to-be-written"}
        for index in (1, 2)
    ]
    source = tmp_path / "cluster.json"
    source.write_text(json.dumps({"nodes_info": nodes}))
    target = tmp_path / "inventory"
    played = PAIR.play("playbooks/import_inventory.yml", **{"from": str(source), "to": str(target)})
    assert played.code == 0
    written = "".join(path.read_text() for path in target.rglob("*") if path.is_file())
    assert "10.254.88.12" in written
    assert "not-to-be-written" not in written + played.output

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges of the lab and the nodes' way out to the package sources."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

from . import config, engine, ui

# The machine itself has no address on a rail: every one is the nodes' to choose.
INHIBIT = "--opt=com.docker.network.bridge.inhibit_ipv4=true"
MARK = ("-m", "comment", "--comment", config.LABEL)


def check_free() -> None:
    """Refuse to start where the machine already reaches one of our subnets in another way."""
    routes = json.loads(ui.output(["ip", "-json", "-4", "route"]) or "[]")
    ours = {network.bridge for network in config.NETWORKS}
    for route in routes:
        if route["dst"] == "default" or route["dev"] in ours:
            continue
        for network in config.NETWORKS:
            if ipaddress.ip_network(route["dst"]).overlaps(ipaddress.ip_network(network.subnet)):
                raise ui.LabError(f"{network.subnet} is in use on {route['dev']}; change it in {config.__file__}")


def ensure() -> None:
    """Create the networks that are missing."""
    for network in config.NETWORKS:
        if engine.query("network", "inspect", network.name):
            continue
        with ui.step(f"network {network.name} {network.subnet}"):
            engine.docker(
                "network", "create", f"--subnet={network.subnet}", f"--gateway={network.gateway}",
                f"--opt=com.docker.network.bridge.name={network.bridge}",
                f"--opt=com.docker.network.driver.mtu={network.mtu}",
                *(["--internal", INHIBIT] if network.bare else []), network.name,
            )  # fmt: skip


def remove_networks() -> None:
    """Remove the networks from the engine."""
    for network in config.NETWORKS:
        if engine.query("network", "inspect", network.name):
            engine.docker("network", "rm", network.name)


def remove_leftovers() -> None:
    """Remove bridges that a killed engine left, and our packet filter rules."""
    for network in config.NETWORKS:
        if Path(f"/sys/class/net/{network.bridge}").exists():
            ui.run(["ip", "link", "delete", network.bridge], check=False)
    for table, chain, rule in _rules():
        while _iptables("-C", table, chain, rule):
            _iptables("-D", table, chain, rule)


def open_way_out() -> None:
    """Let the management network out, so that apt works in a node; the rails stay closed, but open between nodes."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for table, chain, rule in _rules():
        if not _iptables("-C", table, chain, rule):
            _iptables("-I", table, chain, rule)


def _rules() -> list[tuple[str, str, list[str]]]:
    bridge, subnet = config.MANAGEMENT.bridge, config.MANAGEMENT.subnet
    return [
        ("nat", "POSTROUTING", ["-s", subnet, "!", "-o", bridge, "-j", "MASQUERADE"]),
        ("filter", "FORWARD", ["-i", bridge, "-j", "ACCEPT"]),
        ("filter", "FORWARD", ["-o", bridge, "-j", "ACCEPT"]),
        # Where br_netfilter is loaded, frames between two nodes pass the machine's packet filter, too.
        *(("filter", "FORWARD", ["-i", rail.bridge, "-o", rail.bridge, "-j", "ACCEPT"]) for rail in config.RAILS),
    ]


def _iptables(action: str, table: str, chain: str, rule: list[str]) -> bool:
    argv = ["/usr/sbin/iptables", "--wait", "-t", table, action, chain, *rule[:-2], *MARK, *rule[-2:]]
    return Path(argv[0]).exists() and ui.run(argv, check=False).returncode == 0

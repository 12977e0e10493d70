# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may reach a node: the rules of ufw, worded as `ufw show added` prints them, so that they can be compared."""

from __future__ import annotations

import ipaddress
import typing as t

from ._errors import Problem, SparkError


def rules(
    ssh_ports: t.Sequence[int],
    ssh_from: t.Sequence[str],
    api_ports: t.Sequence[int],
    api_from: t.Sequence[str],
    own: t.Sequence[str],
    peers: t.Sequence[t.Sequence[str]],
) -> list[str]:
    """Return the rules of one node: ssh, the API (`api_ports` is empty on all but the head), and its peers' rails.

    `own` and each of `peers`: fabric addresses, first rail first. Ranks meet at ports that NCCL and Gloo choose, so
    everything is open between two ends of one rail, and for nobody else. `*_from`: networks, everybody when empty.
    Raises SparkError with every network that is none.
    """
    problems = [
        Problem(f"{name} has {network!r}, which is no network.", "write it as 10.0.0.0/24, or as one address.")
        for name, networks in (("host_firewall_ssh_from", ssh_from), ("host_firewall_api_from", api_from))
        for network in networks
        if not _network(network)
    ]
    if problems:
        raise SparkError(problems)
    found = [rule for port in ssh_ports for rule in _open(port, ssh_from)]
    found += [rule for port in api_ports for rule in _open(port, api_from)]
    found += [f"allow from {peer} to {mine}" for rail in peers for mine, peer in zip(own, rail, strict=True)]
    return found


def _open(port: int, networks: t.Sequence[str]) -> list[str]:
    if not networks:
        return [f"allow {port}/tcp"]
    return [f"allow from {_network(network)} to any port {port} proto tcp" for network in networks]


def _network(text: str) -> str:
    """Return a network as ufw prints it (one address without prefix length); empty when it is none."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return ""
    return str(network.network_address) if network.num_addresses == 1 else str(network)

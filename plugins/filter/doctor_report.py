# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The diagnosis of a cluster from what its nodes showed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_report
short_description: Judge all nodes of a cluster together
version_added: 0.1.0
description:
  - Takes what M(dgxspark.sglang.node_doctor) brought from every node of a cluster, and returns what is wrong, how bad
    it is, and what to do about it. A node that could not be looked at is a finding of its own and hides no other.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _input:
    description: C(hostvars), with the registered result C(doctor_looked) of every node.
    type: dict
    required: true
  nodes:
    description: The nodes of the cluster.
    type: list
    elements: str
    required: true
  wanted:
    description:
      - What the nodes are judged against, all of it optional; C(ranks) (the nodes that get a rank), C(head), C(gpus),
        C(transport), C(image), C(instance), C(ports) (node to setting to port), C(mtu), C(fraction) (SGLang's
        mem_fraction_static), and C(refusal) (C(reason) and C(hint) of a request that the catalogue refused).
      - Fabric addresses are C(spark_fabric_addresses) of each node, or come from C(spark_fabric_pool).
    type: dict
    default: {}
  strict:
    description: Whether warnings block, too.
    type: bool
    default: false
  repairs:
    description: Whether the run repairs what a role of the collection can repair, so that it does not block.
    type: bool
    default: false
  accept:
    description: Names of checks whose findings never block.
    type: list
    elements: str
    default: []
  verbose:
    description: Whether the table shows what passed, too.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ (hostvars | dgxspark.sglang.doctor_report(groups['pair'], {'transport': 'rdma'})).table }}"
"""

RETURN = r"""
_value:
  description:
    - C(findings), worst first, each with C(check), C(node) (empty when it concerns all), C(found), C(needed),
      C(severity) (C(fail), C(warn), C(info) or C(ok)), C(remedy) and C(fixed_by) (the role that repairs it).
    - C(counts) by severity, C(blocking) (those findings that a run must not go on with), C(reasons) (these as text),
      the C(table), and the C(speaker), the one node that shows it.
  type: dict
"""

import typing as t
from dataclasses import asdict

from ..module_utils._errors import SparkError
from ..module_utils.doctor._facts import Wanted
from ..module_utils.doctor._parse import parse_facts
from ..module_utils.doctor._report import blocking, counts, examine, reasons, render
from ..plugin_utils._inventory import fabric_addresses


def doctor_report(
    hostvars: t.Any,
    nodes: t.Sequence[str],
    wanted: t.Mapping[str, t.Any] | None = None,
    strict: bool = False,
    repairs: bool = False,
    accept: t.Sequence[str] = (),
    verbose: bool = False,
) -> dict[str, t.Any]:
    asked = _wanted(hostvars, sorted(nodes), wanted or {})
    looked = {node: hostvars[node].get("doctor_looked") for node in asked.nodes}
    findings = examine([parse_facts(node, looked[node]) for node in asked.nodes], asked)
    stop = blocking(findings, strict, repairs, accept)
    return {
        "findings": [asdict(finding) for finding in findings],
        "counts": counts(findings),
        "blocking": [asdict(finding) for finding in stop],
        "reasons": reasons(stop),
        "table": render(findings, asked, verbose),
        "speaker": next((node for node in asked.nodes if looked[node]), ""),
    }


def _wanted(hostvars: t.Any, nodes: t.Sequence[str], given: t.Mapping[str, t.Any]) -> Wanted:
    addresses, fault = {}, ("", "")
    try:
        addresses = fabric_addresses(hostvars, nodes)
    except SparkError as error:  # what is wrong in the inventory is a finding like any other
        fault = error.problems[0].what, error.problems[0].hint
    told: dict[str, t.Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    refusal = told.pop("refusal", {})
    return Wanted(
        nodes=tuple(nodes),
        ranks=told.pop("ranks", ()) or tuple(nodes),
        addresses=addresses,
        address_fault=fault,
        refusal=(refusal.get("reason", ""), refusal.get("hint", "")),
        **told,
    )


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"doctor_report": doctor_report}

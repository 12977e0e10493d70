# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan leaves to the keepers of its ranks."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.dgxspark.sglang.plugins.module_utils.keeper._kept import parse_kept
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._keep import keep_of
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._request import Draft, draft
from ansible_collections.dgxspark.sglang.tests.unit.builders import request

SERVER = {"args": {"host": "0.0.0.0", "port": 30000}, "env": {}, "rdma": False, "stop_timeout": 60}
RDMA = {**SERVER, "rdma": True, "env": {"NCCL_IB_HCA": "=rocep1s0f1,roceP2p1s0f1"}}


def drafted(count: int) -> Draft:
    return draft(request(count))


def test_a_worker_of_two_knows_its_head_its_rails_and_its_patience() -> None:
    assert keep_of(drafted(2), 1, RDMA, 430) == {
        "rank": 1,
        "nnodes": 2,
        "cluster": "alpha",
        "peers": [
            {"node": "spark-01", "rank": 0, "address": "192.168.100.11"},
            {"node": "spark-02", "rank": 1, "address": "192.168.100.12"},
        ],
        "watch_port": 40000,
        "rails": ["rocep1s0f1", "roceP2p1s0f1"],
        "rdma": True,
        "gpus": "all",
        "addresses": ["192.168.100.12", "192.168.101.12"],
        "start_limit": 430,
        "stop_timeout": 60,
        "patience": 120,
        "restarts": 3,
        "earlier": [],
        "api": {"host": "0.0.0.0", "port": 30000, "tls": False},
    }


def test_a_lone_rank_needs_no_address_and_no_rail() -> None:
    kept = keep_of(drafted(1), 0, SERVER, 430)
    assert (kept["addresses"], kept["rails"], kept["peers"]) == (
        [],
        [],
        [{"node": "spark-01", "rank": 0, "address": ""}],
    )


def test_with_sockets_no_rail_is_waited_for() -> None:
    kept = keep_of(drafted(2), 0, {**RDMA, "rdma": False}, 430)
    assert (kept["rails"], kept["addresses"]) == ([], ["192.168.100.11", "192.168.101.11"])


def test_tls_and_what_starts_before_it_are_kept() -> None:
    plan = drafted(1)
    plan = replace(plan, tls={"ssl_certfile": "/run/sglang/tls.pem"}, request=replace(plan.request, earlier=("first",)))
    kept = keep_of(plan, 0, SERVER, 430)
    assert (kept["api"]["tls"], kept["earlier"]) == (True, ["first"])


def test_what_is_kept_is_what_a_keeper_reads() -> None:
    server = {**RDMA, "name": "sglang", "model_path": "~/m", "cache_dir": "", "state_dir": "/s", "mounts": []}
    raw = {"generation": "g", "server": server, "gate": {}, "keep": keep_of(drafted(2), 1, RDMA, 430)}
    kept = parse_kept(raw, "sglang", lambda path: path.replace("~", "/home/spark"))
    assert (kept.settings.node, kept.settings.others[0].node, kept.watch_port) == ("spark-02", "spark-01", 40000)
    assert (kept.server["model_path"], kept.server["generation"], kept.server["cache_dir"]) == (
        "/home/spark/m",
        "g",
        "",
    )

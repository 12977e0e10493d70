# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example with several instances: what its guide says of it is what the plan computes."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.dgxspark.sglang.plugins.action.sglang_plan import ARGUMENTS, load_catalogue
from ansible_collections.dgxspark.sglang.plugins.module_utils.model._fit import RESERVE
from ansible_collections.dgxspark.sglang.plugins.module_utils.model._folder import ModelFolder
from ansible_collections.dgxspark.sglang.plugins.module_utils.model._weights import summarise
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._access import Access
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._instances import Instance, parse_instances
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._memory import memory_of
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._request import Draft, Request, draft
from ansible_collections.dgxspark.sglang.tests.unit.builders import (
    CATALOGUE,
    CONTAINER,
    REPO,
    folder,
    nodes,
    probes,
)
from ansible_collections.dgxspark.sglang.tests.unit.checkpoint import config, header

GIB = 2**30
MODELS, IMAGES, TABLES = load_catalogue(CATALOGUE)
EXAMPLE = yaml.safe_load((REPO / "inventories/hybrid/group_vars/alpha.yml").read_text(encoding="utf-8"))
# An idle Spark (XuehaiPan/nvitop#208).
IDLE = {"total": int(121.69 * GIB), "available": int(113.07 * GIB), "held": 0, "others": {}}


def weighed(model: str) -> ModelFolder:
    """Return the folder of a real model, with the weights that follow from its config.json."""
    weights = summarise(header(config(model)))
    return folder(bytes=sum(weights.values()), weights=weights, config=config(model))


# Of bge-m3 only its size is known here: 568 million parameters in 32 bits.
FOLDERS = {
    "sglang": weighed("gpt-oss-120b"),
    "embed": folder(bytes=2_270_000_000, weights={}, config={}),
    "ondemand": weighed("qwen3-30b-a3b-fp8"),
}


def instances() -> dict[str, Instance]:
    said = {key.removeprefix("server_"): value for key, value in EXAMPLE.items() if key.startswith("server_")}
    raw = said.pop("instances")
    given = {key: option.get("default") for key, option in ARGUMENTS.items()}
    access = {"open": said.pop("open")}
    return {item.name: item for item in parse_instances("sglang", {**given, **said, "access": access}, raw)}


def drafted(item: Instance) -> Draft:
    same = ("model", "port", "dist_port", "image", "sglang", "args", "env")
    options: dict[str, t.Any] = {key: item.options[key] for key in same}
    return draft(
        Request(
            cluster="alpha",
            instance=item.name,
            nodes=nodes(2),
            models=MODELS,
            images=IMAGES,
            tables=TABLES,
            node_count=item.options["nodes"],
            container=CONTAINER,
            access=Access(keyless=True),
            prefix=item.prefix,
            **options,
        )
    )


@pytest.mark.parametrize("name", ["sglang", "embed", "ondemand"])
def test_all_three_fit_beside_each_other_and_leave_enough_for_the_system(name: str) -> None:
    item = instances()[name]
    before = [drafted(instances()[other]) for other in item.earlier]
    found = memory_of(drafted(item), probes(2, memory=IDLE, model=FOLDERS[name], beside=FOLDERS), before)
    assert (found.problems, found.memory["left"] > RESERVE) == ((), True)


def test_the_guide_shows_the_example() -> None:
    shown = (REPO / "docs/instances.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    written = yaml.safe_load(shown)
    assert written == {key: EXAMPLE[key] for key in written}
    assert {"server_model", "server_args", "server_instances"} == written.keys()

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every shipped profile can be planned on every cluster that it allows, and launches exactly what its golden file says.

After a change that is meant:  .venv/bin/python -m pytest tests/contract --update-golden
"""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from ansible_collections.dgxspark.sglang.plugins.action.sglang_plan import load_catalogue
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._catalogue import parse_profile
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._container import build
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._flags import check
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._images import parse_image
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._limits import HIGHEST_FRACTION, NOT_ON_GB10
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._plan import finish
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._request import DEFAULT_ARGS, draft
from ansible_collections.dgxspark.sglang.tests.contract.tree import REPO, load, name, tracked
from ansible_collections.dgxspark.sglang.tests.unit.builders import IMAGE_ID, probes, request, server_params

CATALOGUE = REPO / "roles/server/files"
SPARK_MEMORY = 121.7 * 2**30  # bytes, MemTotal of a DGX Spark
GOLDEN = REPO / "tests/contract/golden"
MODELS, IMAGES, TABLES = load_catalogue(CATALOGUE)
REFUSED = [profile for profile in MODELS if parse_profile(profile, MODELS).refused]
STARTABLE = [profile for profile in MODELS if profile not in REFUSED]
CASES = [(profile, count) for profile in STARTABLE for count in parse_profile(profile, MODELS).nodes]


@dataclass(frozen=True)
class Shape:
    """What tensor parallelism has to divide: heads, heads of keys and values, and the width of an expert in blocks."""

    heads: int
    kv_heads: int
    width: int = 0
    block: int = 1


# From each model's config.json, and for the experts from the stored kernel configurations of SGLang.
SHAPES = {
    "deepseek-v2-lite-chat": Shape(16, 16, 1408),
    "deepseek-v4-flash": Shape(64, 1),
    "gemma-2-27b-it": Shape(32, 16),
    "glm-4.5-air-fp8": Shape(96, 8, 1408),
    "glm47": Shape(96, 8, 1536),
    "glm47-nvfp4": Shape(96, 8, 1536),
    "gpt-oss-120b": Shape(64, 8, 2880),
    "llama-3.1-70b-instruct": Shape(64, 8),
    "llama-3.3-70b-instruct-nvfp4": Shape(64, 8),
    "minimax-m2.7-nvfp4": Shape(48, 8, 1536),
    "mixtral-8x7b-instruct": Shape(32, 8, 14336),
    "nemotron-3-super-nvfp4": Shape(32, 2),
    "phi-4": Shape(40, 10),
    "phi-4-reasoning": Shape(40, 10),
    "qwen2.5-14b-instruct": Shape(40, 8),
    "qwen2.5-32b-instruct": Shape(40, 8),
    "qwen2.5-72b-instruct": Shape(64, 8),
    "qwen3-235b-a22b-nvfp4": Shape(64, 4, 1536),
    "qwen3-30b-a3b-fp8": Shape(32, 4, 768, 128),
    "qwen3-32b-nvfp4": Shape(64, 8),
    "qwen3-coder-next-fp8": Shape(16, 2, 512, 128),
    "qwen3.5-122b-a10b-nvfp4": Shape(32, 2, 1024),
    "qwen3.5-397b-a17b-nvfp4": Shape(32, 2, 1024),
    "qwen3.6-35b-a3b-fp8": Shape(16, 2, 512, 128),
    "qwen3.8-flash-next-nvfp4": Shape(24, 2, 640),
}


def divides(shape: Shape, count: int) -> bool:
    """Whether `count` nodes can share a model. Fewer heads of keys and values than nodes are copied."""
    shared = shape.kv_heads % count == 0 or count % shape.kv_heads == 0
    return shape.heads % count == 0 and shared and shape.width % (shape.block * count) == 0


def plan(profile: str, count: int) -> dict[str, t.Any]:
    asked = request(count, model=profile, models=MODELS, images=IMAGES, tables=TABLES)
    version = parse_image(parse_profile(profile, MODELS).image, IMAGES).sglang
    return finish(draft(asked), probes(count, image_sglang=version))


def launch_lines(profile: str, count: int) -> str:
    """Return the environment and the command line of each rank, as a person would type them."""
    lines = []
    for node, rank in plan(profile, count)["ranks"].items():
        spec = build({**server_params(), **rank["server"]}, IMAGE_ID, {})
        env = " ".join(f"{key}={shlex.quote(value)}" for key, value in sorted(spec.env.items()))
        lines += [f"# rank {rank['rank']}, {node}, {rank['server']['image']}", env, shlex.join(spec.command), ""]
    return "\n".join(lines)


@pytest.mark.parametrize("profile", MODELS)
def test_a_profile_parses_and_its_image_has_a_flag_table(profile: str) -> None:
    assert parse_image(parse_profile(profile, MODELS).image, IMAGES).sglang in TABLES


def test_the_names_that_the_guides_and_inventories_use_are_there() -> None:
    names = {"glm47", "glm47-nvfp4", "gpt-oss-120b", "gpt-oss-20b", "qwen2.5-7b-instruct", "qwen3-32b-nvfp4"}
    assert names - set(STARTABLE) == set()


@pytest.mark.parametrize("profile", REFUSED)
@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_refused_profile_is_refused_for_that_alone(profile: str, count: int) -> None:
    asked = request(count, model=profile, models=MODELS, images=IMAGES, tables=TABLES, port=0, absent={"spark-01": "x"})
    with pytest.raises(SparkError) as caught:
        draft(asked)
    assert [problem.what.partition(":")[0] for problem in caught.value.problems] == [f"{profile} can't be served"]


def test_deepseek_v3_is_refused_with_what_it_would_take() -> None:
    with pytest.raises(SparkError, match=r"can't be served: its 689 GB .* 4 nodes") as caught:
        draft(request(4, model="deepseek-v3", models=MODELS, images=IMAGES, tables=TABLES))
    assert "take deepseek-v4-flash" in caught.value.problems[0].hint


@pytest.mark.parametrize(("profile", "count"), [case for case in CASES if case[1] > 1])
def test_the_nodes_can_share_the_model(profile: str, count: int) -> None:
    measured = {entry["nodes"] for entry in MODELS[profile]["evidence"].get("measured", ())}
    assert divides(SHAPES[profile], count) if profile in SHAPES else count in measured


def test_a_shape_that_nodes_can_not_share_is_found() -> None:
    assert not divides(Shape(32, 4, 768, 128), 4)


@pytest.mark.parametrize(("profile", "count"), CASES)
def test_the_weights_leave_room_in_the_memory_that_they_may_take(profile: str, count: int) -> None:
    parsed = parse_profile(profile, MODELS)
    fraction = parsed.args.get("mem_fraction_static", DEFAULT_ARGS["mem_fraction_static"])
    assert parsed.disk * 1e9 / count < fraction * SPARK_MEMORY


@pytest.mark.parametrize("profile", STARTABLE)
def test_a_profile_asks_for_nothing_that_gb10_is_known_to_lack(profile: str) -> None:
    args = parse_profile(profile, MODELS).args
    assert {name: args[name] for name, values in NOT_ON_GB10.items() if args.get(name) in values} == {}
    # Kernels for sm_100 alone, a runner that is gone since 0.5.12, and one whose JIT starves the machine.
    assert args.get("moe_runner_backend") not in ("flashinfer_trtllm", "cutlass", "deep_gemm")
    assert args.get("mem_fraction_static", 0) <= HIGHEST_FRACTION
    # The fused all-reduce needs one machine, and quantising at load is wrong for a quantised checkpoint.
    assert {"enable_flashinfer_allreduce_fusion", "modelopt_quant"} & set(args) == set()


@pytest.mark.parametrize("profile", STARTABLE)
def test_speculation_is_described_whole(profile: str) -> None:
    args = parse_profile(profile, MODELS).args
    whole = {"speculative_num_steps", "speculative_eagle_topk", "speculative_num_draft_tokens"}
    assert whole & set(args) == (whole if "speculative_algorithm" in args else set())


@pytest.mark.parametrize("profile", MODELS)
def test_a_repository_is_an_organisation_and_a_name(profile: str) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", parse_profile(profile, MODELS).repo)


def test_two_profiles_never_share_a_folder() -> None:
    paths = [parse_profile(profile, MODELS).path for profile in MODELS]
    assert sorted(paths) == sorted(set(paths))


@pytest.mark.parametrize("profile", MODELS)
def test_relatives_can_be_served(profile: str) -> None:
    assert [name for name in parse_profile(profile, MODELS).alternatives if name in REFUSED] == []


def test_glm47_is_launched_as_the_guide_for_four_sparks_says() -> None:
    args = plan("glm47", 4)["ranks"]["spark-04"]["server"]["args"]
    wanted = {
        "tp_size": 4,
        "nnodes": 4,
        "node_rank": 3,
        "dist_timeout": 600,
        "trust_remote_code": True,
        "max_running_requests": 64,
        "context_length": 32768,
        "tool_call_parser": "glm47",
        "reasoning_parser": "glm45",
        "speculative_algorithm": "EAGLE",
        "speculative_num_steps": 3,
        "speculative_num_draft_tokens": 8,
        "speculative_eagle_topk": 2,
    }
    assert {name: args[name] for name in wanted} == wanted


@pytest.mark.parametrize("profile", MODELS)
def test_a_profile_has_only_flags_that_its_image_takes(profile: str) -> None:
    parsed = parse_profile(profile, MODELS)
    assert check(parsed.args, TABLES[parse_image(parsed.image, IMAGES).sglang]) == []


@pytest.mark.parametrize(("profile", "count"), CASES)
def test_what_is_launched_has_only_flags_that_the_image_takes(profile: str, count: int) -> None:
    planned = plan(profile, count)
    table = TABLES[planned["sglang"]]
    args = planned["ranks"]["spark-01"]["server"]["args"]
    switches = {f"no_{name}": name for name, flag in table.flags.items() if flag.kind == "bool"}
    assert check({switches.get(name, name): value for name, value in args.items()}, table) == []


@pytest.mark.parametrize(("profile", "count"), CASES)
def test_the_launch_lines_are_the_golden_ones(profile: str, count: int, pytestconfig: pytest.Config) -> None:
    golden = GOLDEN / f"{profile}-{count}nodes.txt"
    if pytestconfig.getoption("update_golden"):
        golden.write_text(launch_lines(profile, count), encoding="utf-8")
    assert launch_lines(profile, count) == golden.read_text(encoding="utf-8")


def test_there_is_no_golden_file_without_a_profile() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{profile}-{count}nodes.txt" for profile, count in CASES}


def test_profiles_of_different_files_have_different_names() -> None:
    named = [profile for path in (CATALOGUE / "models").glob("*.yml") for profile in load(path)]
    assert sorted(named) == sorted(set(named))


@pytest.mark.parametrize("profile", MODELS)
def test_a_profile_says_who_measured_it(profile: str) -> None:
    evidence = MODELS[profile]["evidence"]
    told = bool(evidence.get("measured") or evidence.get("sources"))
    assert told if evidence["status"] != "untested" else not evidence.get("measured")


@pytest.mark.parametrize("profile", [name for name in MODELS if MODELS[name]["evidence"]["status"] != "published"])
def test_what_nobody_ran_says_so_in_a_note(profile: str) -> None:
    assert MODELS[profile]["evidence"]["notes"]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_a_flag_table_or_says_that_it_has_none(image: str) -> None:
    noted = IMAGES[image].get("notes", [""])[0].startswith("No flag table.")
    assert noted == (parse_image(image, IMAGES).sglang not in TABLES)


def test_the_profile_in_the_readme_is_one() -> None:
    readme = (REPO / "roles/server/README.md").read_text(encoding="utf-8")
    written = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)[0])["server_models"]
    assert parse_profile("my-model", {**MODELS, **written}).nodes == (1, 2)


INVENTORIES = [path for path in tracked("inventories") if path.name == "hosts.yml"]


@pytest.mark.parametrize("path", INVENTORIES, ids=name)
def test_the_models_of_an_example_inventory_fit_its_cluster(path: Path) -> None:
    clusters = load(path)["sparks"]["children"]
    variables = {file.stem: load(file) for file in path.parent.glob("group_vars/*.yml")}
    asked = [
        (cluster, entry.get("model"), entry.get("nodes", 0))
        for cluster in clusters
        for entry in (
            {"model": variables[cluster]["server_model"]},
            *variables[cluster].get("server_instances", {}).values(),
        )
    ]
    unfit = [
        (cluster, model)
        for cluster, model, count in asked
        if not any(
            size <= len(clusters[cluster]["hosts"]) and count in (0, size)
            for size in parse_profile(model, MODELS).nodes
        )
    ]
    assert unfit == []


@pytest.mark.parametrize("path", INVENTORIES, ids=name)
def test_an_example_inventory_names_each_cluster_after_its_group(path: Path) -> None:
    clusters = load(path)["sparks"]["children"]
    named = {cluster: load(path.parent / f"group_vars/{cluster}.yml")["spark_cluster"] for cluster in clusters}
    assert named == {cluster: cluster for cluster in clusters}

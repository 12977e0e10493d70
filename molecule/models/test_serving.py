# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two of three nodes serve a model that none of them had: what came to them, how often, and what is refused."""

from __future__ import annotations

import json
import sys
import urllib.request

from molecule.cluster import REPO, Cluster

sys.path.insert(0, str(REPO / "tests" / "lab"))
from sparklab import config

TRIO = Cluster(REPO / "inventories" / "lab" / "hosts.yml", ("spark-01", "spark-02"))
IDLE = "spark-03"
FOLDER = "/home/spark/ai/models/lab/tiny-moe"
HUGE = "/home/spark/ai/models/lab/huge"
# One bf16 tensor of 64 GB in a file that takes a few KB of the disk, beside the shape of a small Llama.
MAKE_HUGE = f"""
import json, os, struct
os.makedirs("{HUGE}", exist_ok=True)
size = 64_000_000_000
head = json.dumps({{"model.layers.0.mlp.up_proj.weight": {{
    "dtype": "BF16", "shape": [size // 128, 64], "data_offsets": [0, size]}}}}).encode()
with open("{HUGE}/model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(head)) + head)
    file.truncate(8 + len(head) + size)
with open("{HUGE}/config.json", "w") as file:
    json.dump({{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16",
        "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 16, "vocab_size": 512, "max_position_embeddings": 4096}}, file)
"""
HUGE_PROFILE = {
    "identity": {"repo": "lab/huge", "path": "lab/huge"},
    "needs": {"nodes": [2]},
    "args": {"mem_fraction_static": 0.8},
}


def asked(repo: str) -> list[dict[str, object]]:
    """Return the requests for files that the hub got."""
    url = f"http://{config.HUB_ADDRESS}:{config.HUB_PORT}/lab/log/{repo}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return [entry for entry in json.load(answer) if entry.get("method") == "GET" and entry.get("name")]


def test_it_generates() -> None:
    assert TRIO.completion_tokens() > 0
    assert TRIO.ask("/v1/models")[1]["data"][0]["id"] == "tiny-moe"


def test_every_shard_was_fetched_once_for_all_nodes() -> None:
    """The smallest file is asked for more often, to see whether the hub would give it."""
    names = sorted(str(entry["name"]) for entry in asked("lab/tiny-moe"))
    shards = [name for name in names if name.endswith(".safetensors")]
    assert shards == [f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]


def test_those_who_serve_have_the_same_model_and_the_idle_node_none() -> None:
    script = f"cd {FOLDER} && find . -type f -exec sha256sum {{}} + | sort"
    first, second = (TRIO.run(node, "sh", "-c", script) for node in TRIO.nodes)
    assert first == second
    assert "model-00003-of-00003.safetensors" in first
    assert TRIO.run(IDLE, "sh", "-c", f"ls -d {FOLDER} {FOLDER}.partial 2> /dev/null || true") == ""


def test_the_engine_started_with_our_configs_of_its_experts() -> None:
    seen = set()
    for node in TRIO.nodes:
        found = TRIO.container(node)
        mounts = {mount["Destination"]: mount for mount in found["Mounts"]}
        assert "SGLANG_MOE_CONFIG_DIR=/moe_configs" in found["Config"]["Env"]
        assert not mounts["/moe_configs"]["RW"]
        inside = TRIO.run(node, "docker", "exec", "sglang", "find", "/moe_configs", "-name", "*.json")
        # 8 experts of 128 / TP 2, without quantisation: no data type in the name.
        assert "/moe_configs/configs/triton_3_6_0/E=8,N=64,device_name=NVIDIA_GB10.json" in inside.splitlines()
        seen.add(mounts["/moe_configs"]["Source"])
    assert len(seen) == 1, seen


def test_a_model_that_is_too_big_is_refused_and_the_server_stays() -> None:
    before = TRIO.starts()
    for node in TRIO.nodes:
        TRIO.run(node, "runuser", "-u", "spark", "--", "python3", "-c", MAKE_HUGE)
    played = TRIO.play("switch_model.yml", model="huge", server_models={"huge": HUGE_PROFILE})
    for node in TRIO.nodes:
        TRIO.run(node, "rm", "-r", HUGE)
    assert played.code != 0
    assert played.said("huge does not fit", "weights", "29.8 GiB", "Next step")
    assert TRIO.starts() == before
    assert TRIO.completion_tokens() > 0

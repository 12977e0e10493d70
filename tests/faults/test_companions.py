# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vLLM, Ollama and Open WebUI (stand-ins, see tests/lab/companions) beside the server: one engine at any time, nothing
that runs is stopped for another one, and no chat is lost by accident."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.dgxspark.sglang.molecule.cluster import PAIR, SINGLE, Played

KEY, VLLM_KEY = "key-of-the-server-0123", "key-of-vllm-0123456789"
MODEL = "/home/spark/ai/models/lab/tiny-llama"
SERVER: dict[str, t.Any] = {"server_open": False, "server_api_key": KEY}
OPEN_WEBUI: dict[str, t.Any] = {**SERVER, "open_webui_image": "lab/open-webui:stand-in"}
OLLAMA: dict[str, t.Any] = {"ollama_image": "lab/ollama:stand-in", "ollama_gpus": "none", "ollama_bind": "0.0.0.0"}


@pytest.fixture(scope="module", autouse=True)
def server(request: pytest.FixtureRequest) -> t.Iterator[None]:
    """One node that serves, and afterwards has nothing of these services."""
    if request.config.getoption("--quick"):
        pytest.skip("takes five minutes")
    PAIR.play("stop.yml")
    assert SINGLE.play("site.yml", **SERVER).code == 0
    yield
    for name in ("vllm", "ollama", "open_webui"):
        SINGLE.play(f"{name}.yml", **{f"{name}_state": "absent"})
    SINGLE.play("stop.yml")


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    key = tmp_path_factory.mktemp("keys") / "vllm.key"
    key.write_text(VLLM_KEY, encoding="utf-8")
    key.chmod(0o600)
    image = {"vllm_image": "lab/vllm:stand-in", "vllm_gpus": "none"}
    return {**image, "vllm_model_path": MODEL, "vllm_api_key_file": str(key)}


def changes(played: Played) -> int:
    assert played.code == 0
    return sum(played.changed.values())


def active(unit: str) -> str:
    return SINGLE.run("spark-01", "sh", "-c", f"systemctl is-active {unit}; true").strip()


def test_open_webui_is_pointed_at_the_server_with_its_key() -> None:
    before = SINGLE.starts()
    assert changes(SINGLE.play("open_webui.yml", **OPEN_WEBUI)) > 0
    status, told = SINGLE.ask("/lab/models", port=8080)
    assert (status, [model["id"] for model in told["answer"]["data"]]) == (200, ["tiny-llama"])
    assert changes(SINGLE.play("open_webui.yml", **OPEN_WEBUI)) == 0
    assert KEY not in json.dumps(SINGLE.container("spark-01", "open-webui"))
    assert SINGLE.starts() == before


def test_ollama_without_the_gpu_runs_beside_the_server() -> None:
    before = SINGLE.starts()
    asked = {**OLLAMA, "ollama_models": ["tiny:1b"]}
    assert changes(SINGLE.play("ollama.yml", **asked)) > 0
    assert SINGLE.ask("/api/tags", port=11434)[1]["models"][0]["name"] == "tiny:1b"
    assert changes(SINGLE.play("ollama.yml", **asked)) == 0
    lost = SINGLE.play("ollama.yml", **{**OLLAMA, "ollama_models": ["tiny:1b", "gone:1b"]})
    assert (lost.code != 0, lost.said("file does not exist")) == (True, True)
    assert (SINGLE.starts(), SINGLE.completion_tokens(KEY) > 0) == (before, True)


@pytest.mark.parametrize("asked", ["vllm", "ollama with the GPU"])
def test_another_engine_is_refused_while_the_server_runs(vllm: dict[str, t.Any], asked: str) -> None:
    before = SINGLE.starts()
    gpu = {**OLLAMA, "ollama_gpus": "all"}
    played = SINGLE.play("vllm.yml", **vllm) if asked == "vllm" else SINGLE.play("ollama.yml", **gpu)
    assert played.code != 0
    assert played.said("The SGLang server sglang runs on this node", "ansible-playbook stop.yml")
    assert (SINGLE.starts(), SINGLE.completion_tokens(KEY) > 0) == (before, True)


def test_vllm_serves_where_the_server_was_stopped_and_then_the_server_is_refused(vllm: dict[str, t.Any]) -> None:
    assert SINGLE.play("stop.yml").code == 0
    assert changes(SINGLE.play("vllm.yml", "-vvv", "--diff", **vllm)) > 0
    body = {"model": "tiny-llama", "prompt": "Hello", "max_tokens": 3}
    assert SINGLE.ask("/v1/completions", body, VLLM_KEY, port=8000)[1]["usage"] == {"completion_tokens": 3}
    assert SINGLE.ask("/v1/completions", body, port=8000)[0] == 401
    assert changes(SINGLE.play("vllm.yml", **vllm)) == 0
    seen = SINGLE.run("spark-01", "sh", "-c", "ps -eo args; systemctl cat vllm; journalctl -u vllm --no-pager")
    assert VLLM_KEY not in seen + json.dumps(SINGLE.container("spark-01", "vllm"))
    refused = SINGLE.play("site.yml", **SERVER)
    assert (refused.code != 0, refused.said("vllm.service", "vllm_state=absent")) == (True, True)
    assert (active("vllm"), SINGLE.container("spark-01")["State"]["Running"]) == ("active", False)


def test_by_hand_whoever_is_started_last_is_alone() -> None:
    """The keeper of the server is started on the node, as a person would: vLLM is stopped for it by systemd."""
    SINGLE.run("spark-01", "systemctl", "start", "dgxspark-sglang@sglang")
    SINGLE.wait_until(lambda: SINGLE.container("spark-01")["State"]["Running"], 60)
    assert active("vllm") == "inactive"
    SINGLE.run("spark-01", "systemctl", "start", "vllm")
    SINGLE.wait_until(lambda: active("vllm") == "active", 30)
    SINGLE.wait_until(lambda: not SINGLE.container("spark-01")["State"]["Running"], 60)
    assert active("dgxspark-sglang@sglang") == "inactive"


def test_what_does_not_come_up_is_told_with_its_last_words_and_holds_nothing(vllm: dict[str, t.Any]) -> None:
    words = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
    dying = {**vllm, "vllm_env": {"LAB_FAULT": "die", "LAB_WORDS": words}}
    played = SINGLE.play("vllm.yml", **dying)
    assert played.code != 0
    assert played.said("CUDA out of memory", "It is stopped, and does not start at boot")
    assert active("vllm") != "active"
    assert SINGLE.run("spark-01", "sh", "-c", "systemctl is-enabled vllm; true").strip() == "disabled"


def test_chats_are_lost_only_by_asking_twice() -> None:
    starts = SINGLE.ask("/lab/kept", port=8080)[1]["starts"]
    told = SINGLE.play("delete_open_webui.yml")
    assert (told.code != 0, told.said("nothing was touched", "-e delete=open-webui -e really=yes")) == (True, True)
    assert SINGLE.play("open_webui.yml", open_webui_state="absent").code == 0
    assert changes(SINGLE.play("open_webui.yml", **OPEN_WEBUI)) > 0
    assert SINGLE.ask("/lab/kept", port=8080)[1]["starts"] == starts + 1  # the same volume
    assert SINGLE.play("delete_open_webui.yml", delete="open-webui", really="yes").code == 0
    volumes = SINGLE.run("spark-01", "docker", "volume", "ls", "--quiet").split()
    assert "open-webui" not in volumes
    assert changes(SINGLE.play("delete_open_webui.yml")) == 0  # there is nothing that could be lost

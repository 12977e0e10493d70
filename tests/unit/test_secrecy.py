# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys and tokens are nowhere in what a run shows, keeps or registers, whatever SGLang writes into its log."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.filter.server_story import server_story
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils._text import redact
from ansible_collections.dgxspark.sglang.plugins.module_utils.edges._http import _identity
from ansible_collections.dgxspark.sglang.plugins.module_utils.model._inventory import server_of
from ansible_collections.dgxspark.sglang.plugins.module_utils.server import _gate
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._access import Access
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._container import build, diff
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._phases import STARTING, Phase
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._plan import finish
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._request import draft
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._secrets import tls_args
from ansible_collections.dgxspark.sglang.plugins.modules.sglang_gate import answer
from ansible_collections.dgxspark.sglang.tests.unit.builders import (
    IMAGE_ID,
    observed,
    probes,
    request,
    server_params,
)

KEY, ADMIN, TOKEN, PEM = "sk-live-1234", 'root\'s-"5678"', "hf_AbCdEfGhIjKlMnOpQrStUv", "-----BEGIN PRIVATE KEY-----"
SECRETS = {"api_key": KEY, "admin_api_key": ADMIN, "hf_token": TOKEN, "tls_pem": PEM}
ARGV = ["--model-path", "/models/tiny", "--api-key", KEY, "--admin-api-key", ADMIN, "--port", "30000"]
KNOWN = {"model_path": "/models/tiny", "api_key": KEY, "admin_api_key": ADMIN, "port": 30000}
# How the versions print their arguments, and what else of them is met in logs.
LOG = [
    f"server_args=ServerArgs(model_path='/models/tiny', api_key={KEY!r}, admin_api_key={ADMIN!r}, port=30000)",
    f"[2026-11-21 02:03:04] server_args={KNOWN!r}",
    json.dumps({**KNOWN, "launch_command": " ".join(["--api-key", KEY])}),
    f"Traceback: subprocess.CalledProcessError: Command {ARGV!r} returned non-zero exit status 1.",
    f"INFO: headers {{'authorization': 'Bearer {KEY}', 'x': 'y'}}",
    f"huggingface_hub.errors.GatedRepoError: 401 for token {TOKEN}",
    "torch.OutOfMemoryError: CUDA out of memory.",
]
EXPECTED = _gate.Expectation("sglang", 0, 1, "gggg", IMAGE_ID, "2026-11-21T02:03:04.5Z", "tiny", "/models/tiny", 1, "")
DEAD = observed(status="exited", exit_code=1, finished_at="2026-11-21T02:04:04.5Z", labels={})


def found_in(text: str) -> list[str]:
    """Return what of the secrets can be read in a text, also where it was quoted once more."""
    plain = text.replace("\\", "")
    return [name for name, secret in SECRETS.items() if secret in plain or secret in text]


def test_the_log_of_this_test_has_them_all() -> None:
    assert set(found_in("\n".join(LOG))) == {"api_key", "admin_api_key", "hf_token"}


@pytest.mark.parametrize("line", LOG)
def test_who_does_not_know_the_secrets_hides_them_by_their_looks(line: str) -> None:
    assert found_in(redact(line)) == []


def planned() -> dict[str, t.Any]:
    access = Access(names=("10.0.0.11",))
    return finish(draft(request(2, secrets=SECRETS, access=access)), probes(2))


def test_a_plan_has_no_secret() -> None:
    assert found_in(json.dumps(planned())) == []


def test_a_refusal_has_no_secret() -> None:
    with pytest.raises(SparkError) as caught:
        draft(request(2, secrets={name: f"{secret} x" for name, secret in SECRETS.items()}))
    assert found_in(json.dumps(caught.value.as_result())) == []


def test_a_container_and_the_difference_to_it_have_no_secret() -> None:
    params = server_params(args={"port": 30000, **tls_args(refresh=False)})
    old, new = (build(params, IMAGE_ID, {**SECRETS, "api_key": key}) for key in (KEY, "sk-other-1234"))
    shown = [new.canonical(), observed(old).public(), diff("started", new, observed(old), stale=True)]
    assert found_in(json.dumps(shown)) == []


def gate_report(verdict: _gate.Verdict) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", answer(EXPECTED, verdict, Phase(STARTING, 0), DEAD, KEY)["report"])


@pytest.mark.parametrize(
    "verdict",
    [
        pytest.param(_gate.judge_container(EXPECTED, DEAD, LOG), id="a rank that died"),
        pytest.param(_gate.suspect(_gate.Verdict(_gate.WAITING, "health", "x"), LOG), id="a rank that hangs"),
        pytest.param(_gate.Verdict(_gate.FAILED, "identity", LOG[0], LOG[1], tuple(LOG)), id="whatever it says"),
    ],
)
def test_what_the_gate_tells_of_a_rank_has_no_secret(verdict: _gate.Verdict) -> None:
    report = {**gate_report(verdict), "node": "spark-01"}
    hostvars = {"spark-01": {"server_gate": {"report": report}, "server_started": {"actions": []}}}
    story = server_story(hostvars, ["spark-01"], ["spark-01"])
    assert found_in(json.dumps([report, story])) == []


def test_of_server_info_only_its_identity_is_kept() -> None:
    assert found_in(json.dumps(_identity({**KNOWN, "launch_command": " ".join(ARGV)}))) == []


def test_the_inventory_of_models_has_no_secret() -> None:
    params = server_params(args={"port": 30000, **tls_args(refresh=True)})
    ours = observed(build(params, IMAGE_ID, SECRETS))
    assert found_in(json.dumps(asdict(replace(server_of(ours), api="answers")))) == []


@pytest.mark.parametrize("path", sorted((Path(__file__).resolve().parents[2] / "roles").glob("*/tasks/*.yml")), ids=str)
def test_no_task_gives_a_key_to_anything_but_an_option_that_is_not_logged(path: Path) -> None:
    """The secrets of a server come out of one variable; nobody registers, shows or stores it as a whole."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if "__server_secrets" in line]
    allowed = ("api_key: ", "admin_api_key: ", "hf_token: ", "tls_pem: ", "certificate: ")
    shown = [line for line in lines if not line.startswith(allowed) and "if __server_secrets.api_key else" not in line]
    assert shown == []

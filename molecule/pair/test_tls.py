# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An API that speaks TLS, with its keys in files: asked by a client that verifies, and renewed while it serves."""

from __future__ import annotations

import datetime
import json
import ssl
import typing as t
import urllib.request
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._certificate import fingerprint
from ansible_collections.dgxspark.sglang.tests.unit.certificates import pair

from molecule.cluster import SINGLE

KEY, ADMIN = "lab-key-in-a-file", "lab-admin-in-a-file"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    for name, content in (("key", KEY), ("admin", ADMIN)):
        (folder / name).write_text(content, encoding="utf-8")
        (folder / name).chmod(0o600)
    return folder


def variables(files: Path) -> dict[str, t.Any]:
    return {
        "server_open": False,
        "server_api_key_file": f"{files}/key",
        "server_admin_api_key_file": f"{files}/admin",
        "server_tls_certificate": f"{files}/tls.crt",
        "server_tls_key": f"{files}/tls.key",
    }


def renew(files: Path) -> str:
    """Put another certificate for the head's address in place, and return its fingerprint."""
    made = pair((), [SINGLE.head_address()], now=datetime.datetime.now(datetime.timezone.utc))
    (files / "tls.crt").write_text(made.certificate, encoding="utf-8")
    (files / "tls.key").write_text(made.key, encoding="utf-8")
    (files / "tls.key").chmod(0o600)
    return fingerprint(made.certificate)


def shown() -> str:
    """Return the fingerprint of the certificate that the API shows to everybody."""
    return fingerprint(ssl.get_server_certificate((SINGLE.head_address(), 30000)))


def completion_tokens(files: Path) -> int:
    """Return the tokens of one answer to a client that accepts this certificate and no other."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(files / "tls.crt")
    body = json.dumps({"model": "tiny-llama", "prompt": "Hello", "max_tokens": 4}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(f"https://{SINGLE.head_address()}:30000/v1/completions", body, headers)
    with urllib.request.urlopen(request, timeout=60, context=trusting) as response:
        return int(json.load(response)["usage"]["completion_tokens"])


def test_it_serves_whoever_has_the_key_and_nobody_can_read_one(files: Path) -> None:
    renewed = renew(files)
    played = SINGLE.play("site.yml", "-vvv", "--diff", **variables(files))
    assert played.code == 0
    assert played.said(f"serves at https://{SINGLE.head_address()}:30000/v1")
    assert (shown(), completion_tokens(files) > 0) == (renewed, True)
    private = (files / "tls.key").read_text(encoding="utf-8").splitlines()[1]
    kept = "/etc/dgxspark-sglang/sglang.last_good.json"
    shown_by_node = SINGLE.run("spark-01", "ps", "-eo", "args") + SINGLE.run("spark-01", "cat", kept)
    readable = played.output + json.dumps(SINGLE.container("spark-01")) + shown_by_node
    assert [secret for secret in (KEY, ADMIN, private) if secret in readable] == []
    modes = SINGLE.run("spark-01", "find", "/etc/dgxspark-sglang", "-printf", "%m %u %y %f\\n").splitlines()
    assert {"700 root d dgxspark-sglang", "600 root f config.yaml", "600 root f sglang.last_good.json"} <= set(modes)


# SGLang by itself takes the first renewal and no later one.
@pytest.mark.parametrize("time", ["first", "second"])
def test_a_renewed_certificate_is_taken_without_a_restart(files: Path, time: str) -> None:
    before, renewed = SINGLE.starts(), renew(files)
    assert shown() != renewed
    played = SINGLE.play("site.yml", **variables(files))
    assert (played.code, SINGLE.starts(), shown()) == (0, before, renewed)
    assert completion_tokens(files) > 0


def test_status_and_inventory_ask_it_too(files: Path) -> None:
    assert SINGLE.play("status.yml").said("spark-01", "sglang", "running", "healthy")
    assert SINGLE.play("inventory.yml", **variables(files)).said("tiny-llama", "answers")


def test_without_a_word_about_who_may_ask_it_is_refused_and_goes_on(files: Path) -> None:
    before = SINGLE.starts()
    played = SINGLE.play("site.yml", server_open=False)
    assert played.code != 0
    assert played.said("The API would answer everybody", "Needed is one of the three")
    assert (SINGLE.starts(), completion_tokens(files) > 0) == (before, True)

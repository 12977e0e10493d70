# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets as the tasks get them."""

from __future__ import annotations

import datetime
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.dgxspark.sglang.plugins.lookup.server_secrets import LookupModule
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._certificate import fingerprint
from ansible_collections.dgxspark.sglang.tests.unit.certificates import pair

NONE = {"api_key": "", "admin_api_key": "", "hf_token": "", "tls_pem": "", "fingerprint": ""}


def secrets(said: dict[str, t.Any], **more: t.Any) -> dict[str, str]:
    (only,) = LookupModule(loader=DataLoader()).run([said], {}, **more)
    return dict(only)


def test_what_is_not_said_is_empty() -> None:
    assert secrets({"api_key": "", "open": True}) == NONE


def test_an_instance_has_its_own() -> None:
    own = {"port": 30001, "model": "tiny", "api_key": "sk-own-1234"}
    assert secrets({"api_key": "sk-main-1234", "hf_token": "hf_1234567"}, own=own) == {
        **NONE,
        "api_key": "sk-own-1234",
        "hf_token": "hf_1234567",
    }


def test_the_certificate_is_known_by_its_fingerprint(tmp_path: Path) -> None:
    made = pair(["a.example"], now=datetime.datetime.now(datetime.timezone.utc))
    for name, content in (("tls.crt", made.certificate), ("tls.key", made.key)):
        (tmp_path / name).write_text(content, encoding="utf-8")
    found = secrets({"tls_certificate": f"{tmp_path}/tls.crt", "tls_key": f"{tmp_path}/tls.key"})
    assert found == {**NONE, "tls_pem": made.key + made.certificate, "fingerprint": fingerprint(made.certificate)}


def test_a_file_that_can_not_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match=r"server_api_key_file can't be read: .*/none: No such file"):
        secrets({"api_key_file": f"{tmp_path}/none"})


def test_another_role_names_its_own_variable(tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match=r"vllm_api_key and vllm_api_key_file are both set"):
        secrets({"api_key": "sk-live-1234", "api_key_file": "key"}, prefix="vllm_")

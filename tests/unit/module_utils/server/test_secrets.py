# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which files secrets reach the engine, who gets which, and what is known of them outside these files."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._secrets import (
    checksum,
    checksums,
    secret_dir,
    secret_files,
    secrets_of,
    speaks_tls,
    tls_args,
    used,
)

REREADS, FIXED = tls_args(refresh=True), tls_args(refresh=False)


def test_certificate_and_key_are_one_file_that_can_be_replaced_in_one_step() -> None:
    args = tls_args(refresh=True)
    path = "/run/sglang/tls.pem"
    assert args == {"ssl_certfile": path, "ssl_keyfile": path, "enable_ssl_refresh": True}


@pytest.mark.parametrize(
    ("args", "expected"), [(REREADS, True), (FIXED, True), ({"port": 30000}, False), ({"ssl_certfile": None}, False)]
)
def test_a_rank_speaks_tls_by_its_arguments(args: dict[str, t.Any], expected: bool) -> None:
    assert speaks_tls(args) is expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param({}, {"api_key": "sk-1"}, id="a worker gets no private key"),
        pytest.param(FIXED, {"api_key": "sk-1", "tls_pem": "PEM"}, id="rank 0"),
    ],
)
def test_a_rank_gets_what_it_can_use(args: dict[str, t.Any], expected: dict[str, str]) -> None:
    given = {"api_key": "sk-1", "admin_api_key": "", "hf_token": None, "tls_pem": "PEM", "name": "sglang"}
    assert used(args, given) == expected


@pytest.mark.parametrize(
    ("args", "known"),
    [
        pytest.param(REREADS, ["api_key"], id="read again"),
        pytest.param(FIXED, ["api_key", "tls_pem"], id="read once"),
    ],
)
def test_what_the_engine_reads_again_has_no_checksum(args: dict[str, t.Any], known: list[str]) -> None:
    assert list(checksums(args, {"tls_pem": "PEM", "api_key": "sk-1"})) == known


def test_a_checksum_depends_on_the_name_of_the_secret() -> None:
    assert checksum("api_key", "same") != checksum("admin_api_key", "same")


def test_a_checksum_stays_the_same_over_releases() -> None:
    assert checksum("api_key", "sk-live-1234") == "3bc9ce29058b5ec4"


FILES = [
    pytest.param({}, {}, id="none"),
    pytest.param({"hf_token": "hf_x"}, {"hf_token": "hf_x"}, id="token"),
    pytest.param({"tls_pem": "PEM\n"}, {"tls.pem": "PEM\n"}, id="certificate"),
    pytest.param(
        {"api_key": 'a"b: c', "admin_api_key": "root", "hf_token": "hf_x"},
        {"config.yaml": 'admin-api-key: "root"\napi-key: "a\\"b: c"\n', "hf_token": "hf_x"},
        id="keys in SGLang's spelling",
    ),
]


@pytest.mark.parametrize(("secrets", "expected"), FILES)
def test_secrets_reach_the_engine_in_files(secrets: dict[str, str], expected: dict[str, str]) -> None:
    assert secret_files(secrets) == expected


@pytest.mark.parametrize(("secrets", "files"), FILES)
def test_a_node_knows_its_secrets_from_these_files(secrets: dict[str, str], files: dict[str, str]) -> None:
    assert secrets_of(files) == secrets


@pytest.mark.parametrize("content", ["api-key: sk-1\n", "port 30000\n", "api-key:\n"])
def test_a_file_of_somebody_else_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        secrets_of({"config.yaml": content})


def test_the_secret_folder_is_the_instance_s() -> None:
    assert secret_dir("/etc/dgxspark-sglang", "ondemand") == "/etc/dgxspark-sglang/ondemand.secrets"

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who gets at the API: nobody is served by accident, and what a version can't do is refused."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import Problem, SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._access import (
    Access,
    limits_of,
    notes_of,
    problems_of,
    settings,
    tls_of,
)
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._request import draft
from ansible_collections.dgxspark.sglang.tests.unit.builders import NEW, OLD, request, shown, table

KEY = {"api_key": "sk-live-1234"}
TLS = {"tls_pem": "PEM"}
FAULT = Problem("server_api_key_file is empty: /x.", "write the secret into it, or name another file.")


@pytest.mark.parametrize(
    ("secrets", "access"),
    [
        pytest.param(KEY, Access(), id="a key"),
        pytest.param({}, Access(keyless=True), id="open, and meant"),
        pytest.param(KEY, Access(keyless=True), id="a key, though open would do"),
    ],
)
def test_who_may_ask_has_to_be_said(secrets: dict[str, str], access: Access) -> None:
    assert problems_of(secrets, access) == []


@pytest.mark.parametrize("secrets", [{}, {"admin_api_key": "root-5678"}, {"hf_token": "hf_1234567"}, TLS])
def test_an_open_server_that_nobody_asked_for_is_refused(secrets: dict[str, str]) -> None:
    """An admin key alone locks the control routes, and leaves the model to everybody."""
    assert shown(problems_of(secrets, Access())) == [
        (
            "The API would answer everybody: server_api_key and server_api_key_file are empty, and server_open is not"
            " true. Needed is one of the three.",
            "set server_api_key (in a vault); or server_api_key_file to a file of this machine, made with `(umask 077;"
            " openssl rand -hex 32 > FILE)`; or server_open: true, where everybody who reaches the port may use the"
            " model and SGLang's control routes.",
        )
    ]


def test_an_admin_key_that_everybody_can_read_is_refused() -> None:
    assert shown(problems_of({"admin_api_key": "root-5678"}, Access(keyless=True))) == [
        (
            "server_admin_api_key protects nothing without server_api_key: /server_info would show it to everybody.",
            "set server_api_key, too; or leave the admin key out.",
        )
    ]


def test_an_instance_is_told_by_its_own_variables() -> None:
    (found,) = problems_of({}, Access(), "server_instances.ondemand.")
    assert found.what.startswith("The API would answer everybody: server_instances.ondemand.api_key and ")


def test_a_key_that_could_not_be_read_was_meant() -> None:
    assert problems_of({}, Access(faults=(FAULT,))) == [FAULT]


def test_the_draft_tells_it_with_everything_else() -> None:
    with pytest.raises(SparkError) as caught:
        draft(request(2, access=Access(faults=(FAULT,)), port=0))
    assert [problem.what for problem in caught.value.problems] == [
        "server_port is 0, needed is a number from 1 to 65535.",
        "server_api_key_file is empty: /x.",
    ]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param({}, {"api_key": "sk-main", "api_key_file": "", "open": False, "tls_key": "k"}, id="says nothing"),
        pytest.param(
            {"api_key_file": "own.key", "port": 30001},
            {"api_key": None, "api_key_file": "own.key", "open": None, "tls_key": "k"},
            id="a key of its own",
        ),
        pytest.param(
            {"open": True},
            {"api_key": None, "api_key_file": None, "open": True, "tls_key": "k"},
            id="open, where the others want a key",
        ),
        pytest.param(
            {"open": False, "tls_key": None},
            {"api_key": None, "api_key_file": None, "open": False, "tls_key": "k"},
            id="not open; null is as if it were not written",
        ),
    ],
)
def test_what_an_instance_says_of_a_matter_is_all_that_counts(
    own: dict[str, t.Any], expected: dict[str, t.Any]
) -> None:
    assert settings({"api_key": "sk-main", "api_key_file": "", "open": False, "tls_key": "k"}, own) == expected


def test_a_version_without_tls_is_told() -> None:
    assert shown(limits_of(TLS, {}, OLD, table(OLD))) == [
        (
            "server_tls_certificate is set, and SGLang 0.5.4.post2 can't speak TLS; needed is 0.5.10 or newer.",
            "choose another image with server_image; or leave it out, and let a proxy in front of the API speak TLS.",
        )
    ]


@pytest.mark.parametrize(
    ("secrets", "known"),
    [
        pytest.param(TLS, table(NEW), id="a version with TLS"),
        pytest.param(TLS, None, id="a version of which nothing is known"),
        pytest.param(KEY, table(OLD), id="no certificate"),
    ],
)
def test_what_a_version_can_do_is_not_refused(secrets: dict[str, str], known: t.Any) -> None:
    assert limits_of(secrets, {}, NEW, known) == []


@pytest.mark.parametrize(
    ("secrets", "named"),
    [
        (KEY, "server_api_key"),
        ({**KEY, "admin_api_key": "root-5678"}, "server_api_key and server_admin_api_key"),
    ],
)
def test_keys_that_nobody_would_check_are_refused(secrets: dict[str, str], named: str) -> None:
    assert shown(limits_of(secrets, {"tokenizer_worker_num": 2}, NEW, table(NEW))) == [
        (
            f"tokenizer_worker_num is 2, and {named} can't be checked then: SGLang does that with one tokenizer worker"
            " only.",
            "leave tokenizer_worker_num out, or serve without keys (server_open: true).",
        )
    ]


@pytest.mark.parametrize(
    ("secrets", "workers"), [(KEY, 1), (KEY, "1"), (KEY, None), (KEY, "several"), ({"hf_token": "hf_1"}, 2)]
)
def test_one_tokenizer_worker_checks_keys(secrets: dict[str, str], workers: t.Any) -> None:
    assert limits_of(secrets, {"tokenizer_worker_num": workers}, NEW, table(NEW)) == []


@pytest.mark.parametrize(
    ("args", "known", "rereads"),
    [
        pytest.param({}, table(NEW), True, id="0.5.23"),
        pytest.param({}, None, False, id="a version of which nothing is known"),
        pytest.param({"enable_http2": True}, table(NEW), False, id="HTTP/2"),
        pytest.param({"tokenizer_worker_num": 2}, table(NEW), False, id="several tokenizer workers"),
    ],
)
def test_a_certificate_is_read_again_where_that_can_be(args: dict[str, t.Any], known: t.Any, rereads: bool) -> None:
    made = tls_of(TLS, args, known)
    assert ("enable_ssl_refresh" in made, made["ssl_certfile"]) == (rereads, "/run/sglang/tls.pem")


def test_without_a_certificate_there_is_no_tls() -> None:
    assert tls_of(KEY, {}, table(NEW)) == {}


@pytest.mark.parametrize(
    ("secrets", "names", "expected"),
    [
        pytest.param(TLS, ("10.0.0.11",), (), id="for the endpoint"),
        pytest.param({}, (), (), id="no TLS"),
        pytest.param(
            TLS,
            ("a.example", "b.example"),
            ("server_tls_certificate is for a.example, b.example: clients that ask https://10.0.0.11 will refuse it.",),
            id="for others",
        ),
        pytest.param(
            TLS,
            (),
            ("server_tls_certificate has no subjectAltName: clients that ask https://10.0.0.11 will refuse it.",),
            id="for nobody",
        ),
    ],
)
def test_a_certificate_for_another_name_is_told(
    secrets: dict[str, str], names: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert notes_of(secrets, Access(names=names), "10.0.0.11") == expected
    assert notes_of(secrets, Access(names=names, notes=("first",)), "10.0.0.11") == ("first", *expected)

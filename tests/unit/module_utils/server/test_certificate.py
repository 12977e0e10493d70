# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a certificate can serve, until when, for whom, and how one is told from another."""

from __future__ import annotations

import base64
import datetime
import hashlib

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._certificate import (
    Certificate,
    bundle,
    covers,
    digest,
    fingerprint,
    verdict,
)
from ansible_collections.dgxspark.sglang.tests.unit.builders import shown

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def block(kind: str, content: bytes) -> str:
    return f"-----BEGIN {kind}-----\n{base64.b64encode(content).decode()}\n-----END {kind}-----"


LEAF, ISSUER = block("CERTIFICATE", b"the server's own"), block("CERTIFICATE", b"its issuer's")
KEY, PARAMETERS = block("EC PRIVATE KEY", b"key"), block("EC PARAMETERS", b"curve")


def certificate(begins: float = -30, ends: float = 60, fits: bool = True) -> Certificate:
    """Return one whose times are days from now."""
    return Certificate(NOW + begins * DAY, NOW + ends * DAY, ("a.example",), fits)


@pytest.mark.parametrize(
    ("found", "problems", "warnings"),
    [
        pytest.param(certificate(), [], [], id="good"),
        pytest.param(certificate(ends=14), [], [], id="two weeks left"),
        pytest.param(
            certificate(ends=13.9),
            [],
            ["server_tls_certificate ends on 2026-12-05 09:36 UTC, in 13 days: renew it, and run again."],
            id="less than two weeks left",
        ),
        pytest.param(
            certificate(ends=0),
            [("server_tls_certificate ended on 2026-11-21 12:00 UTC.", "renew it; every client would refuse it.")],
            ["server_tls_certificate ends on 2026-11-21 12:00 UTC, in 0 days: renew it, and run again."],
            id="ends now",
        ),
        pytest.param(
            certificate(ends=-1),
            [("server_tls_certificate ended on 2026-11-20 12:00 UTC.", "renew it; every client would refuse it.")],
            [],
            id="ended",
        ),
        pytest.param(
            certificate(begins=1),
            [
                (
                    "server_tls_certificate is valid from 2026-11-22 12:00 UTC on, and now it is 2026-11-21 12:00 UTC.",
                    "check the clock of this machine, or wait.",
                )
            ],
            [],
            id="not yet valid",
        ),
        pytest.param(
            certificate(fits=False),
            [
                (
                    "server_tls_key does not belong to server_tls_certificate, needed is the certificate's own key.",
                    "of a chain the server's own certificate must come first; else find the key that it was made with.",
                )
            ],
            [],
            id="another key",
        ),
    ],
)
def test_what_can_not_serve_is_refused(
    found: Certificate, problems: list[tuple[str, str]], warnings: list[str]
) -> None:
    faults, told = verdict(found, NOW)
    assert (shown(faults), told) == (problems, warnings)


def test_the_engine_gets_key_and_chain_in_one_and_nothing_else() -> None:
    given = f"subject=/CN=a\n{LEAF}\nissuer=/CN=b\r\n{ISSUER}\n"
    assert bundle(given, f"{PARAMETERS}\n{KEY}\n") == f"{KEY}\n{LEAF}\n{ISSUER}\n"


def test_a_fingerprint_is_that_of_the_first_certificate() -> None:
    expected = hashlib.sha256(b"the server's own").hexdigest()
    assert (fingerprint(bundle(f"{LEAF}\n{ISSUER}", KEY)), digest(b"the server's own")) == (expected, expected)


def test_without_a_certificate_there_is_no_fingerprint() -> None:
    assert fingerprint("") == ""


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("a.example", True),
        ("A.Example.", True),
        ("b.wild.example", True),
        ("c.b.wild.example", False),
        ("wild.example", False),
        ("10.0.0.11", True),
        ("10.0.0.12", False),
        ("spark-01", False),
    ],
)
def test_a_certificate_is_for_its_names(host: str, expected: bool) -> None:
    assert covers(("a.example", "*.wild.example", "10.0.0.11"), host) is expected

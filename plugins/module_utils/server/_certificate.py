# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificate of an endpoint: whether it can serve, until when, for which names, and which one it is."""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
import typing as t
from dataclasses import dataclass

from .._errors import Problem

# ACME clients renew 30 days before the end (certbot's default): who has 14 left has missed that for two weeks.
WARN_DAYS = 14
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----")
_CHAIN = "CERTIFICATE"


@dataclass(frozen=True)
class Certificate:
    """What a certificate says. Times have a zone; `names` are the DNS names and addresses that it is for.

    `fits`: whether the key belongs to it.
    """

    begins: datetime.datetime
    ends: datetime.datetime
    names: tuple[str, ...]
    fits: bool


def blocks(text: str, kind: str) -> list[str]:
    """Return the PEM blocks of `text` whose label ends with `kind` (CERTIFICATE, PRIVATE KEY), in their order."""
    return [found.group() for found in _BLOCK.finditer(text) if found.group(1).endswith(kind)]


def bundle(certificate: str, key: str) -> str:
    """Return what the engine reads as both: the key, and the chain with its own certificate first."""
    return "\n".join([*blocks(key, "PRIVATE KEY")[:1], *blocks(certificate, _CHAIN), ""])


def fingerprint(pem: str) -> str:
    """Return the SHA-256 of the first certificate in `pem`, as hex; empty when there is none."""
    found = blocks(pem, _CHAIN)
    body = "".join(found[0].splitlines()[1:-1]) if found else ""
    return digest(base64.b64decode(body)) if body else ""


def digest(der: bytes) -> str:
    """Return the fingerprint of a certificate in the form in which a server sends it."""
    return hashlib.sha256(der).hexdigest()


def verdict(found: Certificate, now: datetime.datetime) -> tuple[list[Problem], list[str]]:
    """Return why a certificate can't serve, and what its owner should know."""
    problems = []
    if not found.fits:
        what = "server_tls_key does not belong to server_tls_certificate, needed is the certificate's own key."
        hint = "of a chain the server's own certificate must come first; else find the key that it was made with."
        problems.append(Problem(what, hint))
    if now < found.begins:
        what = f"server_tls_certificate is valid from {_day(found.begins)} on, and now it is {_day(now)}."
        problems.append(Problem(what, "check the clock of this machine, or wait."))
    if now >= found.ends:
        what = f"server_tls_certificate ended on {_day(found.ends)}."
        problems.append(Problem(what, "renew it; every client would refuse it."))
    left = (found.ends - now).days
    warnings = []
    if 0 <= left < WARN_DAYS:
        warnings.append(f"server_tls_certificate ends on {_day(found.ends)}, in {left} days: renew it, and run again.")
    return problems, warnings


def covers(names: t.Iterable[str], host: str) -> bool:
    """Whether a client that asks for `host` accepts a certificate for `names`. A star stands for one label."""
    wanted = host.lower().rstrip(".")
    known = {name.lower().rstrip(".") for name in names}
    return wanted in known or f"*.{wanted.partition('.')[2]}" in known


def _day(when: datetime.datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M UTC")

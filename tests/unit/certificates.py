# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates for the tests, signed by nobody but themselves."""

from __future__ import annotations

import datetime
import ipaddress
import typing as t
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)


@dataclass(frozen=True)
class Pair:
    """Certificate and key in PEM format."""

    certificate: str
    key: str


def pair(
    names: t.Sequence[str] = (),
    addresses: t.Sequence[str] = (),
    days: int = 60,
    now: datetime.datetime = NOW,
    passphrase: str = "",
) -> Pair:
    """Return a new one that began a day ago and ends in `days`."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    known = [*map(x509.DNSName, names), *(x509.IPAddress(ipaddress.ip_address(item)) for item in addresses)]
    if known:
        builder = builder.add_extension(x509.SubjectAlternativeName(known), critical=False)
    sealed = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return Pair(
        builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode(),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed).decode(),
    )

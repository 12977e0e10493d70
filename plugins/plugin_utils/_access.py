# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets of a server, as variables or as files of the controller: the only place that reads these files."""

from __future__ import annotations

import datetime
import functools
import os
import stat
import typing as t
from dataclasses import dataclass

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import is_encrypted_file

from ..module_utils._errors import Problem, SparkError, collect
from ..module_utils.server import _certificate
from ..module_utils.server._access import SETTINGS, Access

try:  # a dependency of ansible-core, which loads it only where it is needed
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
except ImportError:
    pass

# What of it can be said, by the names of the variables server_*.
ARGUMENTS: dict[str, t.Any] = {
    **{name: {"type": "str", "no_log": name in ("api_key", "admin_api_key", "hf_token")} for name in SETTINGS},
    "open": {"type": "bool", "default": False},
}
_IN_FILES = ("api_key", "admin_api_key", "hf_token")


@dataclass(frozen=True)
class Found:
    """`secrets`: option -> value of those that are set and can be read; what was found on the way is in `access`."""

    secrets: t.Mapping[str, str]
    access: Access


def find(
    said: t.Mapping[str, t.Any],
    variables: t.Mapping[str, t.Any],
    loader: DataLoader,
    now: datetime.datetime,
    prefix: str = "server_",
) -> Found:
    """Return the secrets that `said` asks for. Raises nothing: faults are in the answer.

    `variables`: Ansible's own, which tell where the inventory is; relative paths count from its folder. A file that is
    encrypted with a vault is read like any other file. `prefix`: what the variables' names begin with.
    """
    sources = [os.path.abspath(str(source)) for source in variables.get("ansible_inventory_sources") or ()]
    files = _Files(str(variables.get("inventory_dir") or ""), sources, loader)
    faults: list[Problem] = []
    secrets = {}
    for name in _IN_FILES:
        secrets[name] = collect(faults, functools.partial(_value, name, said, files, prefix)) or ""
    tls = collect(faults, functools.partial(_tls, said, files, now))
    if tls:
        secrets["tls_pem"] = tls.pem
        faults += tls.problems
    notes = [*files.notes, *(tls.notes if tls else ())]
    access = Access(bool(said.get("open")), tls.names if tls else (), tuple(faults), tuple(notes))
    return Found({name: value for name, value in secrets.items() if value}, access)


class _Files:
    """The files of the controller. `notes`: who else can read them."""

    def __init__(self, folder: str, sources: t.Sequence[str], loader: DataLoader) -> None:
        self.folder, self.sources, self.loader = folder, sources, loader
        self.notes: list[str] = []

    def read(self, variable: str, path: str, private: bool = True) -> str:
        """Return a file's content without blanks around it. Raises SparkError when it has none."""
        full = os.path.abspath(os.path.join(self.folder, os.path.expanduser(path)))
        if any(_is_inventory(full, source) for source in self.sources):
            what = (
                f"{variable} is in the inventory, {full}: Ansible takes its lines for names of hosts, and shows them."
            )
            raise SparkError(what, "move it, for example to ~/.config or to a folder whose name begins with a dot.")
        sealed = False
        try:
            with open(full, "rb") as file:
                sealed, mode = is_encrypted_file(file), os.fstat(file.fileno()).st_mode
            text = str(self.loader.get_text_file_contents(full)).strip()
        except (OSError, AnsibleError) as error:
            why = getattr(error, "strerror", "") or " ".join(str(error).split()).rstrip(".")
            hint = "correct the path (of this machine; a relative one counts from the inventory's folder)."
            hint = "add --ask-vault-pass, or the password's file." if sealed else hint
            raise SparkError(f"{variable} can't be read: {full}: {why}.", hint) from error
        if not text:
            raise SparkError(f"{variable} is empty: {full}.", "write the secret into it, or name another file.")
        if private and mode & stat.S_IROTH and not sealed:
            self.notes.append(f"{variable} can be read by everybody on this machine: chmod 600 {full}")
        return text


def _is_inventory(path: str, source: str) -> bool:
    """Whether Ansible reads a file as part of an inventory source: of a folder it leaves out these names alone."""
    below = os.path.relpath(path, source).split(os.sep)
    skipped = any(part.startswith(".") or part in ("group_vars", "host_vars") for part in below)
    return os.path.isdir(source) and not skipped


def _value(name: str, said: t.Mapping[str, t.Any], files: _Files, prefix: str) -> str:
    value, path = said.get(name) or "", said.get(f"{name}_file") or ""
    if value and path:
        what = f"{prefix}{name} and {prefix}{name}_file are both set."
        raise SparkError(what, "leave one of them out.")
    return files.read(f"{prefix}{name}_file", str(path)) if path else str(value)


@dataclass(frozen=True)
class _Tls:
    pem: str
    names: tuple[str, ...]
    problems: list[Problem]
    notes: list[str]


def _tls(said: t.Mapping[str, t.Any], files: _Files, now: datetime.datetime) -> _Tls | None:
    paths = {f"server_{name}": str(said.get(name) or "") for name in ("tls_certificate", "tls_key")}
    if not any(paths.values()):
        return None
    for name, path in paths.items():
        if not path:
            other = next(known for known in paths if known != name)
            raise SparkError(f"{other} is set, and {name} is not.", "TLS needs both: set it, too, or neither.")
    (certificate_name, certificate_path), (key_name, key_path) = paths.items()
    certificate, key = files.read(certificate_name, certificate_path, False), files.read(key_name, key_path)
    found = _parse(certificate, key)
    problems, notes = _certificate.verdict(found, now)
    return _Tls(_certificate.bundle(certificate, key), found.names, problems, notes)


def _parse(certificate: str, key: str) -> _certificate.Certificate:
    """Return what a certificate says. Raises SparkError for what is none, or no key that the engine could read."""
    try:
        first = x509.load_pem_x509_certificate(certificate.encode())
    except ValueError as error:
        what = "server_tls_certificate has no certificate in PEM format (-----BEGIN CERTIFICATE-----)."
        raise SparkError(what, "give the certificate that the server shows, followed by its chain.") from error
    try:
        own = load_pem_private_key(key.encode(), password=None)
    except TypeError as error:
        what = "server_tls_key has a passphrase, which the engine would have to be told."
        raise SparkError(what, "remove it (openssl pkey -in FILE -out NEW), and keep the file in a vault.") from error
    except ValueError as error:
        what = "server_tls_key has no private key in PEM format (-----BEGIN PRIVATE KEY-----)."
        raise SparkError(what, "give the key that the certificate was made for.") from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fits = own.public_key().public_bytes(*form) == first.public_key().public_bytes(*form)
    return _certificate.Certificate(_time(first, "before"), _time(first, "after"), _names(first), fits)


def _time(certificate: x509.Certificate, which: str) -> datetime.datetime:
    """Return when it becomes valid (before) or ends (after). Ubuntu 24.04 has cryptography 41, which names no zone."""
    found: datetime.datetime | None = getattr(certificate, f"not_valid_{which}_utc", None)
    return found or getattr(certificate, f"not_valid_{which}").replace(tzinfo=datetime.timezone.utc)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return (*names.get_values_for_type(x509.DNSName), *addresses)

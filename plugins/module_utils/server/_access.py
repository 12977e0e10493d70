# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who gets at the API: with a key, over TLS, or everybody. What can't be, and what nobody has said, is refused."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import Problem
from ._certificate import covers
from ._flags import FlagTable
from ._secrets import REFRESH, SECRET_FLAGS, TLS_FLAGS, tls_args

# How a server says who gets at it, in server_* or for one instance: each group is taken whole from one of the two.
GROUPS = (
    ("api_key", "api_key_file", "open"),
    ("admin_api_key", "admin_api_key_file"),
    ("hf_token", "hf_token_file"),
    ("tls_certificate", "tls_key"),
)
SETTINGS = tuple(name for group in GROUPS for name in group)
# Printable, not a number, not taken for a flag, and long enough that hiding it hides nothing else.
_SECRET = re.compile(r"[!-,.-~][!-~]{7,}")


@dataclass(frozen=True)
class Access:
    """What was said and found of it, beside the secrets themselves.

    `keyless`: that a server without a key is meant; `names`: what the certificate is for; `faults`: why a file of a
    secret can't be used; `notes`: what its owner should know.
    """

    keyless: bool = False
    names: tuple[str, ...] = ()
    faults: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def settings(shared: t.Mapping[str, t.Any], own: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what counts for an instance: of each group what it says itself, else what is said for all."""
    chosen: dict[str, t.Any] = {}
    for group in GROUPS:
        source = own if any(own.get(name) is not None for name in group) else shared
        chosen |= {name: source.get(name) for name in group if name in shared or name in own}
    return chosen


def problems_of(secrets: t.Mapping[str, str], access: Access, prefix: str = "server_") -> list[Problem]:
    """Return what is wrong with the secrets, whatever is served. `secrets`: option -> value of those that are set;
    `prefix`: what their variables' names begin with."""
    needed = "at least 8 printable characters without blanks or line ends, not digits alone, no hyphen first"
    problems = [
        Problem(f"{prefix}{name} can't be used (its value is not shown), needed are {needed}.", "give another one.")
        for name, value in sorted(secrets.items())
        if name != "tls_pem" and (not _SECRET.fullmatch(value) or value.isdigit())
    ]
    if not (secrets.get("api_key") or access.keyless or access.faults):
        what = (
            f"The API would answer everybody: {prefix}api_key and {prefix}api_key_file are empty, and {prefix}open is"
            " not true. Needed is one of the three."
        )
        hint = (
            f"set {prefix}api_key (in a vault); or {prefix}api_key_file to a file of this machine, made with `(umask"
            f" 077; openssl rand -hex 32 > FILE)`; or {prefix}open: true, where everybody who reaches the port may use"
            " the model and SGLang's control routes."
        )
        problems.append(Problem(what, hint))
    if access.keyless and "admin_api_key" in secrets and "api_key" not in secrets:
        what = (
            f"{prefix}admin_api_key protects nothing without {prefix}api_key: /server_info would show it to everybody."
        )
        problems.append(Problem(what, f"set {prefix}api_key, too; or leave the admin key out."))
    return [*access.faults, *problems]


def limits_of(
    secrets: t.Mapping[str, str], args: t.Mapping[str, t.Any], version: str, table: FlagTable | None
) -> list[Problem]:
    """Return what a server of that SGLang version, with these arguments, can't do of what is asked."""
    problems = []
    if "tls_pem" in secrets and table and not table.flags.keys() >= set(TLS_FLAGS):
        what = f"server_tls_certificate is set, and SGLang {version} can't speak TLS; needed is 0.5.10 or newer."
        hint = "choose another image with server_image; or leave it out, and let a proxy in front of the API speak TLS."
        problems.append(Problem(what, hint))
    keys = [f"server_{name}" for name in SECRET_FLAGS if name in secrets]
    if keys and _workers(args) > 1:
        what = (
            f"tokenizer_worker_num is {args['tokenizer_worker_num']}, and {' and '.join(keys)} can't be checked then:"
            " SGLang does that with one tokenizer worker only."
        )
        problems.append(Problem(what, "leave tokenizer_worker_num out, or serve without keys (server_open: true)."))
    return problems


def tls_of(secrets: t.Mapping[str, str], args: t.Mapping[str, t.Any], table: FlagTable | None) -> dict[str, t.Any]:
    """Return the arguments with which rank 0 speaks TLS, none without a certificate.

    A renewed certificate is read again where the version is known to do that. HTTP/2 and several tokenizer workers are
    served by what can't (0.5.23 refuses the first and ignores the wish with the second).
    """
    if "tls_pem" not in secrets:
        return {}
    rereads = table is not None and REFRESH in table.flags
    return tls_args(rereads and not args.get("enable_http2") and _workers(args) == 1)


def notes_of(secrets: t.Mapping[str, str], access: Access, host: str) -> tuple[str, ...]:
    """Return what the owner of keys and certificate should know on every run. `host`: whom clients ask."""
    if "tls_pem" not in secrets or covers(access.names, host):
        return access.notes
    known = f"is for {', '.join(access.names)}" if access.names else "has no subjectAltName"
    return (*access.notes, f"server_tls_certificate {known}: clients that ask https://{host} will refuse it.")


def _workers(args: t.Mapping[str, t.Any]) -> int:
    value = str(args.get("tokenizer_worker_num") or 1)
    return int(value) if value.isdigit() else 1  # the flag table tells what is no number

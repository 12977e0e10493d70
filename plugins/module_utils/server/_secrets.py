# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets of a server: in which files they reach the engine, and what of them the container's spec knows.

The engine reads API keys from a YAML file, the Hugging Face token from a file whose path is in its environment, and
certificate and key from one PEM file: two files can't be replaced in one step. None is in argv, environment or labels.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

SECRET_MOUNT = "/run/sglang"
CONFIG_FILE = f"{SECRET_MOUNT}/config.yaml"
HF_TOKEN_FILE = f"{SECRET_MOUNT}/hf_token"
TLS_PEM = "tls.pem"
TLS_FILE = f"{SECRET_MOUNT}/{TLS_PEM}"

# Options that are secrets, and those of them that are flags of SGLang's and so belong into its YAML file.
SECRETS = ("api_key", "admin_api_key", "hf_token", "tls_pem")
SECRET_FLAGS = ("api_key", "admin_api_key")

_CERTIFICATE, _KEY, REFRESH = "ssl_certfile", "ssl_keyfile", "enable_ssl_refresh"
TLS_FLAGS = (_CERTIFICATE, _KEY)
# SGLang watches the two files with watchfiles, which by itself (inotify) loses a file when it is replaced: with 1.3.0
# the first renewal was seen and no later one. Looking at their times instead finds every one, in about half a second.
REFRESH_ENV = {"WATCHFILES_FORCE_POLLING": "true"}


def tls_args(refresh: bool) -> dict[str, t.Any]:
    """Return the arguments of a rank that speaks TLS."""
    return {_CERTIFICATE: TLS_FILE, _KEY: TLS_FILE, **({REFRESH: True} if refresh else {})}


def speaks_tls(args: t.Mapping[str, t.Any]) -> bool:
    """Whether the rank with these arguments answers https: rank 0 alone, the others' dummy can't."""
    return bool(args.get(_CERTIFICATE))


def used(args: t.Mapping[str, t.Any], secrets: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return what a rank gets of `secrets` (option -> value, empty or None when not set)."""
    given = {name: str(secrets[name]) for name in SECRETS if secrets.get(name)}
    return {name: value for name, value in given.items() if name != "tls_pem" or speaks_tls(args)}


def checksums(args: t.Mapping[str, t.Any], secrets: t.Mapping[str, str]) -> dict[str, str]:
    """Return option -> checksum of the secrets with which a change is another server.

    An engine that reads its certificate again when it changes is the same server with another one.
    """
    fixed = {name: value for name, value in secrets.items() if name != "tls_pem" or not args.get(REFRESH)}
    return {name: checksum(name, value) for name, value in sorted(fixed.items())}


def checksum(name: str, secret: str) -> str:
    """Return a checksum that tells two secrets apart and that is slow to guess from (labels can be read by anybody)."""
    salt = f"dgxspark.sglang/{name}".encode()
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, 100_000).hex()[:16]


def secret_dir(state_dir: str, name: str) -> str:
    return f"{state_dir}/{name}.secrets"


def former_dir(state_dir: str, name: str) -> str:
    """Return where the certificate waits that the last good plan speaks TLS with and the one that is tried does not."""
    return f"{secret_dir(state_dir, name)}.former"


def secret_files(secrets: t.Mapping[str, str]) -> dict[str, str]:
    """Return file name -> content for the secret folder. SGLang's YAML keys are its flags with hyphens."""
    config = {name.replace("_", "-"): value for name, value in sorted(secrets.items()) if name in SECRET_FLAGS}
    files = {"config.yaml": "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())}
    files |= {"hf_token": secrets.get("hf_token", ""), TLS_PEM: secrets.get("tls_pem", "")}
    return {name: content for name, content in files.items() if content}


def secrets_of(files: t.Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that `secret_files` made files of. Raises ValueError for what it did not make."""
    lines = [line.partition(": ") for line in files.get("config.yaml", "").splitlines()]
    found = {key.replace("-", "_"): str(json.loads(value)) for key, _colon, value in lines}
    found |= {"hf_token": files.get("hf_token", ""), "tls_pem": files.get(TLS_PEM, "")}
    return {name: value for name, value in found.items() if value}

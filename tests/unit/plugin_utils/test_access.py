# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets in files of the controller: what is read, and what is said of a file that can't be."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._access import Access
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._certificate import fingerprint
from ansible_collections.dgxspark.sglang.plugins.plugin_utils._access import Found, find
from ansible_collections.dgxspark.sglang.tests.unit.builders import shown
from ansible_collections.dgxspark.sglang.tests.unit.certificates import NOW, pair

PATH_HINT = "correct the path (of this machine; a relative one counts from the inventory's folder)."


@pytest.fixture
def files(tmp_path: Path) -> t.Callable[..., Path]:
    """Return a function that writes a file of the controller and returns its path."""

    def write(name: str, content: str | bytes, mode: int = 0o600) -> Path:
        path = tmp_path / "files" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    return write


Files = t.Callable[..., Path]


def found(variables: t.Mapping[str, t.Any] | None = None, loader: DataLoader | None = None, **said: t.Any) -> Found:
    return find({name: str(value) for name, value in said.items()}, variables or {}, loader or DataLoader(), NOW)


def refusal(**said: t.Any) -> tuple[str, str]:
    """Return the only fault of what is said."""
    (only,) = shown(found(**said).access.faults)
    return only


def test_nothing_said_is_nothing_found() -> None:
    assert find({"open": True}, {}, DataLoader(), NOW) == Found({}, Access(keyless=True))


def test_secrets_come_from_variables_and_from_files(files: Files) -> None:
    said = {"api_key": "sk-live-1234", "admin_api_key_file": files("admin", "root-5678\n"), "hf_token": ""}
    assert found(**said) == Found({"api_key": "sk-live-1234", "admin_api_key": "root-5678"}, Access())


def test_a_relative_path_counts_from_the_inventory(files: Files) -> None:
    folder = str(files("key", "sk-live-1234").parent)
    assert found({"inventory_dir": folder}, api_key_file="key").secrets == {"api_key": "sk-live-1234"}


def test_the_home_of_whoever_runs_this_is_known(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(files("key", "sk-live-1234").parent))
    assert found(api_key_file="~/key").secrets == {"api_key": "sk-live-1234"}


def test_a_file_in_a_vault_is_decrypted_and_may_be_read_by_everybody(files: Files) -> None:
    secrets = [("default", VaultSecret(b"open sesame"))]
    loader = DataLoader()
    loader.set_vault_secrets(secrets)
    path = files("key", VaultLib(secrets).encrypt("sk-live-1234\n", secrets[0][1]), 0o644)
    assert found(loader=loader, api_key_file=path) == Found({"api_key": "sk-live-1234"}, Access())


def test_without_the_vault_s_password_it_is_refused(files: Files) -> None:
    secret = VaultSecret(b"open sesame")
    path = files("key", VaultLib([("default", secret)]).encrypt("sk-live-1234\n", secret))
    assert refusal(api_key_file=path) == (
        f"server_api_key_file can't be read: {path}: A vault password must be specified to decrypt data.",
        "add --ask-vault-pass, or the password's file.",
    )


def test_a_file_that_everybody_can_read_is_told(files: Files) -> None:
    path = files("key", "sk-live-1234", 0o644)
    assert found(api_key_file=path).access.notes == (
        f"server_api_key_file can be read by everybody on this machine: chmod 600 {path}",
    )


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert refusal(api_key_file=path) == (
        f"server_api_key_file can't be read: {path}: No such file or directory.",
        PATH_HINT,
    )


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(hf_token_file=tmp_path) == (
        f"server_hf_token_file can't be read: {tmp_path}: Is a directory.",
        PATH_HINT,
    )


def test_an_empty_file_is_refused(files: Files) -> None:
    path = files("key", " \n")
    assert refusal(admin_api_key_file=path) == (
        f"server_admin_api_key_file is empty: {path}.",
        "write the secret into it, or name another file.",
    )


def test_a_key_and_a_file_of_one_are_one_too_many(files: Files) -> None:
    assert refusal(api_key="sk-live-1234", api_key_file=files("key", "sk-live-5678")) == (
        "server_api_key and server_api_key_file are both set.",
        "leave one of them out.",
    )


@pytest.mark.parametrize(("folder", "read"), [("keys", False), (".keys", True), ("group_vars", True)])
def test_a_file_that_ansible_takes_for_an_inventory_is_refused(tmp_path: Path, folder: str, read: bool) -> None:
    """It would show the key as the name of a host."""
    path = tmp_path / folder / "key"
    path.parent.mkdir()
    path.write_text("sk-live-1234", encoding="utf-8")
    path.chmod(0o600)
    made = found({"ansible_inventory_sources": [str(tmp_path)]}, api_key_file=path)
    told = (
        f"server_api_key_file is in the inventory, {path}: Ansible takes its lines for names of hosts, and shows them.",
        "move it, for example to ~/.config or to a folder whose name begins with a dot.",
    )
    assert (shown(made.access.faults), bool(made.secrets)) == ([] if read else [told], read)


def test_beside_an_inventory_that_is_a_file_it_may_be(files: Files) -> None:
    hosts, key = files("hosts.yml", "{}"), files("key", "sk-live-1234")
    made = found({"ansible_inventory_sources": [str(hosts)], "inventory_dir": str(key.parent)}, api_key_file="key")
    assert made.secrets == {"api_key": "sk-live-1234"}


def test_every_fault_is_told(tmp_path: Path) -> None:
    made = found(api_key_file=tmp_path / "none", hf_token_file=tmp_path, tls_key=tmp_path / "none")
    assert [problem.what.split()[0] for problem in made.access.faults] == [
        "server_api_key_file",
        "server_hf_token_file",
        "server_tls_key",
    ]


def tls(files: Files, certificate: str, key: str) -> dict[str, Path]:
    return {"tls_certificate": files("tls.crt", certificate, 0o644), "tls_key": files("tls.key", key)}


def test_certificate_and_key_become_one_text(files: Files) -> None:
    made, issuer = pair(["a.example"], ["10.0.0.11"]), pair()
    both = found(**tls(files, made.certificate + issuer.certificate, made.key))
    assert both.access == Access(names=("a.example", "10.0.0.11"))
    assert both.secrets == {"tls_pem": made.key + made.certificate + issuer.certificate}
    assert fingerprint(both.secrets["tls_pem"]) == fingerprint(made.certificate)


def test_a_certificate_that_ends_soon_is_told(files: Files) -> None:
    made = pair(days=3)
    assert found(**tls(files, made.certificate, made.key)).access.notes == (
        "server_tls_certificate ends on 2026-11-24 12:00 UTC, in 3 days: renew it, and run again.",
    )


def test_a_key_that_everybody_can_read_is_told(files: Files) -> None:
    made = pair()
    said = tls(files, made.certificate, made.key)
    said["tls_key"].chmod(0o644)
    assert found(**said).access.notes == (
        f"server_tls_key can be read by everybody on this machine: chmod 600 {said['tls_key']}",
    )


ONE, OTHER = pair(), pair()


@pytest.mark.parametrize(
    ("certificate", "key", "expected"),
    [
        pytest.param(
            ONE.certificate,
            OTHER.key,
            (
                "server_tls_key does not belong to server_tls_certificate, needed is the certificate's own key.",
                "of a chain the server's own certificate must come first; else find the key that it was made with.",
            ),
            id="another key",
        ),
        pytest.param(
            OTHER.certificate + ONE.certificate,
            ONE.key,
            (
                "server_tls_key does not belong to server_tls_certificate, needed is the certificate's own key.",
                "of a chain the server's own certificate must come first; else find the key that it was made with.",
            ),
            id="the chain the wrong way round",
        ),
        pytest.param(
            ONE.key,
            ONE.key,
            (
                "server_tls_certificate has no certificate in PEM format (-----BEGIN CERTIFICATE-----).",
                "give the certificate that the server shows, followed by its chain.",
            ),
            id="no certificate",
        ),
        pytest.param(
            ONE.certificate,
            ONE.certificate,
            (
                "server_tls_key has no private key in PEM format (-----BEGIN PRIVATE KEY-----).",
                "give the key that the certificate was made for.",
            ),
            id="no key",
        ),
        pytest.param(
            ONE.certificate,
            pair(passphrase="open sesame").key,
            (
                "server_tls_key has a passphrase, which the engine would have to be told.",
                "remove it (openssl pkey -in FILE -out NEW), and keep the file in a vault.",
            ),
            id="a passphrase",
        ),
    ],
)
def test_what_can_not_speak_tls_is_refused(files: Files, certificate: str, key: str, expected: tuple[str, str]) -> None:
    assert refusal(**tls(files, certificate, key)) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"tls_key": "x"}, "server_tls_key is set, and server_tls_certificate is not."),
        ({"tls_certificate": "x"}, "server_tls_certificate is set, and server_tls_key is not."),
    ],
)
def test_half_of_tls_is_refused(said: dict[str, str], expected: str) -> None:
    assert refusal(**said) == (expected, "TLS needs both: set it, too, or neither.")

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container registry that answers the nodes under Docker Hub's names, with keys that only they trust."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request

from . import config, daemons, engine, ui

TLS = config.DATA / "tls"
SETTINGS = config.DATA / "registry.yml"
STORAGE = config.DATA / "registry"
DAEMON = daemons.Daemon("registry", ["docker-registry", "serve", str(SETTINGS)], str(SETTINGS))
DAYS = "3650"


def ensure_certificates() -> bool:
    """Make the throw-away authority, the registry's certificate and the key pair for ssh; True when new."""
    if not config.SSH_KEY.exists():
        config.SSH_KEY.parent.mkdir(parents=True, exist_ok=True)
        ui.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", config.LABEL, "-f", config.SSH_KEY])
    names = ",".join([f"IP:{config.REGISTRY_ADDRESS}", *(f"DNS:{name}" for name in config.REGISTRY_NAMES)])
    # Python 3.13 verifies strictly: key usage of the authority, key identifiers of both.
    wanted = f"subjectAltName={names}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    extensions = TLS / "extensions"
    if (TLS / "server.crt").exists() and extensions.exists() and extensions.read_text() == wanted:
        return False
    TLS.mkdir(parents=True, exist_ok=True)
    extensions.write_text(wanted)
    new_key = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-days", DAYS]
    authority = ["-subj", "/CN=dgxspark lab (throw-away)", "-addext", "basicConstraints=critical,CA:TRUE"]
    authority += ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    ui.run([*new_key, "-x509", *authority, "-keyout", TLS / "ca.key", "-out", TLS / "ca.crt"])
    ui.run([*new_key, "-subj", "/CN=lab registry", "-keyout", TLS / "server.key", "-out", TLS / "server.csr"])
    signer = ["-CA", TLS / "ca.crt", "-CAkey", TLS / "ca.key", "-CAcreateserial", "-extfile", extensions]
    sign = ["openssl", "x509", "-req", "-days", DAYS, *signer]
    ui.run([*sign, "-in", TLS / "server.csr", "-out", TLS / "server.crt"])
    return True


def start(*, restart: bool = False) -> None:
    """Start it; `restart` after a change of its certificate."""
    STORAGE.mkdir(parents=True, exist_ok=True)
    SETTINGS.write_text(
        "version: 0.1\n"
        "log: {level: warn, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {STORAGE}}}}}\n"
        f"http:\n  addr: {config.REGISTRY_ADDRESS}:443\n"
        f"  tls: {{certificate: {TLS / 'server.crt'}, key: {TLS / 'server.key'}}}\n"
    )
    if restart:
        DAEMON.stop()
    if DAEMON.start():
        ui.wait_for("registry (its log: " + str(config.LOGS) + ")", lambda: _get("/v2/") is not None)
        ui.say("registry started")


def stop() -> None:
    if DAEMON.stop():
        ui.say("registry stopped")


def publish(name: str, image: str) -> None:
    """Make an image of the lab's engine available under its public name."""
    repository, tag = name.rsplit(":", 1)
    manifest = _get(f"/v2/{repository}/manifests/{tag}")
    if manifest and manifest["config"]["digest"] == engine.query("image", "inspect", "--format", "{{.Id}}", image):
        return
    address = f"{config.REGISTRY_ADDRESS}/{name}"
    with ui.step(f"push {name}"):
        engine.docker("tag", image, address)
        engine.docker("push", address)
        engine.docker("rmi", address)


def summary() -> str:
    """One line for status."""
    if not DAEMON.pid():
        return "stopped"
    published = [
        name
        for name in [*config.ENGINES, config.FAULTY_ENGINE]
        if _get("/v2/{}/manifests/{}".format(*name.rsplit(":", 1)))
    ]
    return f"https://{config.REGISTRY_ADDRESS} as docker.io, with {', '.join(published) or 'nothing'}"


def _get(path: str) -> dict | None:
    """A JSON answer of the registry, or nothing when it does not answer so."""
    request = urllib.request.Request(
        f"https://{config.REGISTRY_ADDRESS}{path}",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
    )
    try:
        context = ssl.create_default_context(cafile=str(TLS / "ca.crt"))
        # No proxy of the environment: the address exists on this machine only.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(request, timeout=5) as answer:
            return json.load(answer)
    except (OSError, ValueError, urllib.error.URLError):
        return None

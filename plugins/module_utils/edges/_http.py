# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API of rank 0, asked on its own node."""

from __future__ import annotations

import http.client
import json
import ssl
import typing as t

from ..server._certificate import digest
from ..server._gate import Answers

# /health generates a token and waits up to 20 s for it: a shorter client timeout can't tell slow from dead.
HEALTH_TIMEOUT = 25
_INFO_PATHS = ("/server_info", "/get_server_info")


class Api:
    """A server's HTTP API on this node. A refused or broken connection is status 0, never an exception."""

    def __init__(self, host: str, port: int, key: str = "", tls: bool = False) -> None:
        self.host = "127.0.0.1" if host in ("", "0.0.0.0") else host
        self.port = port
        self.tls = tls
        self.headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}

    def ask(self, path: str, body: t.Any = None, timeout: float = HEALTH_TIMEOUT) -> tuple[int, t.Any]:
        """Return status and decoded JSON (None where the body is no JSON)."""
        connection = self._connection(timeout)
        try:
            data = json.dumps(body) if body is not None else None
            connection.request("POST" if data else "GET", path, data, self.headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, ValueError, http.client.HTTPException):  # ValueError: a key that can't be a header
            return 0, None
        finally:
            connection.close()
        try:
            return response.status, json.loads(content)
        except ValueError:
            return response.status, None

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        # Not verified: it asks its own node by an address that no certificate is for, and who can listen there in our
        # server's place is root already. That the right certificate is shown, the gate compares by its fingerprint.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def health(self) -> int:
        return self.ask("/health")[0]

    def certificate(self) -> str:
        """Return the fingerprint of the certificate that the server shows; empty when it shows none."""
        connection = self._connection(HEALTH_TIMEOUT)
        try:
            connection.connect()
            line = connection.sock
            shown = line.getpeercert(binary_form=True) if isinstance(line, ssl.SSLSocket) else None
            return digest(shown) if shown else ""
        except OSError:
            return ""
        finally:
            connection.close()

    def answers(self, served_name: str, embedding: bool = False) -> Answers:
        """Ask everything that the gate wants to know. Stops at the first question that has no good answer."""
        health = self.health()
        if health != 200:
            return Answers(health)
        certificate = self.certificate() if self.tls else ""
        status, models = self.ask("/v1/models")
        names = _names(models)
        if status != 200 or names is None:
            return Answers(health, certificate=certificate, error=_strange("/v1/models", status))
        for path in _INFO_PATHS:
            status, info = self.ask(path)
            if status == 200 and isinstance(info, dict):
                break
        else:
            return Answers(health, names, certificate=certificate, error=_strange(path, status))
        tokens, error = self._generation(served_name, embedding)
        return Answers(health, names, _identity(info), tokens, error, certificate)

    def _generation(self, model: str, embedding: bool) -> tuple[int | None, str]:
        more: dict[str, t.Any]
        if embedding:
            path, more, counted = "/v1/embeddings", {"input": "Hello"}, "prompt_tokens"
        else:
            path, more, counted = "/v1/completions", {"prompt": "Hello", "max_tokens": 4}, "completion_tokens"
        status, answer = self.ask(path, {"model": model, **more}, timeout=120)
        if status != 200:
            return None, _strange(path, status)
        try:
            return int(answer["usage"][counted]), ""
        except (TypeError, KeyError, ValueError):
            return None, _strange(path, status)


def _strange(path: str, status: int) -> str:
    return f"{path} answers {status}" + (", but not as SGLang does" if status == 200 else "")


def _names(models: t.Any) -> tuple[str, ...] | None:
    """Return the names that /v1/models lists; None for another server's idea of that path."""
    try:
        return tuple(str(card["id"]) for card in models["data"])
    except (TypeError, KeyError):
        return None


def _identity(info: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Keep what identifies a server: the whole answer holds its API keys."""
    return {key: info.get(key) for key in ("model_path", "tp_size", "version")}

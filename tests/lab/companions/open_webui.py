# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for Open WebUI: its health, what it keeps in its volume, and whether it reaches the endpoint with its key.

GET /health        as the real one
GET /lab/kept      how often it was started with this volume, and the hash of its sessions' key
GET /lab/models    what the endpoint that it was given answers to a client with its key
"""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
import urllib.error
import urllib.request

from stand_in import Answer, serve, well

DATA = "/app/backend/data"


def count_start() -> int:
    os.makedirs(DATA, exist_ok=True)
    path, starts = f"{DATA}/starts", 0
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            starts = int(file.read())
    with open(path, "w", encoding="utf-8") as file:
        file.write(str(starts + 1))
    return starts + 1


def session_key() -> str:
    path = os.environ.get("WEBUI_SECRET_KEY_FILE", ".webui_secret_key")
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:12]


def endpoint() -> Answer:
    """Ask the endpoint for its models as Open WebUI does."""
    openai = os.environ.get("ENABLE_OPENAI_API", "True") == "True"
    url = f"{os.environ['OPENAI_API_BASE_URL']}/models" if openai else f"{os.environ['OLLAMA_BASE_URL']}/api/tags"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return 200, {"url": url, "answer": json.load(response)}
    except urllib.error.HTTPError as error:
        return 502, {"url": url, "status": error.code}
    except OSError as error:
        return 502, {"url": url, "error": str(error)}


def main() -> None:
    kept = {"starts": count_start(), "session_key": session_key()}

    def answer(method: str, path: str, headers: dict[str, str], body: t.Any) -> Answer:
        if path == "/health":
            return (200, {"status": True}) if well() else (503, {"status": False})
        if path == "/lab/kept":
            return 200, kept
        if path == "/lab/models":
            return endpoint()
        return 404, {"error": f"no {path} here"}

    serve(8080, answer)


if __name__ == "__main__":
    main()

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for `ollama serve`: models are names in its volume, and those that begin with `gone` can't be fetched."""

from __future__ import annotations

import json
import os
import sys
import typing as t

from stand_in import Answer, serve, well

KEPT = "/root/.ollama/models.json"


def models() -> list[str]:
    if not os.path.exists(KEPT):
        return []
    with open(KEPT, encoding="utf-8") as file:
        return list(json.load(file))


def fetch(name: str) -> Answer:
    if name.startswith("gone"):
        return 200, [{"status": "pulling manifest"}, {"error": "pull model manifest: file does not exist"}]
    os.makedirs(os.path.dirname(KEPT), exist_ok=True)
    known = sorted({*models(), name})
    with open(KEPT, "w", encoding="utf-8") as file:
        json.dump(known, file)
    return 200, [{"status": "pulling manifest"}, {"status": "verifying sha256 digest"}, {"status": "success"}]


def answer(method: str, path: str, headers: dict[str, str], body: t.Any) -> Answer:
    if path == "/api/tags":
        return (200 if well() else 503), {"models": [{"name": name, "model": name} for name in models()]}
    if (method, path) == ("POST", "/api/pull"):
        return fetch(str(body["model"]))
    return 404, {"error": f"no {path} here"}


if __name__ == "__main__":
    if sys.argv[1:] != ["serve"]:
        sys.exit(f"stand-in: ollama serve, not {sys.argv[1:]}")
    serve(11434, answer)

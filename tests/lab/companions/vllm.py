# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for `vllm serve --config FILE`: one model by its name, behind its key."""

from __future__ import annotations

import os
import sys
import typing as t

from stand_in import Answer, serve, well


def settings(path: str) -> dict[str, str]:
    """Return a flat YAML file, which is all that is asked for here."""
    with open(path, encoding="utf-8") as file:
        pairs = (line.strip().partition(":") for line in file if ":" in line and not line.startswith(("#", "---")))
        return {name: value.strip().strip("'\"") for name, _colon, value in pairs}


def main() -> None:
    if sys.argv[1:3] != ["serve", "--config"]:
        sys.exit(f"stand-in: vllm serve --config FILE, not {sys.argv[1:]}")
    given = settings(sys.argv[3])
    shown = {name: "***" if name == "api-key" else value for name, value in given.items()}
    print(f"INFO stand-in: non-default args: {shown}", flush=True)
    if not os.path.exists(f"{given['model']}/config.json"):
        sys.exit(f"OSError: {given['model']} does not appear to have a file named config.json.")
    name, key = given.get("served-model-name", given["model"]), given.get("api-key", "")

    def answer(method: str, path: str, headers: dict[str, str], body: t.Any) -> Answer:
        if path == "/health":
            return (200 if well() else 503), {}
        if key and headers.get("authorization") != f"Bearer {key}":
            return 401, {"error": "Unauthorized"}
        if path == "/v1/models":
            return 200, {"object": "list", "data": [{"id": name, "object": "model"}]}
        if (method, path) == ("POST", "/v1/completions") and body.get("model") == name:
            tokens = min(int(body.get("max_tokens", 16)), 16)
            choice = {"index": 0, "text": " stand-in" * tokens, "finish_reason": "length"}
            return 200, {"model": name, "choices": [choice], "usage": {"completion_tokens": tokens}}
        return 404, {"error": f"no {path} here"}

    serve(int(given.get("port", "8000")), answer)


if __name__ == "__main__":
    main()

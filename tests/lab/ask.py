# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the server of a cluster one question, and show the answer with what it cost in tokens.

The address comes from the inventory, so this asks what Ansible has set up and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

DEFAULT_PORT = 30000


class AskError(Exception):
    """What the user has to know, in one sentence."""


def hostvars(inventory: str) -> dict[str, dict[str, object]]:
    """The variables of every host of the inventory."""
    of_checkout = Path(__file__).resolve().parents[2] / ".venv" / "bin" / "ansible-inventory"
    command = str(of_checkout) if of_checkout.exists() else shutil.which("ansible-inventory")
    if not command:
        raise AskError("ansible-inventory is not on PATH; `make setup` installs it")
    listing = subprocess.run([command, "-i", inventory, "--list"], capture_output=True, text=True, check=False)
    if listing.returncode:
        raise AskError(f"ansible-inventory cannot read {inventory}: {listing.stderr.strip()}")
    found = json.loads(listing.stdout).get("_meta", {}).get("hostvars", {})
    return {str(name): dict(variables) for name, variables in found.items()}


def endpoint(hosts: dict[str, dict[str, object]], cluster: str | None, instance: str | None = None) -> str:
    """The address of the API of the cluster's head: the main one, or that of another instance."""
    heads = {
        name: variables
        for name, variables in hosts.items()
        if variables.get("spark_head") == name and cluster in (None, variables.get("spark_cluster"))
    }
    if len(heads) != 1:
        found = ", ".join(sorted(heads)) or "none"
        raise AskError(f"needed is the head of one cluster, found: {found}; --cluster names it")
    ((name, variables),) = heads.items()
    port = variables.get("server_port", DEFAULT_PORT)
    if instance:
        others = variables.get("server_instances")
        if not isinstance(others, dict) or instance not in others:
            raise AskError(f"server_instances of {name} has no {instance}")
        port = others[instance]["port"]
    return f"http://{variables.get('ansible_host', name)}:{port}"


def call(url: str, body: dict[str, object] | None = None, limit: float = 120) -> dict[str, object]:
    """One request to the API, with the key from the environment if there is one."""
    headers = {"Content-Type": "application/json"}
    if os.environ.get("SGLANG_API_KEY"):
        headers["Authorization"] = f"Bearer {os.environ['SGLANG_API_KEY']}"
    data = json.dumps(body).encode() if body is not None else None
    # A node is in our own network; a proxy for the outside would only be in the way.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, data, headers), timeout=limit) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        raise AskError(f"{url} says {error.code}: {error.read().decode(errors='replace')[:300]}") from error
    except (OSError, ValueError) as error:
        raise AskError(f"{url}: {error}") from error


def ask(base: str, prompt: str, tokens: int) -> None:
    models = call(f"{base}/v1/models", limit=30).get("data")
    if not isinstance(models, list) or not models:
        raise AskError(f"{base} serves no model")
    model = models[0]["id"]
    question = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens}
    started = time.monotonic()
    reply = call(f"{base}/v1/chat/completions", question)
    seconds = time.monotonic() - started
    choices, usage = reply.get("choices"), reply.get("usage")
    if not isinstance(choices, list) or not choices or not isinstance(usage, dict):
        raise AskError(f"{base} answered without choices or usage: {json.dumps(reply)[:300]}")
    content = choices[0].get("message", {}).get("content")
    print(f"server   {base}, model {model}")
    print(f"prompt   {prompt}")
    print(f"answer   {content!r}")
    print(
        f"tokens   {usage.get('prompt_tokens')} in the prompt, {usage.get('completion_tokens')} in the answer,"
        f" {usage.get('total_tokens')} in all, in {seconds:.1f} s"
    )
    # An engine that answers 200 without generating anything does not serve.
    if not usage.get("completion_tokens"):
        raise AskError("the answer has no tokens")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("prompt", nargs="?", default="What is a DGX Spark?")
    parser.add_argument("-i", "--inventory", default="inventories/lab/hosts.yml")
    parser.add_argument("--cluster", help="which cluster, where the inventory has several")
    parser.add_argument("--instance", help="which server, if not the main one: one of server_instances")
    parser.add_argument("--max-tokens", type=int, default=48)
    options = parser.parse_args()
    try:
        ask(
            endpoint(hostvars(options.inventory), options.cluster, options.instance), options.prompt, options.max_tokens
        )
    except AskError as error:
        print(f"ask: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

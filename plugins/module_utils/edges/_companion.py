# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service beside the server, on its node: its unit, its container, its words, its answers and its volumes."""

from __future__ import annotations

import http.client
import json
import os
import typing as t

from .._errors import SparkError
from ..companion._check import Seen
from ..companion._gate import Answers
from ..companion._systemd import ENGINES, SHOW, Unit, parse_units
from ..companion._unit import COMPANION_LABEL, MARK
from ..companion._volume import Volume
from ..keeper._unit import unit_of
from ..server._docker_errors import connection_error
from . import _host
from ._apt import Run, said
from ._docker import Docker
from ._docker import said as explained
from ._http import Api
from ._plans import planned
from ._units import kept

# Seconds for a question that is answered without the engine, and for one that it has to generate for.
_ASK, _GENERATE = 10, 120


def units(run: Run, names: t.Iterable[str]) -> tuple[Unit, ...]:
    """Return units by name; one that does not exist is dead. Raises SparkError where systemd can't be asked."""
    asked = list(names)
    return parse_units(said(run, [*SHOW, *asked])) if asked else ()


def keepers(run: Run, state_dir: str) -> tuple[Unit, ...]:
    """Return the units that keep our servers: those that run, start at boot, or have a last good plan."""
    return units(run, sorted({unit_of(instance) for instance in (*kept(run), *planned(state_dir))}))


def look(run: Run, name: str, port: int, state_dir: str) -> Seen:
    """Return the node as the service `name` finds it."""
    engine = Docker()
    own = f"{name}.service"
    found = {unit.name: unit for unit in units(run, sorted({own, *ENGINES}))}
    return Seen(
        unit=found[own],
        marked=_first_line(found[own].path) == MARK,
        container=_maker(engine, name),
        owner=_host.listeners([port]).get(port),
        servers=tuple(item.public()["name"] for item in engine.ours() if item.running),
        keepers=keepers(run, state_dir),
        engines=tuple(unit for unit in found.values() if unit.name != own and unit.name in ENGINES),
    )


def _maker(engine: Docker, name: str) -> str:
    container = engine.container(name)
    if container is None:
        return ""
    return "ours" if container.labels.get(COMPANION_LABEL) == name else "theirs"


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().rstrip("\n")
    except OSError:
        return ""


def words(run: Run, unit: str, count: int) -> list[str]:
    """Return the last lines that the unit's own processes have written, without systemd's about them."""
    status, output, _error = run(["journalctl", f"_SYSTEMD_UNIT={unit}", "--output=cat", f"--lines={count}"])
    return [line.rsplit("\r", 1)[-1] for line in output.split("\n") if line.strip()] if status == 0 else []


def answers(api: Api, health: str, model: str) -> Answers:
    """Ask what the gate wants to know. Stops at the first question that has no good answer."""
    status = api.ask(health, timeout=_ASK)[0]
    if status != 200 or not model:
        return Answers(status)
    code, listed = api.ask("/v1/models", timeout=_ASK)
    try:
        names = tuple(str(card["id"]) for card in listed["data"])
    except (TypeError, KeyError):
        return Answers(status, error=f"/v1/models answers {code}")
    if model not in names:
        return Answers(status, names)
    code, said_back = api.ask("/v1/completions", {"model": model, "prompt": "Hello", "max_tokens": 4}, _GENERATE)
    try:
        return Answers(status, names, int(said_back["usage"]["completion_tokens"]))
    except (TypeError, KeyError, ValueError):
        return Answers(status, names, error=f"/v1/completions answers {code}")


def volume(name: str) -> Volume:
    """Return a volume and what is in it. Needs root where Docker keeps it."""
    engine = Docker()
    with explained(connection_error):
        near = engine.client.api.volumes(filters={"name": name})["Volumes"] or ()  # all whose names contain it
        users = engine.client.api.containers(all=True, filters={"volume": name})
    path = next((str(item["Mountpoint"]) for item in near if item["Name"] == name), "")
    if not path:
        return Volume(name)
    sizes = [size for folder, _folders, files in os.walk(path) for size in map(_size, (f"{folder}/{x}" for x in files))]
    named = tuple(sorted((item.get("Names") or [item["Id"][:12]])[0].lstrip("/") for item in users))
    return Volume(name, True, path, sum(sizes), len(sizes), named)


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:  # gone meanwhile
        return 0


def remove_volume(name: str) -> None:
    with explained(lambda text: SparkError(f"Docker can't remove the volume {name}: {text}", "look at docker ps -a.")):
        Docker().client.api.remove_volume(name)


class Ollama:
    """Ollama's own API. Raises SparkError where it can't be asked."""

    def __init__(self, host: str, port: int, patience: float) -> None:
        self.api, self.patience = Api(host, port), patience

    def models(self) -> list[str] | None:
        """Return the models that it has; None when it does not answer."""
        status, answer = self.api.ask("/api/tags", timeout=_ASK)
        try:
            return [str(model["name"]) for model in answer["models"] or ()] if status == 200 else None
        except (TypeError, KeyError):
            return None

    def pull(self, model: str) -> None:
        """Let it fetch a model, as long as it says something every `patience` seconds. What has arrived is kept."""
        hint = "run it again: it goes on where it was. What Ollama says: journalctl -u ollama.service"
        connection = http.client.HTTPConnection(self.api.host, self.api.port, timeout=self.patience)
        last: dict[str, t.Any] = {}
        try:
            connection.request("POST", "/api/pull", json.dumps({"model": model, "stream": True}))
            response = connection.getresponse()
            for line in response:
                # An error in the middle of a stream has the status 200: it is a line like the others.
                last = json.loads(line)
                if "error" in last:
                    raise SparkError(f"Ollama can't fetch {model}: {last['error']}", hint)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise SparkError(f"Ollama stopped talking while it fetched {model}: {error}", hint) from error
        finally:
            connection.close()
        if last.get("status") != "success":
            raise SparkError(f"Ollama has not fetched {model}: it ended with {last or response.status}.", hint)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people ask at a node: `spark-serve status | health | generate TEXT | logs | start | stop`."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import sys
import time
import typing as t

from .._errors import SparkError
from .._text import duration, redact
from ..keeper._kept import Kept
from ..keeper._types import RUNNING, SERVING
from ..keeper._unit import unit_of
from ._docker import Docker, said
from ._http import Api
from ._keeper_files import Place, load
from ._plans import planned
from ._rank import api_key
from ._terminal import report, tell

_GENERATE_LIMIT = 600.0  # seconds for an answer
_TOKENS = 256
_LINES = 100
_QUESTIONS = {
    "status": "what this node keeps running, and how things stand",
    "health": "ask the API for its health, which generates one token",
    "generate": "ask the model",
    "logs": "the engine's last words",
    "start": "start this rank's keeper: all ranks start when all are ready",
    "stop": "stop this rank, and with it the server, until it is started or the node boots",
}


def serve(state_dir: str, words: t.Sequence[str]) -> int:
    """Answer one question. Return the exit status: 0 when it serves or was done, 1 when not, 2 for a wrong question."""
    options = _parser().parse_args(list(words))
    if os.geteuid() != 0:
        report("spark-serve reads what only root may read: run it with sudo.")
        return 2
    try:
        if options.what == "status":
            return max((_status(load(state_dir, name)) for name in _chosen(state_dir, options.instance)), default=1)
        name = _one(state_dir, options.instance)
        if options.what in ("start", "stop"):
            os.execvp("systemctl", ["systemctl", options.what, unit_of(name)])
        kept = load(state_dir, name)
        if options.what == "health":
            return _health(kept)
        return _generate(kept, " ".join(options.text)) if options.what == "generate" else _logs(kept, options.follow)
    except SparkError as error:
        report(str(error))
        return 1
    except KeyboardInterrupt:
        return 1
    except BrokenPipeError:  # who asked has heard enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spark-serve", description="Look at what this node serves, and keep it going."
    )
    kinds = parser.add_subparsers(dest="what", required=True)
    for what, words in _QUESTIONS.items():
        kind = kinds.add_parser(what, help=words, description=words)
        kind.add_argument("-i", "--instance", default="", help="the instance; needed where there are several")
        if what == "generate":
            kind.add_argument("text", nargs="+")
        if what == "logs":
            kind.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    return parser


def _chosen(state_dir: str, instance: str) -> list[str]:
    found = list(planned(state_dir))
    if not found:
        raise SparkError("Nothing was brought up on this node.", "run site.yml.")
    if instance and instance not in found:
        raise SparkError(f"There is no instance {instance} on this node; there is {', '.join(found)}.")
    return [instance] if instance else found


def _one(state_dir: str, instance: str) -> str:
    found = _chosen(state_dir, instance)
    if len(found) > 1:
        raise SparkError(f"There are several instances on this node: {', '.join(found)}.", "name one with -i.")
    return found[0]


def _api(kept: Kept) -> Api:
    """Return the API of the head, over the rails from a worker."""
    head = kept.settings.peers[0].address if kept.settings.rank else kept.host
    return Api(head, kept.port, _key(kept), kept.tls)


def _key(kept: Kept) -> str:
    return api_key(kept.server["state_dir"], kept.settings.instance)


def _status(kept: Kept) -> int:
    settings = kept.settings
    place = Place(settings.instance)
    told, alive = place.told(), place.alive()
    tell(f"{settings.instance}: {kept.gate['served_model_name']}, rank {settings.rank} of {len(settings.peers)}")
    if told:
        when = datetime.datetime.fromtimestamp(told["since"], datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        spent = duration(max(0.0, time.time() - told["since"]))
        state = f"{told['state']} since {when} ({spent}): " if alive else "does not run; it last said: "
        tell(f"  keeper     {state}{told['words']}")
    else:
        tell("  keeper     does not run")
    for peer in told.get("peers", ()) if alive else ():
        tell(f"  rank {peer['rank']}     {peer['node']}: {peer['state']}")
    with contextlib.suppress(SparkError):
        found = Docker().container(settings.instance)
        tell(f"  container  {found.status if found else 'none'}")
    if settings.rank == 0:
        tell(f"  /health    {_word(_api(kept).health())}")
    return 0 if alive and serving(told) else 1


def serving(told: t.Mapping[str, t.Any]) -> bool:
    """Whether the keeper says that its rank is one of a cluster that serves: on a worker the head has to say so."""
    heads = [peer["state"] for peer in told["peers"] if peer["rank"] == 0]
    return bool(told["state"] == SERVING or (told["state"] == RUNNING and heads == [SERVING]))


def _word(status: int) -> str:
    return {200: "healthy", 0: "no answer"}.get(status, f"HTTP {status}")


def _health(kept: Kept) -> int:
    status = _api(kept).health()
    tell(_word(status))
    return 0 if status == 200 else 1


def _generate(kept: Kept, text: str) -> int:
    body = {
        "model": kept.gate["served_model_name"],
        "messages": [{"role": "user", "content": text}],
        "max_tokens": _TOKENS,
    }
    begin = time.monotonic()
    status, answer = _api(kept).ask("/v1/chat/completions", body, timeout=_GENERATE_LIMIT)
    try:
        message, used = answer["choices"][0]["message"], int(answer["usage"]["completion_tokens"])
    except (TypeError, KeyError, IndexError, ValueError):
        told = answer.get("message") or answer.get("error") if isinstance(answer, dict) else ""
        report(f"{_word(status)} {redact(str(told or ''))}".rstrip())
        return 1
    tell(message.get("content") or message.get("reasoning_content") or "")
    report(f"({used} tokens in {time.monotonic() - begin:.1f} s)")
    return 0


def _logs(kept: Kept, follow: bool) -> int:
    engine, name = Docker(), kept.settings.instance
    if engine.container(name) is None:
        raise SparkError(f"There is no container {name} on this node.", "look at `spark-serve status`.")
    key, rest = [_key(kept)], b""
    with said(lambda text: SparkError(f"Docker gives no log: {text}")):
        for part in engine.client.api.logs(name, stream=True, follow=follow, tail=_LINES):
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                tell(redact(line.decode(errors="replace"), key))
    if rest:
        tell(redact(rest.decode(errors="replace"), key))
    return 0

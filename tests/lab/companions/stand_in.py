# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-ins have in common: a server of JSON, and faults on demand.

LAB_FAULT in the environment: `die` ends it at once with the words of LAB_WORDS, `mute` never answers 200 for its
health, and `late` does so for LAB_SECONDS only.
"""

from __future__ import annotations

import json
import os
import sys
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, t.Any]
FAULT = os.environ.get("LAB_FAULT", "")
BEGIN = time.monotonic()


def well() -> bool:
    """Whether its health is good."""
    return FAULT not in ("mute", "late") or (FAULT == "late" and waited() > float(os.environ.get("LAB_SECONDS", "5")))


def waited() -> float:
    return time.monotonic() - BEGIN


def serve(port: int, answer: t.Callable[[str, str, dict[str, str], t.Any], Answer]) -> t.NoReturn:
    """Answer for ever. `answer`: (method, path, headers, body) to status and JSON; a list is sent line by line."""
    if FAULT == "die":
        sys.exit(os.environ.get("LAB_WORDS", "stand-in: told to die"))

    class Handler(BaseHTTPRequestHandler):
        def handle_all(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, said = answer(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            lines = said if isinstance(said, list) else [said]
            content = "".join(json.dumps(line) + "\n" for line in lines).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = handle_all

        def log_message(self, form: str, *words: t.Any) -> None:
            print("INFO:    ", form % words, flush=True)

    print(f"INFO:     stand-in listens on port {port}", flush=True)
    ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()
    raise SystemExit(1)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab prints, and how it runs other programs."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

START = time.monotonic()
HEARTBEAT_SECONDS = 15


class LabError(Exception):
    """Something that the lab needs did not work; the text is for a person."""


def say(text: str) -> None:
    """Print one line with the seconds since the program started."""
    print(f"[{time.monotonic() - START:6.1f}s] {text}", flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce a step, show that it still lives, and say how long it took."""
    say(f"{text} ...")
    begin = time.monotonic()
    done = threading.Event()

    def heartbeat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            say(f"  {text}: still at it after {time.monotonic() - begin:.0f} s")

    threading.Thread(target=heartbeat, daemon=True).start()
    try:
        yield
    finally:
        done.set()
    say(f"{text}: done in {time.monotonic() - begin:.1f} s")


def run(argv: Sequence[object], *, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program quietly; a failure shows the end of what it said."""
    words = [str(word) for word in argv]
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.STDOUT)
    options.setdefault("stdin", subprocess.DEVNULL)
    result = subprocess.run(words, text=True, check=False, **options)  # type: ignore[call-overload]
    if check and result.returncode:
        tail = "\n".join((result.stdout or "").splitlines()[-25:])
        raise LabError(f"{' '.join(words[:8])} ... ended with {result.returncode}\n{tail}")
    return result


def output(argv: Sequence[object]) -> str:
    """Run a program and return what it printed, stripped; empty when it failed."""
    result = run(argv, check=False, stderr=subprocess.DEVNULL)
    return result.stdout.strip() if result.returncode == 0 else ""


def wait_for(what: str, ready: Callable[[], object], seconds: float = 30, pause: float = 0.1) -> None:
    """Call `ready` until it returns something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return
        time.sleep(pause)
    raise LabError(f"{what}: not ready after {seconds:.0f} s")

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run on a node: wait for a new start of a container and a line in its log, then kill the engine at that very moment.

Prints when that was, in seconds since 1970.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time

ENGINE = ["pgrep", "--oldest", "--full", "^python3 -m sglang.launch_server"]
STATE = "{{if .State.Running}}{{.State.StartedAt}}{{end}}"
LIMIT = 110.0  # the caller waits 120


def output(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def wait_for_start(name: str, before: str, end: float) -> str:
    while time.monotonic() < end:
        started = output(["docker", "inspect", "--format", STATE, name])
        if started and started != before:
            return started
        time.sleep(0.05)
    sys.exit(f"container {name} was not started within {LIMIT:.0f} s")


def wait_for_line(name: str, started: str, pattern: str, end: float) -> None:
    follow = ["docker", "logs", "--follow", "--since", started, name]
    with subprocess.Popen(follow, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as log:
        for line in log.stdout or ():
            if re.search(pattern, line):
                log.kill()
                return
            if time.monotonic() > end:
                log.kill()
    sys.exit(f"the log of {name} had no line with {pattern}")


def main(name: str, before: str, pattern: str) -> None:
    end = time.monotonic() + LIMIT
    started = wait_for_start(name, before, end)
    if pattern:
        wait_for_line(name, started, pattern, end)
    while not (pids := output(ENGINE).split()) and time.monotonic() < end:
        time.sleep(0.05)
    killed = time.time()
    subprocess.run(["kill", "-KILL", *pids], check=True)
    print(killed)


main(*sys.argv[1:])

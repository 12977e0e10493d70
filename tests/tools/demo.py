"""From nothing to an answer: simulated Sparks, the playbook that users run, one question."""

from __future__ import annotations

import subprocess
import sys
import time

import setup
from steps import LAB, LAB_INVENTORY, REPO, VENV, clock, heading, say, tool_env

STEPS = (
    ("the lab: two simulated Sparks", "4 min the first time, later seconds", [*LAB, "up", "--nodes", "2"]),
    (
        "the bring-up: ansible-playbook site.yml",
        "1-2 min",
        [str(VENV / "bin" / "ansible-playbook"), "-i", LAB_INVENTORY, "site.yml"],
    ),
    ("one question", "seconds", [str(VENV / "bin" / "python"), "tests/lab/ask.py", "-i", LAB_INVENTORY]),
)
ENDING = """
The two nodes go on serving. What you may want next:
   python3 tests/lab/ask.py "Your question"
   .venv/bin/ansible-playbook -i {inventory} site.yml   # again: changes nothing
   python3 tests/lab/lab.py down                        # stop the nodes, keep what was downloaded
   make clean                                           # remove everything that this made
"""


def main() -> int:
    started = time.monotonic()
    if setup.main() != 0:
        return 1
    for title, expect, argv in STEPS:
        heading(title, expect)
        began = time.monotonic()
        # Shown as it happens, in colour where there is a terminal: this is for reading along.
        env = tool_env()
        if sys.stdout.isatty():
            env.pop("NO_COLOR", None)
            env.pop("ANSIBLE_NOCOLOR", None)
        code = subprocess.run(argv, cwd=REPO, env=env, stdin=subprocess.DEVNULL, check=False).returncode
        if code != 0:
            say(f"\ndemo: FAILED after {clock(time.monotonic() - started)}: {title} ended with {code}.")
            say("`make clean` removes what it made; running it again goes on from here.")
            return 1
        say(f"   [{clock(time.monotonic() - began)}]")
    say(ENDING.format(inventory=LAB_INVENTORY))
    say(f"The demo took {clock(time.monotonic() - started)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

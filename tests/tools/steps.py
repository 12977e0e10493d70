"""What the other tools share: where things are, and running a command with a log, a time limit and a sign of life."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
LOGS = REPO / ".cache" / "logs"
VENV = REPO / ".venv"
OLDER_VENV = REPO / ".venv-2.19"
LAB = [sys.executable, "-u", "tests/lab/lab.py"]
LAB_INVENTORY = "inventories/lab/hosts.yml"
SIGN_OF_LIFE_EVERY = 60

_print_lock = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and where to read what it said."""

    returncode: int
    seconds: float
    log: Path

    @property
    def ok(self) -> bool:
        return self.returncode == 0


def say(text: str = "") -> None:
    """Print at once, also into a pipe and from several threads."""
    with _print_lock:
        print(text, flush=True)


def heading(text: str, expect: str = "") -> None:
    say(f"\n== {text}" + (f" (expect {expect})" if expect else ""))


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def tool_env(venv: Path = VENV, **extra: str) -> dict[str, str]:
    """The environment of a tool: those of the virtual environment come first, and output is plain and unbuffered."""
    env = dict(os.environ)
    env.update(
        PATH=f"{venv / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}",
        VIRTUAL_ENV=str(venv),
        PYTHONUNBUFFERED="1",
        NO_COLOR="1",
        ANSIBLE_NOCOLOR="1",
    )
    # A caller's own settings must not decide whether our checks pass.
    for name in ("PYTHONPATH", "PYTHONHOME", "ANSIBLE_CONFIG", "ANSIBLE_INVENTORY", "FORCE_COLOR", "PY_COLORS"):
        env.pop(name, None)
    env.update(extra)
    return env


class Job:
    """A command in its own process group, writing to a log."""

    def __init__(self, name: str, argv: list[str], *, cwd: Path = REPO, env: dict[str, str] | None = None) -> None:
        LOGS.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = LOGS / f"{name}.log"
        self._started = time.monotonic()
        with self.log.open("wb") as log:
            log.write(f"$ {' '.join(argv)}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env or tool_env(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, limit: float = 1800) -> Outcome:
        """Wait for the end; a command over its limit is ended with its children and counts as failed."""
        while True:
            left = limit - (time.monotonic() - self._started)
            try:
                self._process.wait(timeout=max(0.0, min(SIGN_OF_LIFE_EVERY, left)))
                break
            except subprocess.TimeoutExpired:
                elapsed = time.monotonic() - self._started
                if elapsed >= limit:
                    self.stop()
                    with self.log.open("a") as log:
                        log.write(f"\nended after {clock(elapsed)}: over its limit\n")
                    return Outcome(124, elapsed, self.log)
                say(f"   … {self.name}: {clock(elapsed)}")
        return Outcome(self._process.returncode, time.monotonic() - self._started, self.log)

    def stop(self) -> None:
        """End the command and what it started; first politely, so that it can clean up."""
        for signum, grace in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
            if self._process.poll() is not None:
                return
            os.killpg(self._process.pid, signum)
            try:
                self._process.wait(timeout=grace)
            except subprocess.TimeoutExpired:
                continue


def run_logged(
    name: str, argv: list[str], *, cwd: Path = REPO, env: dict[str, str] | None = None, limit: float = 1800
) -> Outcome:
    job = Job(name, argv, cwd=cwd, env=env)
    try:
        return job.wait(limit)
    except BaseException:
        job.stop()
        raise


def show_tail(log: Path, lines: int = 40, worth_reading: re.Pattern[str] | None = None) -> None:
    """The end of a log (of the lines worth reading, where there are any), indented, so that no line passes for ours."""
    text = log.read_text(errors="replace").splitlines()
    chosen = [line for line in text if worth_reading and worth_reading.search(line)]
    _show(f"the {'faults' if chosen else 'last lines'}", log, (chosen or text)[-lines:])


def _show(what: str, log: Path, lines: list[str]) -> None:
    say(f"   {what} in {log.relative_to(REPO)}:")
    for line in lines:
        say(f"   | {line[:300]}")


# How Ansible begins the account of a task that failed, and what it says of one whose failure is no fault.
_FAILED = re.compile(r"^(\x1b\[[0-9;]*m)*(fatal|failed): \[")
_IGNORED = "...ignoring"


def show_failure(log: Path, lines: int = 80) -> None:
    """What a run of playbooks failed in: the first task that did, not the cleaning up behind it."""
    text = log.read_text(errors="replace").splitlines()
    begins = [number for number, line in enumerate(text) if _FAILED.search(line)]
    ends = [*begins[1:], len(text)]
    faults = [begin for begin, end in zip(begins, ends, strict=True) if _IGNORED not in "\n".join(text[begin:end])]
    if not faults:
        show_tail(log, lines)
        return
    begin = max((number for number in range(faults[0]) if "TASK [" in text[number]), default=faults[0])
    _show("the first failure", log, text[begin : begin + lines])

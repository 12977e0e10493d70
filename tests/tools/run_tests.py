"""Run every test there is, from nothing: set up, test the code, check the collection, try it on simulated nodes.

Ends with one line, `N passed, N failed`, over all test cases, checks and scenarios; a step that tested nothing failed.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import ecosystem
import setup
from steps import (
    LAB,
    LOGS,
    OLDER_VENV,
    REPO,
    VENV,
    Job,
    Outcome,
    clock,
    heading,
    run_logged,
    say,
    show_failure,
    show_tail,
    tool_env,
)

CORES = (("2.21", VENV), ("2.19", OLDER_VENV))
# How many nodes the lab needs for the scenarios of this name or prefix; the others get a pair.
NODES = {"models": 3}
# What begins on the nodes that another scenario has left, stopped; by itself, or when that failed, on bare ones.
AFTER = {"faults": "pair"}
LAB_LIMIT = 1500.0
SCENARIO_LIMIT = 1200.0
# Molecule's own words for a step that ran a playbook to its end.
VERIFIED = re.compile(r"verify\W+Executed: Successful")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Tally:
    """What one step found."""

    step: str
    ok: int = 0
    bad: int = 0
    skipped: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def close(self, started: float) -> Tally:
        self.seconds = time.monotonic() - started
        if not self.ok and not self.bad:
            self.bad = 1
            self.faults.append("nothing was tested")
        return self

    def line(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        faults = f"  <- {', '.join(self.faults[:5])}" if self.faults else ""
        return f"   {self.step:<28} {self.ok:>5} ok {self.bad:>4} bad{skipped}  {clock(self.seconds):>14}{faults}"


def count_cases(report: Path, tally: Tally) -> None:
    """Add the cases of a JUnit report."""
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            tally.bad += 1
            tally.faults.append(case.get("name", "?"))
        elif case.find("skipped") is not None:
            tally.skipped += 1
        else:
            tally.ok += 1


def pytest_on(folder: str, core: str, venv: Path) -> Tally:
    tally = Tally(f"{folder}, core {core}")
    started = time.monotonic()
    name = f"{folder}-{core}"
    report = LOGS / f"{name}.xml"
    report.unlink(missing_ok=True)
    argv = [str(venv / "bin" / "python"), "-m", "pytest", f"--junitxml={report}", f"tests/{folder}"]
    outcome = run_logged(name, argv, env=tool_env(venv), limit=600)
    if report.exists():
        count_cases(report, tally)
    if not outcome.ok and not tally.bad:
        tally.bad += 1
        tally.faults.append(f"pytest ended with {outcome.returncode}")
    if tally.bad:
        show_tail(outcome.log)
    return finish(tally, started)


def on_both_cores(folder: str) -> list[Tally]:
    """Run them with each ansible-core, at the same time: one of them keeps one processor busy."""
    heading(f"{folder}, core {' and '.join(core for core, _venv in CORES)}", "1-2 min")
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda each: pytest_on(folder, *each), CORES))


def ecosystem_checks() -> Tally:
    tally = Tally("ecosystem")
    heading(tally.step, "1-3 min")
    started = time.monotonic()
    for result in ecosystem.run_checks():
        if result.ok:
            tally.ok += 1
        else:
            tally.bad += 1
            tally.faults.append(result.name)
    return finish(tally, started)


def scenarios() -> list[str]:
    """Return all scenarios, those that follow another one right after it."""
    names = sorted(found.parent.name for found in REPO.glob("molecule/*/molecule.yml"))
    first = [name for name in names if AFTER.get(name) not in names]
    return [one for name in first for one in [name, *(other for other in names if AFTER.get(other) == name)]]


def nodes_for(scenario: str) -> int:
    return next((count for prefix, count in NODES.items() if scenario.startswith(prefix)), 2)


def reset(scenario: str, *, keep_images: bool) -> Outcome:
    """Give the scenario bare nodes. Images are pulled by the first one alone."""
    argv = [*LAB, "reset", "--nodes", str(nodes_for(scenario)), *(["--keep-images"] if keep_images else [])]
    return run_logged(f"lab-reset-{scenario}", argv, limit=LAB_LIMIT, env=tool_env())


def molecule(scenario: str) -> tuple[bool, Path]:
    """Run one scenario on nodes that are ready for it. It passed when its verify ran and nothing failed."""
    for stale in LOGS.glob(f"molecule-{scenario}-*.xml"):
        stale.unlink()
    # Molecule would leave its inventory in the user's home.
    folder = REPO / ".cache" / "molecule" / scenario
    folder.mkdir(parents=True, exist_ok=True)
    env = tool_env(MOLECULE_EPHEMERAL_DIRECTORY=str(folder), COLUMNS="160")
    argv = ["molecule", "test", "-s", scenario, "--no-command-borders"]
    outcome = run_logged(f"molecule-{scenario}", argv, env=env, limit=SCENARIO_LIMIT)
    verified = VERIFIED.search(COLOURS.sub("", outcome.log.read_text(errors="replace")))
    return outcome.ok and bool(verified), outcome.log


def lab_up() -> Job:
    most = max([nodes_for(scenario) for scenario in scenarios()], default=2)
    say("   the lab is being built meanwhile (first time: 4-5 min)")
    return Job("lab-up", [*LAB, "up", "--nodes", str(most)], env=tool_env())


def molecule_scenarios(lab: Job | None = None) -> Tally:
    tally = Tally("molecule")
    heading("molecule: " + (", ".join(scenarios()) or "no scenario found"), "33 min")
    started = time.monotonic()
    lab = lab or lab_up()
    try:
        built = lab.wait(LAB_LIMIT)
        say(f"   {'ok    ' if built.ok else 'FAILED'}  {'lab':<16} {clock(built.seconds):>14}")
        if not built.ok:
            show_tail(built.log)
        before = ""  # the scenario that has just passed
        for number, scenario in enumerate(scenarios()):
            began = time.monotonic()
            ready = built
            if built.ok and not (before and AFTER.get(scenario) == before):
                ready = reset(scenario, keep_images=number > 0)
            passed, log = molecule(scenario) if ready.ok else (False, ready.log)
            before = scenario if passed else ""
            say(f"   {'ok    ' if passed else 'FAILED'}  {scenario:<16} {clock(time.monotonic() - began):>14}")
            # The scenario's own steps (converge, idempotence) count as one more case beside those of its pytest stages.
            for report in sorted(LOGS.glob(f"molecule-{scenario}-*.xml")):
                count_cases(report, tally)
            if passed:
                tally.ok += 1
            else:
                tally.bad += 1
                tally.faults.append(scenario)
                if built.ok:
                    show_failure(log)
    finally:
        lab.stop()
        run_logged("lab-down", [*LAB, "down"], limit=300, env=tool_env())
    return finish(tally, started)


def finish(tally: Tally, started: float) -> Tally:
    tally.close(started)
    say(tally.line())
    return tally


def everything() -> list[Tally]:
    lab = None
    try:
        # Mostly downloads and unpacking, so it costs the next steps little.
        lab = lab_up()
        tallies = [*on_both_cores("unit"), *on_both_cores("contract"), ecosystem_checks()]
    except BaseException:
        if lab:
            lab.stop()
            run_logged("lab-down", [*LAB, "down"], limit=300, env=tool_env())
        raise
    return [*tallies, molecule_scenarios(lab)]


STEPS: dict[str, Callable[[], list[Tally]]] = {
    "all": everything,
    "unit": lambda: on_both_cores("unit"),
    "contract": lambda: on_both_cores("contract"),
    "molecule": lambda: [molecule_scenarios()],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("step", nargs="?", default="all", choices=STEPS)
    step = parser.parse_args().step
    started = time.monotonic()
    # A caller that ends us must not leave the lab running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if setup.main() != 0:
        say("0 passed, 1 failed")
        return 1
    tallies = STEPS[step]()
    heading(f"summary, {clock(time.monotonic() - started)} in all; logs in {LOGS.relative_to(REPO)}")
    for tally in tallies:
        say(tally.line())
    passed, failed = sum(tally.ok for tally in tallies), sum(tally.bad for tally in tallies)
    say(f"\n{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

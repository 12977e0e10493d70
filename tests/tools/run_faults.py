"""Break simulated clusters in every way of tests/faults, and write docs/faults.md.

Ends with one line, `N passed, N failed`; a fault that was not run failed. Runs with the Python of `make setup`.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time

import faults_page
from run_tests import LAB_LIMIT, Tally, count_cases
from steps import LAB, LOGS, REPO, VENV, clock, heading, run_logged, say, show_tail, tool_env

LIMIT = 3 * 3600.0


def test(only: str) -> Tally:
    """Run the faults (those whose names match `only`) on nodes that are brought up for it."""
    tally = Tally("faults")
    started = time.monotonic()
    report = LOGS / "faults.xml"
    report.unlink(missing_ok=True)
    argv = [str(VENV / "bin" / "python"), "-m", "pytest", "--no-header", f"--junitxml={report}", "tests/faults"]
    # pytest's -k knows `or` and `not`; a name with dashes is one word of it.
    outcome = run_logged("faults", [*argv, *(["-k", only] if only else [])], env=tool_env(), limit=LIMIT)
    if report.exists():
        count_cases(report, tally)
    if not outcome.ok and not tally.bad:
        tally.bad += 1
        tally.faults.append(f"pytest ended with {outcome.returncode}")
    if tally.bad:
        show_tail(outcome.log, 60)
    return tally.close(started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default="", help="names, as pytest's -k; the others keep their records")
    only = parser.parse_args().only
    started = time.monotonic()
    # A caller that ends us must not leave the lab running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not only:
        shutil.rmtree(faults_page.RECORDS, ignore_errors=True)
    heading("the lab: two simulated Sparks", "1 min; 5 the first time")
    try:
        lab = run_logged("faults-lab", [*LAB, "reset", "--nodes", "2"], limit=LAB_LIMIT, env=tool_env())
        if not lab.ok:
            show_tail(lab.log)
            say("\n0 passed, 1 failed")
            return 1
        heading("faults", "80 min for all of them")
        tally = test(only)
    finally:
        run_logged("lab-down", [*LAB, "down"], limit=300, env=tool_env())
    faults_page.main()
    say(tally.line())
    say(f"   {clock(time.monotonic() - started)} in all; logs in {LOGS.relative_to(REPO)}")
    say(f"\n{tally.ok} passed, {tally.bad} failed")
    return 1 if tally.bad else 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/faults.md: what happened to a simulated cluster in every fault, out of the records of a run."""

from __future__ import annotations

import importlib
import sys
import typing as t
from pathlib import Path

from steps import REPO, say

PAGE = REPO / "docs" / "faults.md"
RECORDS = REPO / ".cache" / "faults"
HEAD = """# Faults

Everything here was done to a cluster of two simulated Sparks, with real sshd, systemd, Docker and, unless the last
column says otherwise, the real SGLang server on CPU with TP=2. `make test-faults` does it again and writes this page.
After each fault the same is looked at: **every rank runs the same generation and the API gives a real completion, or no
rank runs at all**; no run, status or keeper says that it serves when it does not; no lock is left; all nodes keep the
same last good plan. A fault after which any of this is not so stands here as **failed**, with what was found.

| end | meaning |
|---|---|
| serving-as-before | it goes on serving, and no rank was restarted |
| serving-again | all ranks were started together once more, with the same plan or the last good one |
| cleanly-stopped | no rank runs, and nobody says otherwise |
| refused-untouched | a run was red before it changed anything |

"Noticed" is when a play or a keeper first showed it, "over" when the end was there: seconds after the damage. A start
of this small model takes two simulated nodes on two cores about 40 s, and is most of "over"; on a Spark it takes as
long as your model takes to load. A stand-in (`tests/lab/faulty`) plays the part of an engine of which a CPU can't have
the fault, and says so in its log; only the new plan is one, what comes back is real.

"""
GROUPS = {
    "request": "What is asked for can't work",
    "model": "The model",
    "image": "The image",
    "disk": "Disks",
    "rank": "A rank",
    "keeper": "The keepers",
    "node": "A node",
    "docker": "Docker",
    "network": "The network",
    "controller": "The controller",
}
COLUMNS = "| fault | what is broken | what happened | noticed | over | engine |\n|---|---|---|---|---|---|\n"


def page(folder: Path = RECORDS) -> str:
    """Return the page: every fault of the catalogue, those that were not run as such."""
    catalogue, record = _module("catalogue"), _module("record")
    records = record.load(folder)
    sections = "".join(
        _section(title, [fault for fault in catalogue.FAULTS if fault.group == group], records)
        for group, title in GROUPS.items()
    )
    return f"{HEAD}{_summary(catalogue.FAULTS, records)}{sections}{_not_here(catalogue.NOT_HERE)}".rstrip() + "\n"


def unknown_groups() -> set[str]:
    return {fault.group for fault in _module("catalogue").FAULTS} - set(GROUPS)


def _module(name: str) -> t.Any:
    """Return a module of the faults, under the name by which the tests import it."""
    links = str(REPO / ".collections")
    if links not in sys.path:
        sys.path.insert(0, links)
    return importlib.import_module(f"ansible_collections.dgxspark.sglang.tests.faults.{name}")


def _summary(faults: t.Sequence[t.Any], records: t.Mapping[str, t.Any]) -> str:
    ran = [records[fault.name] for fault in faults if fault.name in records]
    if not ran:
        return "No run has been recorded yet.\n\n"
    green = sum(record.green for record in ran)
    ran_in_turn = sorted(ran, key=lambda record: record.date)
    dates = [record.date for record in ran_in_turn]
    # Not all need to be of one run: `--only` keeps the records of the others.
    found = {name: [record.versions.get(name, "") for record in ran_in_turn] for name in sorted(ran[-1].versions)}
    versions = ", ".join(f"{name} {' and '.join(dict.fromkeys(filter(None, each)))}" for name, each in found.items())
    return (
        f"{green} of {len(faults)} as they must be, {len(ran) - green} failed, {len(faults) - len(ran)} not run;"
        f" {dates[0]} to {dates[-1]}; {versions}.\n\n"
    )


def _section(title: str, faults: t.Sequence[t.Any], records: t.Mapping[str, t.Any]) -> str:
    rows = "".join(_row(fault, records.get(fault.name)) for fault in faults)
    said = "".join(_said(records[fault.name]) for fault in faults if fault.name in records)
    return f"## {title}\n\n{COLUMNS}{rows}\n{said}" + ("\n" if said else "")


def _row(fault: t.Any, record: t.Any) -> str:
    quick = " (with every change)" if fault.quick else ""
    cells = [f"{fault.name}{quick}", fault.breaks, *_outcome(fault, record), fault.engine]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _outcome(fault: t.Any, record: t.Any) -> list[str]:
    if record is None:
        return [f"not run; must be {fault.ends}", "", ""]
    if not record.green:
        wrong = "; ".join(" ".join(text.split()) for text in record.wrong)
        return [f"**failed**, {record.found}: {wrong[:300]}", _seconds(record.noticed), _seconds(record.over)]
    # Who was never away has not come back.
    over = None if fault.ends == "serving-as-before" else record.over
    return [record.found, _seconds(record.noticed), _seconds(over)]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} s" if value >= 10 else f"{value:.1f} s"


def _said(record: t.Any) -> str:
    lines = "".join(f"    {line}\n" for line in record.words)
    return f"{record.name}:\n\n{lines}\n" if lines else ""


def _not_here(entries: t.Sequence[tuple[str, str, str]]) -> str:
    rows = "".join(f"- **{what}**: {why} {instead}\n" for what, why, instead in entries)
    return f"## What can't be broken here\n\n{rows}"


def main() -> int:
    PAGE.write_text(page(), encoding="utf-8")
    say(f"   written: {PAGE.relative_to(REPO)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

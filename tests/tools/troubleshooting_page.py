# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/troubleshooting.md: the table of last words, as a page."""

from __future__ import annotations

import importlib
import sys
import typing as t

from steps import REPO

PAGE = REPO / "docs" / "troubleshooting.md"
PACKAGE = "ansible_collections.dgxspark.sglang.plugins.module_utils.diagnosis"
HEAD = """# Troubleshooting

When a rank ends or does not come up, the play says what its last words mean, why, what to do next, and which entry of
this page has more. Look for your symptom, go to its entry, do what it says, and run the same command again: every
playbook can be repeated.

Three rules first:

1. **The rank that failed first has the cause.** The others end a moment later with words about a lost peer. The play
   names that rank; by hand: `docker logs --tail 50 sglang` on every node.
2. **Words win over numbers.** Exit code 137 is SIGKILL, and SGLang kills itself with it after any failure of its own.
3. `ansible-playbook doctor.yml` tells what is wrong with the nodes, `ansible-playbook probe_fabric.yml` what is wrong
   with the rails.

`server_args`, `server_env` and the like are variables of your inventory. This page is made by `make docs` out of
`plugins/module_utils/diagnosis`, where the first entry that matches wins, in the order of this page; lines that only
say how things go (`INFO`, requests) are not looked at.

"""
ECHO = "**Look at the other ranks first:** another one's failure can be behind this, and then theirs is the cause.\n\n"


def page() -> str:
    """Return the page: where to look, and every entry in the order in which they are tried."""
    match = _module("_match")
    sections = [f"## {title}\n\n{''.join(map(_entry, entries))}" for title, entries in match.SECTIONS]
    return f"{HEAD}{_by_words(match)}{_by_moment(match)}{''.join(sections)}".rstrip() + "\n"


def _module(name: str) -> t.Any:
    """Return a module of the table, under the name by which Ansible imports it."""
    links = str(REPO / ".collections")
    if links not in sys.path:
        sys.path.insert(0, links)
    return importlib.import_module(f"{PACKAGE}.{name}")


def _by_words(match: t.Any) -> str:
    rows = [
        f"| {' <br> '.join(f'`{_cell(text)}`' for text in entry.says)} | {_link(entry)} |\n" for entry in match.TABLE
    ]
    silent = "| nothing at all, and exit code 137 | [oom-kill](#oom-kill), [killed](#killed) |\n"
    silent += "| nothing for minutes after the ranks have met | [no-meeting](#no-meeting) |\n"
    silent += "| nothing, but `/health` answers 503 while the container runs | [no-answer](#no-answer) |\n"
    return f"## By what the log says\n\n| The last lines have | Entry |\n|---|---|\n{''.join(rows)}{silent}\n"


def _by_moment(match: t.Any) -> str:
    rows = []
    for moment in _module("_entry").MOMENTS:
        links = [_link(entry) for entry in match.TABLE if moment in entry.diagnosis.when]
        rows.append(f"| {moment} | {', '.join(links)} |\n")
    return f"## By when it happens\n\n| The gate showed last | Entries |\n|---|---|\n{''.join(rows)}\n"


def _link(entry: t.Any) -> str:
    return f"[{entry.diagnosis.name}](#{entry.diagnosis.name})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _entry(entry: t.Any) -> str:
    found = entry.diagnosis
    says = "".join(f"    {text}\n" for text in entry.says)
    step = found.next_step[0].upper() + found.next_step[1:]
    return (
        f"### {found.name}\n\n**{found.meaning}**\n\nIt looks like this, {_moments(found.when)}:\n\n{says}\n"
        f"**Why:** {found.cause}\n\n{ECHO if found.echo else ''}**What to do:** {step}\n\nReported: <{found.link}>\n\n"
    )


def _moments(when: t.Sequence[str]) -> str:
    if when == (_module("_entry").ANY_TIME,):
        return "at any time"
    return "while " + " or ".join([", ".join(when[:-1]), when[-1]] if when[1:] else when)

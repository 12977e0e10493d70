# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that make a keeper a service of the node: systemd's unit, the command for people, and where they are."""

from __future__ import annotations

# What a run does to a keeper: stop it until the next boot, or for good.
HOLD, DISABLE = "hold", "disable"
# Actions on a container that its keeper would take for a fault, or undo.
_TOUCHING = ("stop", "remove", "rename", "start")

PROGRAM = "/usr/local/lib/dgxspark-sglang/keeper.pyz"
COMMAND = "/usr/local/bin/spark-serve"
UNIT_FOLDER = "/etc/systemd/system"
RUN = "/run/dgxspark-sglang"  # what is gone with the next boot
WANTS = f"{UNIT_FOLDER}/multi-user.target.wants"  # what starts at boot
TEMPLATE = "dgxspark-sglang@.service"
EVERY = TEMPLATE.replace("@.", "@*.")  # the units of all instances, as a pattern
# Apart from what sites and users add to Python: the program needs it and the system's Docker SDK.
_PYTHON = "/usr/bin/python3 -I"

_UNIT = """\
# Written by dgxspark.sglang. One instance of this unit keeps one rank of one server running.
[Unit]
Description=Rank of the SGLang server %i
Documentation=https://github.com/dgxspark/sglang/tree/main/docs
Wants=docker.service network-online.target
# Behind the other engines: of two that exclude each other, the one that starts waits for the other one's end.
After=docker.service network-online.target vllm.service ollama.service
Conflicts=vllm.service
# It is started again however often it ends; it gives up by itself, with an exit status of its own.
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={python} {program} {state_dir} keep %i
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
RestartPreventExitStatus={gave_up}
# It asks for as long as the engine may take to finish its requests.
TimeoutStopSec=90
KillMode=mixed
WatchdogSec=60
OOMScoreAdjust=-900

[Install]
WantedBy=multi-user.target
"""

_COMMAND = """\
#!/bin/sh
# Written by dgxspark.sglang.
exec {python} {program} {state_dir} serve "$@"
"""


def unit_of(instance: str) -> str:
    """Return the name of the unit that keeps an instance."""
    return TEMPLATE.replace("@.", f"@{instance}.")


def instance_of(unit: str) -> str:
    """Return the instance that a unit keeps; empty for a unit that is no keeper."""
    begin, end = TEMPLATE.split("@.")
    ours = unit.startswith(f"{begin}@") and unit.endswith(f".{end}")
    return unit.removeprefix(f"{begin}@").removesuffix(f".{end}") if ours else ""


def told_files(instance: str, folder: str = RUN) -> tuple[str, str, str]:
    """Return where a keeper keeps its memory, what it tells people, and the claim that it is there."""
    return f"{folder}/{instance}.epoch.json", f"{folder}/{instance}.keeper.json", f"{folder}/{instance}.keeper"


def unit_text(state_dir: str, gave_up: int) -> str:
    return _UNIT.format(python=_PYTHON, program=PROGRAM, state_dir=state_dir, gave_up=gave_up)


def command_text(state_dir: str) -> str:
    return _COMMAND.format(python=_PYTHON, program=PROGRAM, state_dir=state_dir)


def with_keeper(actions: tuple[str, ...], for_good: bool, active: bool, enabled: bool) -> tuple[str, ...]:
    """Return the actions on a container with what happens to its keeper before the first that touches the container.

    `for_good`: the container is to be stopped or removed, so that its keeper is not even to start at boot.
    """
    if for_good:
        return (DISABLE, *actions) if active or enabled else actions
    first = next((number for number, action in enumerate(actions) if action in _TOUCHING), -1)
    return (*actions[:first], HOLD, *actions[first:]) if active and first >= 0 else actions

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OCI runtime in front of runc, for machines without CAP_SYS_RESOURCE.

There nobody may raise a limit over what is inherited, and runc refuses a container that asks for it (`--privileged`,
`--ulimit memlock=-1`, a negative OOM score). This asks for what is possible instead, and notes what was asked.
With the capability it changes nothing.
"""

from __future__ import annotations

import json
import os
import resource
import sys

CAPABILITY, BIT = "CAP_SYS_RESOURCE", 24
LOG = "/var/log/dgxspark-lab-runc.log"


def have_capability():
    with open("/proc/self/status") as status:
        bounding = next(line for line in status if line.startswith("CapBnd:"))
    return bool(int(bounding.split()[1], 16) >> BIT & 1)


def option(name):
    """Value of `--name value` or `--name=value` on our command line."""
    for position, word in enumerate(sys.argv):
        if word == name:
            return sys.argv[position + 1]
        if word.startswith(name + "="):
            return word.partition("=")[2]
    return None


def clamp(process):
    """Lower a process specification to what this machine grants; returns what was lowered."""
    lowered = []
    for kind, names in (process.get("capabilities") or {}).items():
        if names and CAPABILITY in names:
            names.remove(CAPABILITY)
            lowered.append(kind)
    for limit in process.get("rlimits") or []:
        ceiling = resource.getrlimit(getattr(resource, limit["type"]))[1]
        if ceiling == resource.RLIM_INFINITY:
            continue
        for key in ("hard", "soft"):
            if limit[key] > ceiling:
                lowered.append(f"{limit['type']} {key} {limit[key]} -> {ceiling}")
                limit[key] = ceiling
    with open("/proc/self/oom_score_adj") as score:
        inherited = int(score.read())
    if process.get("oomScoreAdj", inherited) < inherited:
        lowered.append(f"oom_score_adj {process['oomScoreAdj']} -> {inherited}")
        process["oomScoreAdj"] = inherited
    return lowered


def rewrite():
    """Change the file that a `create`, `run` or `exec` is about to read."""
    if "exec" in sys.argv:
        path = option("--process") or option("-p")
    elif "create" in sys.argv or "run" in sys.argv:
        path = os.path.join(option("--bundle") or option("-b") or ".", "config.json")
    else:
        return
    if not path or have_capability():
        return
    with open(path) as source:
        spec = json.load(source)
    lowered = clamp(spec.get("process", spec))
    if lowered:
        with open(path, "w") as target:
            json.dump(spec, target)
        with open(LOG, "a") as log:
            log.write(f"{sys.argv[-1]}: {'; '.join(lowered)}\n")


rewrite()
REAL = next(path for path in (sys.argv[0] + ".real", "/usr/sbin/runc.real", "/usr/sbin/runc") if os.path.exists(path))
os.execv(REAL, [REAL, *sys.argv[1:]])

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages on this machine, and root file systems made from the same apt sources."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import config, ui

# How this machine's apt is told to reach and to judge its sources; a node needs the same.
APT_OPTIONS = re.compile(r'^Acquire::(Check-Valid-Until|Check-Date|https?::Proxy(::\S*)?) ".+";$')


def install_packages() -> None:
    """Install what the lab needs on the machine itself, if anything is missing."""
    installed = ui.output(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *config.HOST_PACKAGES])
    have = {line.split()[1] for line in _query(installed) if line.startswith("installed ")}
    missing = [name for name in config.HOST_PACKAGES if name not in have]
    if not missing:
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    with ui.step("apt: " + " ".join(missing)):
        ui.run(["apt-get", "update", "-q"], env=quiet)
        ui.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing], env=quiet)


def _query(text: str) -> list[str]:
    """dpkg-query fails as a whole when one name is unknown, so then each name is asked for."""
    if text:
        return text.splitlines()
    one_by_one = (
        ui.output(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}", name]) for name in config.HOST_PACKAGES
    )
    return [line for line in one_by_one if line]


def sources() -> list[str]:
    """The distribution's own entries of this machine's apt sources, as one-line entries.

    Third-party sources are left out: their keys are not on a new system.
    """
    wanted = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"
    lines = ui.run(["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"]).stdout.splitlines()
    entries = []
    for line in dict.fromkeys(lines):
        uri, release, component, origin = line.split("|")
        if origin in ("Debian", "Ubuntu"):
            entries.append(f"deb {uri} {release} {component}")
    if not entries:
        raise ui.LabError("this machine's apt knows no Debian or Ubuntu source; is `apt-get update` needed?")
    return entries


def codename() -> str:
    """Name of the release that this machine runs, which the nodes get, too."""
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise ui.LabError("/etc/os-release names no release")


def root_filesystem(packages: Sequence[str], target: Path) -> None:
    """Write a minimal system with `packages` as a tar archive.

    The package lists stay in it, as on a machine that is in use, so that apt-get install works at once.
    """
    options = [line for line in ui.output(["apt-config", "dump"]).splitlines() if APT_OPTIONS.match(line)]
    argv = [
        "mmdebstrap",
        "--variant=minbase",
        "--format=tar",
        "--skip=cleanup/apt/lists",
        "--include=" + ",".join(packages),
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--aptopt={option}" for option in options),
        codename(),
        str(target),
        "-",
    ]
    if not shutil.which("mmdebstrap"):
        raise ui.LabError("mmdebstrap is missing")
    target.parent.mkdir(parents=True, exist_ok=True)
    ui.run(argv, input="\n".join(sources()) + "\n", stdin=None, stderr=subprocess.STDOUT)

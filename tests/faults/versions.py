# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of the faults was made with."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import yaml
from ansible_collections.dgxspark.sglang.molecule.cluster import REPO, Cluster

sys.path.insert(0, str(REPO / "tests" / "lab"))
from sparklab import config


def versions(cluster: Cluster) -> dict[str, str]:
    """Return name -> version of what takes part."""
    galaxy = yaml.safe_load((REPO / "galaxy.yml").read_text(encoding="utf-8"))
    git = ["git", "-c", f"safe.directory={REPO}", "-C", str(REPO), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    head = cluster.nodes[0]
    return {
        "dgxspark.sglang": f"{galaxy['version']} ({commit})" if commit else str(galaxy["version"]),
        "SGLang": config.ENGINES[config.DEFAULT_ENGINE],
        "ansible-core": metadata.version("ansible-core"),
        "Docker": cluster.run(head, "docker", "version", "--format", "{{.Server.Version}}").strip(),
        "systemd": cluster.run(head, "systemctl", "--version").split()[1],
        "Linux": Path("/proc/sys/kernel/osrelease").read_text(encoding="utf-8").strip(),
    }

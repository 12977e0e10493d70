# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ConnectX-7 a node shows: one of the recorded trees, and a cable that is in or out as recorded."""

from __future__ import annotations

import json

from . import config, engine, ui

TREES = config.REPOSITORY / "tests" / "unit" / "data" / "sys"
DEFAULT = "two-rails-up"


def names() -> list[str]:
    """The recorded trees."""
    return sorted(path.stem for path in TREES.glob("*.json"))


def tree(name: str) -> str:
    """A recorded tree, as it is in its file."""
    return (TREES / f"{name}.json").read_text()


def use(node: str, name: str) -> None:
    """Give a running node the hardware of a recorded tree."""
    with ui.step(f"{node} gets the hardware of {name}"):
        files = json.loads(tree(name))["files"]
        # The carrier belongs to the other end of an interface, which is on the machine's side.
        for rail in config.RAILS:
            shown = engine.query("exec", node, "cat", f"/sys/class/net/{rail.interface}/iflink")
            plugged = files.get(f"/sys/class/net/{rail.interface}/carrier") != "0"
            for link in json.loads(ui.output(["ip", "-json", "link", "show", "master", rail.bridge]) or "[]"):
                if str(link["ifindex"]) == shown:
                    ui.run(["ip", "link", "set", link["ifname"], "up" if plugged else "down"])
        ui.run(engine.command("exec", "--interactive", node, "lab-hardware", "use"), stdin=None, input=tree(name))

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated DGX Sparks on one Linux machine; see README.md beside this file."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from sparklab import config, debian, engine, hardware, hub, images, inventory, model, network, nodes, registry, ui


@contextmanager
def sole_use() -> Iterator[None]:
    """One change at a time, and a running lab is changed only from the checkout that started it."""
    with config.LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            ui.say("another lab.py is at work; waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        owner = Path(config.OWNER.read_text()) if config.OWNER.exists() else config.REPOSITORY
        if engine.running() and owner != config.REPOSITORY and owner.exists():
            raise ui.LabError(f"the running lab belongs to {owner}: use the lab.py there, or its `down` first")
        yield


def up(count: int) -> None:
    """Bring up the lab with at least `count` nodes; what already runs is kept."""
    config.DATA.mkdir(parents=True, exist_ok=True)
    config.OWNER.write_text(str(config.REPOSITORY))
    debian.install_packages()
    engine.start()
    network.ensure()
    keys_are_new = registry.ensure_certificates()
    with ThreadPoolExecutor() as pool:
        node_build = pool.submit(images.node)
        engine_images = images.engines()
        node_image = node_build.result()
    registry.start(restart=keys_are_new)
    for name, image in engine_images.items():
        registry.publish(name, image)
    models = model.ensure(engine_images[config.OLDEST_ENGINE])
    hub.offer(models)
    hub.start()
    nodes.ensure(count, node_image, model.archive(models[config.MODELS[0]]))
    inventory.write(count)
    status()


def reset(count: int | None, *, keep_images: bool) -> None:
    """Give the running nodes (or `count` of them) back bare: no container, no change, and no image unless kept."""
    count = count or len(nodes.existing()) or 2
    nodes.remove(keep_images=keep_images)
    up(count)


def down() -> None:
    """Stop and remove everything that runs; caches stay."""
    if engine.running():
        nodes.remove()
        network.remove_networks()
    hub.stop()
    registry.stop()
    engine.stop()
    network.remove_leftovers()


def clean() -> None:
    """Remove everything that the lab made."""
    down()
    engine.remove_data()
    inventory.remove()
    packages = ", ".join(config.HOST_PACKAGES)
    ui.say(f"removed {config.DATA}; what apt installed stays ({packages})")


def status() -> None:
    """One screen about what runs."""
    ui.say(f"engine    {engine.summary()}")
    ui.say(f"registry  {registry.summary()}")
    ui.say(f"hub       {hub.summary()}")
    for line in nodes.summary() if engine.running() else []:
        ui.say(line)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text)

    def with_nodes(into: argparse.ArgumentParser, default: int | None = 2) -> argparse.ArgumentParser:
        choices = sorted(config.CLUSTERS)
        into.add_argument("--nodes", type=int, choices=choices, default=default, help="number of simulated Sparks")
        return into

    with_nodes(command("up", "bring up the lab, build what is missing; nodes that run already stay"))
    bare = with_nodes(command("reset", "nodes back to bare"), default=None)
    bare.add_argument("--keep-images", action="store_true", help="spare the nodes another pull")
    command("down", "stop everything, keep the caches")
    command("clean", "down, and remove every file of the lab")
    command("status", "what runs")
    command("registry", "stop or start the registry alone").add_argument("action", choices=["stop", "start"])
    command("hub", "stop or start the hub of models alone").add_argument("action", choices=["stop", "start"])
    into = command("exec", "run a command as root in a node")
    into.add_argument("node")
    into.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD")
    other = command("hardware", "give a running node another recorded ConnectX-7; a reset gives it the usual one back")
    other.add_argument("node")
    other.add_argument("name", choices=hardware.names(), help=f"the usual one is {hardware.DEFAULT}")
    plug = command("power", "cut the power of a node, or switch it on again")
    plug.add_argument("node", choices=sorted(nodes.ALL))
    plug.add_argument("state", choices=["off", "on"])
    hosts = with_nodes(command("inventory", "write an Ansible inventory"))
    hosts.add_argument("--file", type=Path, help="default: inventories/lab/hosts.yml")
    return parser.parse_args()


def change(args: argparse.Namespace) -> None:
    """Run a command that changes something."""
    if args.command == "up":
        up(args.nodes)
    elif args.command == "reset":
        reset(args.nodes, keep_images=args.keep_images)
    elif args.command == "down":
        down()
        ui.say(f"the lab is down; its caches stay in {config.DATA}")
    elif args.command == "clean":
        clean()
    elif args.command == "hardware":
        hardware.use(args.node, args.name)
    elif args.command == "power":
        nodes.power(args.node, args.state)
    elif args.command == "inventory":
        inventory.write(args.nodes, args.file)
    else:
        service = hub if args.command == "hub" else registry
        (service.start if args.action == "start" else service.stop)()


def main() -> int:
    """Dispatch one command."""
    args = arguments()
    if os.geteuid() != 0:
        ui.say("the lab needs root: it runs a container engine and bridges of its own")
        return 1
    try:
        if args.command == "status":
            status()
        elif args.command == "exec":
            return nodes.execute(args.node, args.argv[args.argv[:1] == ["--"] :] or ["bash"])
        else:
            with sole_use():
                change(args)
    except ui.LabError as error:
        ui.say(f"FAILED: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for what the kernel shows of a ConnectX-7, made from a recorded tree.

`boot` mounts a layer over /sys/class and fills it, `follow` then does what the kernel does when links and addresses
change, `use` changes to the tree on standard input, which stays through reboots. Addresses, MTU, flags and carrier
are those of real interfaces and never faked: where a tree has none, the rail is taken out of the node.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

TREE = Path("/etc/lab/hardware.json")
LAYER = Path("/run/lab-class")
INFINIBAND = Path("/sys/class/infiniband")
PCI = Path("/sys/class/lab-pci")  # what `device` leads to; on a Spark a folder below /sys/devices
NET = Path("/sys/class/net")
DEVICES = Path("/dev/infiniband")
RAILS = LAYER / "rails"
AWAY = "lab-away"  # network namespace of rails that are not there, and of what the others lead to
DOWN = {"state": "1: DOWN", "phys_state": "3: Disabled"}
FAR_INDEX = 90001  # no interface of the node has it: the kernel would take that one for what is below ours


def ip(*words):
    return subprocess.run(["ip", *map(str, words)], check=True, capture_output=True, text=True).stdout


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def links(*where):
    """Names of interfaces."""
    return {link["ifname"] for link in json.loads(ip(*where, "-json", "link"))}


def recorded():
    return json.loads(TREE.read_text())["files"]


def interfaces(files):
    """Interface -> what is recorded of it."""
    found = {}
    for path, text in files.items():
        if path.startswith(f"{NET}/"):
            name, _slash, attribute = path[len(f"{NET}/") :].partition("/")
            found.setdefault(name, {})[attribute] = text
    return found


def functions(files):
    """Names of the RDMA functions."""
    return sorted({Path(path).relative_to(INFINIBAND).parts[0] for path in files if path.startswith(f"{INFINIBAND}/")})


def place(path, files):
    """Where a recorded path lies here: what is below a link lies where the link leads to."""
    for parent in path.parents:
        if str(parent) in files and parent.name == "device":
            return PCI / files[str(parent)] / path.relative_to(parent)
    return path


def build(files):
    """Make the RDMA functions that are recorded, and no other."""
    for folder in (INFINIBAND, PCI, DEVICES):
        shutil.rmtree(folder, ignore_errors=True)
    for name, text in sorted(files.items()):
        path = Path(name)
        if INFINIBAND not in path.parents:
            continue
        here = place(path, files)
        here.parent.mkdir(parents=True, exist_ok=True)
        if path.name in ("device", "physfn"):
            here.symlink_to(os.path.relpath(PCI / text, here.parent))
        elif path.parent.name == "net":
            here.symlink_to(NET / path.name)
        else:
            here.write_text(text + "\n")
    if count := len(functions(files)):
        DEVICES.mkdir()
        for node in ("rdma_cm", *(f"uverbs{number}" for number in range(count))):
            os.mknod(DEVICES / node, stat.S_IFCHR, os.stat("/dev/null").st_rdev)
            os.chmod(DEVICES / node, 0o666)


def plug(wanted):
    """Exactly the recorded interfaces are there: rails, and others that lead nowhere."""
    if AWAY not in ip("netns", "list").split():
        ip("netns", "add", AWAY)
    if rails := os.environ.get("LAB_RAILS"):
        RAILS.write_text(rails)
    rails = RAILS.read_text().split()
    away = links("-netns", AWAY)
    for name in rails:
        if name not in wanted and name not in away:
            ip("link", "set", name, "netns", AWAY)
        elif name in wanted and name in away:
            ip("-netns", AWAY, "link", "set", name, "mtu", "1500", "netns", "1")
            ip("link", "set", name, "up")
    for name in away - {"lo", *rails}:
        ip("-netns", AWAY, "link", "delete", name)
    for number, name in enumerate(sorted(wanted.keys() - set(rails)), start=FAR_INDEX):
        near_end = ["peer", "name", name, "address", wanted[name]["address"], "netns", "1"]
        ip("-netns", AWAY, "link", "add", name, "index", number, "type", "veth", *near_end)
        ip("link", "set", name, "up")
        ip("-netns", AWAY, "link", "set", name, "up" if wanted[name].get("carrier") == "1" else "down")


def show_speed(wanted):
    """The one attribute of an interface that is not its own: a bridge has no 200 Gb/s."""
    for name, attributes in wanted.items():
        file, shown = LAYER / f"speed-{name}", (NET / name / "speed").resolve()
        file.write_text(attributes.get("speed", "-1") + "\n")
        if str(shown) not in {line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()}:
            mount("--bind", file, shown)


def refresh(files):
    """What the kernel keeps up by itself: a port goes down with its link, GIDs come and go with addresses."""
    state = {link["ifname"]: link for link in json.loads(ip("-json", "address"))}
    for function in functions(files):
        port = INFINIBAND / function / "ports" / "1"
        prefix = f"{INFINIBAND}/{function}/device/net/"
        netdev = next((path[len(prefix) :] for path in files if path.startswith(prefix)), "")
        link = state.get(netdev, {"flags": [], "addr_info": []})
        for name, down in DOWN.items():
            if up := files.get(f"{port}/{name}"):
                write(port / name, up if "LOWER_UP" in link["flags"] else down)
        addresses = [entry["local"] for entry in link["addr_info"] if entry["family"] == "inet"]
        follow_gids(port, files, addresses)


def follow_gids(port, files, addresses):
    """GIDs of IPv4 addresses stay at their recorded index; the address is the interface's, or there is none."""
    unused = {}
    for index in range(256):
        gid = files.get(f"{port}/gids/{index}", "")
        if ":0000:ffff:" not in gid:
            continue
        kind = files.get(f"{port}/gid_attrs/types/{index}", "")
        left = unused.setdefault(kind, list(addresses))
        mapped = ipaddress.IPv6Address(f"::ffff:{left.pop(0)}").exploded if left else ":".join(["0000"] * 8)
        write(port / "gids" / str(index), mapped)
        for name in ("types", "ndevs"):
            path = port / "gid_attrs" / name / str(index)
            if mapped.strip("0:"):
                write(path, files.get(str(path), ""))
            else:
                path.unlink(missing_ok=True)


def write(path, text):
    """Only what differs: a reader never finds a file empty without need."""
    if not path.exists() or path.read_text().strip() != text:
        path.write_text(text + "\n")


def apply():
    files = recorded()
    wanted = interfaces(files)
    plug(wanted)
    show_speed(wanted)
    build(files)
    refresh(files)


def boot():
    for folder in ("upper/infiniband", "upper/lab-pci", "work", "net"):
        (LAYER / folder).mkdir(parents=True)
    layers = f"lowerdir=/sys/class,upperdir={LAYER}/upper,workdir={LAYER}/work"
    mount("--bind", NET, LAYER / "net")
    mount("-t", "overlay", "lab", "-o", layers, "/sys/class")
    # A layer remembers what was below it, and interfaces come and go.
    mount("--bind", LAYER / "net", NET)
    apply()


def use():
    TREE.write_text(sys.stdin.read())
    apply()


def follow():
    with subprocess.Popen(["ip", "monitor", "link", "address"], stdout=subprocess.PIPE) as events:
        refresh(recorded())
        for _event in events.stdout:
            try:
                refresh(recorded())
            except (OSError, ValueError, subprocess.CalledProcessError) as error:
                print(f"not followed: {error}", flush=True)  # while `use` is at work


{"boot": boot, "use": use, "follow": follow}[sys.argv[1]]()

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that bring a host from one state to another, the script that brings it back, and both for people."""

from __future__ import annotations

import base64
import shlex
import typing as t

from ._reversible import Change, Command, phases


def commands(change: Change) -> list[Command]:
    """Return the commands that set the state of anything but a file, a block and packages."""
    name, after, options = change.name, change.after, change.options
    if change.kind == "folder":
        if not after:  # a model may be in it by now
            return [["rmdir", "--ignore-fail-on-non-empty", name]]
        return [["install", "-d", "-m", after["mode"], "-o", after["owner"], "-g", after["group"], name]]
    if change.kind == "key":
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", options.get("comment", ""), "-f", name]
        return [["runuser", "-u", options["user"], "--", *make]] if after else [["rm", "-f", name, f"{name}.pub"]]
    if change.kind == "member":
        user, group = name.split(":")
        return [["gpasswd", "--add" if after else "--delete", user, group]]
    if change.kind == "hold":
        return [["apt-mark", "hold" if after else "unhold", name]]
    if change.kind == "sysctl":
        return [["sysctl", "-q", "-w", f"{name}={after}"]]
    if change.kind == "rule":
        return [["ufw", *shlex.split(name)] if after else ["ufw", "--force", "delete", *shlex.split(name)]]
    if change.kind == "firewall":
        return [["ufw", "--force", "enable" if after else "disable"]]
    if change.kind == "target":
        return [["systemctl", "set-default", after]]
    if change.kind == "unit":
        return [
            ["systemctl", "enable" if after["enabled"] else "disable", name],
            ["systemctl", "start" if after["active"] else "stop", name],
        ]
    if change.kind == "link" and change.undoes:
        # netplan leaves a link alone that none of its files names any more: addresses and MTU would stay.
        return [
            ["ip", "address", "flush", "dev", name, "scope", "global"],
            ["ip", "link", "set", "dev", name, "mtu", str(after["mtu"])],
            # networkd took the link-local address away; where the kernel has no IPv6 there was none.
            ["sysctl", "-q", "-e", "-w", f"net.ipv6.conf.{name}.addr_gen_mode=0"],
            *(["ip", "address", "add", address, "dev", name] for address in after["addresses"]),
        ]
    return []


def return_script(
    changes: t.Sequence[Change], journal: str, before: str | None, claim: Command, after: t.Sequence[Command]
) -> str:
    """Return the shell script that takes this run's changes back when nobody confirms them.

    It goes on past a step that fails: what can be put back is. `journal`: path of the journal, `before`: its text
    before the run; `claim`: the command without which it does nothing; `after`: what comes last.
    """
    lines = ["set -u", f"{shlex.join(claim)} || exit 0"]
    for first, notify, last in phases([change.reversed() for change in changes]):
        for change in first:
            lines += _file_lines(change) if change.kind == "file" else map(shlex.join, commands(change))
        lines += map(shlex.join, notify)
        for change in last:
            lines += map(shlex.join, commands(change))
    state = None if before is None else {"content": before, "mode": "0600", "owner": "root", "group": "root"}
    lines += _file_lines(Change("file", journal, None, state))
    lines += map(shlex.join, after)
    lines.append(shlex.join(["rmdir", "--parents", "--ignore-fail-on-non-empty", journal.rpartition("/")[0]]))
    return "\n".join([*lines, ""])


def _file_lines(change: Change) -> list[str]:
    path, state = change.name, change.after
    if state is None:
        return [shlex.join(["rm", "-f", path])]
    new, text = f"{path}.dgxspark-return", base64.b64encode(state["content"].encode()).decode()
    return [
        f"printf %s {text} | base64 -d > {shlex.quote(new)}",
        shlex.join(["chown", f"{state['owner']}:{state['group']}", new]),
        shlex.join(["chmod", state["mode"], new]),
        shlex.join(["mv", new, path]),
    ]


def sentence(change: Change) -> str:
    """Return what a change does, for people."""
    if change.after is None or change.after is False:
        verb = "remove"
    elif change.before is None or change.before is False:
        verb = "add"
    else:
        verb = "set"
    back = " again, as before" if change.undoes else ""
    return f"{verb} {change.kind} {change.name}{back}"


def difference(change: Change) -> dict[str, str]:
    """Return a change as an entry of the result's key `diff`."""
    header = f"{change.kind} {change.name}"
    before, after = _lines(change.before), _lines(change.after)
    if change.options.get("secret"):
        before, after = _hidden(change.before), _hidden(change.after, another=change.before is not None)
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def _hidden(state: t.Any, another: bool = False) -> str:
    return "absent\n" if state is None else f"{'another' if another else 'a'} secret\n"


def _lines(state: t.Any) -> str:
    """Return a state as a text that can be compared line by line."""
    if isinstance(state, dict) and "content" in state:
        about = " ".join(str(state[key]) for key in ("mode", "owner", "group") if key in state)
        return f"{state['content']}{about and f'({about})'}\n"
    if isinstance(state, dict):
        return "".join(f"{key}: {value}\n" for key, value in sorted(state.items()))
    return {None: "absent\n", False: "absent\n", True: "present\n"}.get(state, f"{state}\n")

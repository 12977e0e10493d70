# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be asked of the module node_state, and the items that it amounts to."""

from __future__ import annotations

import typing as t

from .._errors import SparkError
from ._reversible import Item, Key


class Host(t.Protocol):
    """What has to be known of the host to name every item."""

    def missing_parents(self, folder: str) -> list[str]: ...

    def installed(self, pattern: str) -> list[str]: ...

    def has(self, command: str) -> bool: ...

    def login_group(self, user: str) -> str: ...

    def firewall_settings(self) -> dict[str, str]: ...


OWNERSHIP: dict[str, t.Any] = {
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": ""},
}
PATH: dict[str, t.Any] = {"type": "path", "required": True}
TEXT: dict[str, t.Any] = {"type": "str", "required": True}


def _many(**options: t.Any) -> dict[str, t.Any]:
    return {"type": "list", "elements": "dict", "default": [], "options": options}


SPEC: dict[str, t.Any] = dict(
    owner=TEXT,
    state={"type": "str", "choices": ["present", "confirmed", "returned", "restored"], "default": "present"},
    state_dir={"type": "path", "default": "/etc/dgxspark-sglang"},
    guard={"type": "int", "default": 0},
    files=_many(
        path=PATH,
        state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        content={"type": "str", "default": ""},
        merge={"type": "dict"},
        unless={"type": "str", "default": ""},
        validate={"type": "list", "elements": "str", "default": []},
        notify={"type": "list", "elements": "list", "default": []},
        **OWNERSHIP,
    ),
    # The content is masked wherever it shows up; the list itself is none. See `keys`.
    secrets={
        **_many(
            path=PATH,
            content={"type": "str", "required": True, "no_log": True},
            notify={"type": "list", "elements": "list", "default": []},
        ),
        "no_log": False,
    },
    blocks=_many(path=PATH, content=TEXT, **OWNERSHIP),
    folders=_many(
        paths={"type": "list", "elements": "path", "required": True},
        **{**OWNERSHIP, "mode": {"type": "str", "default": "0755"}},
    ),
    # Paths of keys, which are no secret: without `no_log` set, Ansible goes by the name of the option, and warns.
    keys={**_many(path=PATH, user=TEXT, comment={"type": "str", "default": ""}), "no_log": False},
    packages=_many(name=TEXT, unless={"type": "str", "default": ""}),
    members=_many(user=TEXT, group=TEXT),
    units=_many(name=TEXT, enabled={"type": "bool"}, active={"type": "bool"}),
    default_target={"type": "str", "default": ""},
    holds={"type": "list", "elements": "str", "default": []},
    sysctls={"type": "dict", "default": {}},
    links=_many(
        name=TEXT,
        mtu={"type": "int", "required": True},
        addresses={"type": "list", "elements": "str", "required": True},
    ),
    rules={"type": "list", "elements": "str", "default": []},
    firewall={"type": "bool"},
)


def wanted(params: dict[str, t.Any], host: Host, known: set[Key]) -> list[Item]:
    """Return what is asked for, as items. Raises SparkError for what a guard could not take back.

    `known`: what the journal has; it stays ours although it is there by now.
    """
    unguarded = [kind for kind in ("packages", "blocks") if params[kind]]
    if params["guard"] and unguarded:
        raise SparkError(
            f"A guard can't take back {' and '.join(unguarded)}.",
            "ask for them in a task of their own, without a guard.",
        )
    items = []
    for one in params["packages"]:
        if _lacks(one, ("package", one["name"]), host, known):
            items.append(Item("package", one["name"], True))
    for one in params["folders"]:
        for path in one["paths"]:
            made = [name for kind, name in known if kind == "folder" and path.startswith(f"{name}/")]
            parents = sorted({*host.missing_parents(path), *made})
            items += [Item("folder", name, _attributes(one, host)) for name in [*parents, path]]
    for one in params["files"]:
        if _lacks(one, ("file", one["path"]), host, known):
            state = {"content": one["content"], **_attributes(one, host)} if one["state"] == "present" else None
            options = {key: one[key] for key in ("validate", "merge") if one[key]}
            items.append(Item("file", one["path"], state, _commands(one["notify"]), options))
    for one in params["secrets"]:
        state = {"content": one["content"], "mode": "0600", "owner": "root", "group": "root"}
        items.append(Item("file", one["path"], state, _commands(one["notify"]), {"secret": True}))
    for one in params["blocks"]:
        items.append(
            Item("block", one["path"], {"content": one["content"].rstrip() + "\n"}, (), _attributes(one, host))
        )
    for one in params["keys"]:
        items.append(Item("key", one["path"], True, (), {"user": one["user"], "comment": one["comment"]}))
    items += [Item("member", f"{one['user']}:{one['group']}", True) for one in params["members"]]
    items += [Item("hold", name, True) for pattern in params["holds"] for name in host.installed(pattern)]
    items += [Item("sysctl", name, " ".join(str(value).split())) for name, value in params["sysctls"].items()]
    items += [Item("rule", name, True) for name in params["rules"]]
    for one in params["links"]:
        state = {"mtu": one["mtu"], "addresses": sorted(one["addresses"])}
        items.append(Item("link", one["name"], state, (("netplan", "apply"),)))
        # networkd sets it for every link that it takes, and does not set it back.
        items.append(Item("sysctl", f"net.ipv4.conf.{one['name']}.promote_secondaries", "1"))
    for one in params["units"]:
        items.append(Item("unit", one["name"], {key: one[key] for key in ("enabled", "active")}))
    if params["default_target"]:
        items.append(Item("target", "default", params["default_target"]))
    if params["firewall"]:
        # ufw sets them when it is enabled, and does not set them back.
        items += [Item("sysctl", name, value) for name, value in host.firewall_settings().items()]
    if params["firewall"] is not None:
        items.append(Item("firewall", "ufw", params["firewall"]))
    return list({item.key: item for item in items}.values())


def _lacks(one: t.Mapping[str, t.Any], key: Key, host: Host, known: set[Key]) -> bool:
    """Whether this is ours to do: a command that came with it is no reason to take it away again."""
    return key in known or not (one["unless"] and host.has(one["unless"]))


def _attributes(one: t.Mapping[str, t.Any], host: Host) -> dict[str, str]:
    group = one["group"] or host.login_group(one["owner"])
    return {"mode": one["mode"], "owner": one["owner"], "group": group}


def _commands(given: list[list[t.Any]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(map(str, command)) for command in given)

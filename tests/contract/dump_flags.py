# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the flag table of the SGLang that is installed here, in the shape of roles/server/files/flags/*.json.

Needs nothing of this repository, so it runs inside an engine image:

    docker run -i --rm IMAGE python3 - < tests/contract/dump_flags.py > roles/server/files/flags/VERSION.json

A flag goes by the name of its field in ServerArgs where one of its spellings is that (tp_size, whatever order a version
lists --tensor-parallel-size and --tp-size in), else by its first spelling; the other spellings are its aliases.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import version

FLAG_ACTIONS = ("_StoreTrueAction", "DeprecatedStoreTrueAction", "DeprecatedStoreConstAction")
KIND_OF_TYPE = {
    "str": "str",
    "int": "int",
    "float": "float",
    "human_readable_int": "human_int",
    "json_list_type": "json",
    "loads": "json",
    "nullable_str": "str",
    "parse_cuda_graph_backend_arg": "str",
    "parse_cuda_graph_config_arg": "str",
}


def spellings(action: argparse.Action) -> list[str]:
    """Return the long spellings with underscores, without the --no-x of a BooleanOptionalAction."""
    long = [option[2:] for option in action.option_strings if option.startswith("--")]
    return [option.replace("-", "_") for option in long if not (option.startswith("no-") and option[3:] in long)]


def kind(action: argparse.Action) -> str:
    """Return the kind of a flag. A type that the mapping lacks ends the run: it needs a decision."""
    if type(action).__name__ in FLAG_ACTIONS and action.nargs == 0:
        return "flag"
    if isinstance(action, argparse.BooleanOptionalAction):
        return "bool"
    name = getattr(action.type, "__name__", type(action.type).__name__) if action.type else "str"
    if name not in KIND_OF_TYPE:
        raise SystemExit(f"{action.option_strings[0]} has the type {name}, which KIND_OF_TYPE lacks.")
    return KIND_OF_TYPE[name]


def entry(action: argparse.Action, fields: set[str]) -> tuple[str, list[object]]:
    """Return name and [kind, {choices, many, aliases}] of a flag."""
    names = spellings(action)
    name = next((known for known in names if known in fields), names[0])
    more: dict[str, object] = {}
    if action.choices:
        more["choices"] = sorted({str(choice) for choice in action.choices})
    if action.nargs in ("+", "*"):
        more["many"] = True
    aliases = sorted(other for other in names if other != name)
    if aliases:
        more["aliases"] = aliases
    return name, [kind(action), more]


def table(parser: argparse.ArgumentParser, fields: set[str], sglang: str) -> str:
    """Return the table as text, one flag a line, so that a difference between versions reads well."""
    actions = [action for action in parser._actions if spellings(action) and action.dest != "help"]
    flags = dict(sorted(entry(action, fields) for action in actions))
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(flag)}" for name, flag in flags.items())
    return f'{{"sglang": {json.dumps(sglang)}, "flags": {{\n{lines}\n}}}}\n'


def main() -> None:
    """Ask SGLang for its parser. What its imports print goes to stderr: the table is all of stdout."""
    stdout, sys.stdout = sys.stdout, sys.stderr
    from sglang.srt.server_args import ServerArgs

    parser = argparse.ArgumentParser()
    ServerArgs.add_cli_args(parser)
    fields = getattr(ServerArgs, "__dataclass_fields__", None) or ServerArgs.__annotations__
    stdout.write(table(parser, set(fields), version("sglang")))


if __name__ == "__main__":
    main()

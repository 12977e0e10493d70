# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The launch command of one rank. Arguments in, argv out; nothing else is decided here."""

from __future__ import annotations

import json
import typing as t

# Works in every version and image: 0.5.4.post2 has no console script, and images differ in their entry points.
LAUNCH = ("python3", "-m", "sglang.launch_server")
MODEL_MOUNT = "/models"

# Order in which a person reads a launch line; every other flag follows in alphabetical order.
_FIRST = (
    "model_path",
    "served_model_name",
    "host",
    "port",
    "tp_size",
    "pp_size",
    "nnodes",
    "node_rank",
    "dist_init_addr",
    "mem_fraction_static",
)


def model_mount(model_path: str) -> str:
    """Return where a model folder of the node is in the container."""
    return f"{MODEL_MOUNT}/{model_path.rstrip('/').rsplit('/', 1)[-1]}"


def command(args: t.Mapping[str, t.Any], config_file: str = "") -> tuple[str, ...]:
    """Return the argv for `args` (SGLang's flags with underscores).

    true gives the bare flag, false and null give nothing, a list gives all its values behind one flag, a dictionary
    gives JSON. `config_file` is SGLang's own YAML file for what must not be in argv; SGLang reads it only in the
    two-word form.
    """
    argv = list(LAUNCH)
    order = [name for name in _FIRST if name in args] + sorted(name for name in args if name not in _FIRST)
    for name in order:
        argv += _render("--" + name.replace("_", "-"), args[name])
    if config_file:
        argv += ["--config", config_file]
    return tuple(argv)


def _render(flag: str, value: t.Any) -> list[str]:
    if value is None or value is False:
        return []
    if value is True:
        return [flag]
    if isinstance(value, list):
        return [flag, *map(_word, value)] if value else []
    return [flag, _word(value)]


def _word(value: t.Any) -> str:
    return json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else str(value)

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit of a service beside the server."""

from __future__ import annotations

DOCUMENTATION = r"""
name: companion_unit
short_description: The unit of a service beside the server
version_added: 0.1.0
author:
  - The dgxspark.sglang authors (@dgxspark)
description:
  - Writes the unit of systemd that runs the container of a service in the foreground, never privileged, and starts it
    at boot. An engine's unit excludes the keepers of our servers.
options:
  _input:
    description: The variables of the role companion, without their prefix.
    type: dict
    required: true
  checked:
    description: What M(dgxspark.sglang.companion_check) answered on the node.
    type: dict
    required: true
  image:
    description: The image to run, by ID.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the unit
  ansible.builtin.debug:
    msg: "{{ service | dgxspark.sglang.companion_unit(companion_checked, companion_image_found.image_id) }}"
"""

RETURN = r"""
_value:
  description: The text of the unit's file.
  type: str
"""

import typing as t

from ..module_utils.companion._unit import service_of, unit_text


def companion_unit(asked: t.Mapping[str, t.Any], checked: t.Mapping[str, t.Any], image: str) -> str:
    return unit_text(service_of(asked, checked, image))


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"companion_unit": companion_unit}

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters are imported before Ansible forks.

Ansible runs each task of each host in a process of its own, and one that asks for any filter of a collection imports
all of them: a fifth of a second of its processor, again and again. The main process imports the action plugin of a task
before it forks, and what comes with that is there for every process that follows. So the actions with which playbooks
begin call this when they are imported.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ansible.plugins.loader import filter_loader, test_loader

_FILTERS = __name__.rsplit(".", 2)[0] + ".filter"


def preload() -> None:
    """Import this collection's filters, and let Ansible load those and the tests of its own."""
    for found in pkgutil.iter_modules(import_module(_FILTERS).__path__):
        import_module(f"{_FILTERS}.{found.name}")
    filter_loader.get("ansible.builtin.default")
    test_loader.get("ansible.builtin.defined")

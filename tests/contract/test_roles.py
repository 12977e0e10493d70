# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles and playbooks say what they take, stay small, and never depend on which nodes happen to be in a run."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.tests.contract.tree import (
    PLAYBOOKS,
    REPO,
    ROLES,
    ROOT_PLAYBOOKS,
    TASK_FILES,
    load,
    name,
    tasks,
)

TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "path": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "dict": (dict,),
    "list": (list,),
}
LINES, TASKS = 60, 10
STRATEGY = "strategy"
# They show the hosts of the run, whichever these are; a report is written on the controller.
SHOWING = {
    REPO / "playbooks/status.yml": {"debug"},
    REPO / "playbooks/tasks/models.yml": {"debug"},
    REPO / "playbooks/inventory.yml": {"debug", "file", "copy"},
}

# Which clusters are in a run decides which waves there are, and whether chats may be deleted. Who has which rank is
# decided as ever.
COUNTING = {
    REPO / "playbooks/rollout.yml": {"ansible_play_hosts_all", "ansible_play_hosts"},
    REPO / "playbooks/delete_open_webui.yml": {"ansible_play_hosts_all"},
}


def defaults(role: Path) -> dict[str, t.Any]:
    return load(role / "defaults/main.yml") or {}


def specs(role: Path) -> dict[str, t.Any]:
    path = role / "meta/argument_specs.yml"
    assert path.exists(), f"{name(role)} has no meta/argument_specs.yml"
    return load(path)["argument_specs"]


def options(role: Path) -> dict[str, t.Any]:
    merged: dict[str, t.Any] = {}
    for entry in specs(role).values():
        merged.update(entry.get("options") or {})
    return merged


@pytest.mark.parametrize("role", ROLES, ids=name)
def test_the_spec_names_the_defaults_and_nothing_else(role: Path) -> None:
    documented = {key for key, option in options(role).items() if "default" in option}
    assert documented == set(defaults(role))


@pytest.mark.parametrize("role", ROLES, ids=name)
def test_the_spec_has_the_values_of_the_defaults(role: Path) -> None:
    documented = {key: option["default"] for key, option in options(role).items() if "default" in option}
    assert documented == defaults(role)


@pytest.mark.parametrize("role", ROLES, ids=name)
def test_a_default_has_the_type_of_its_spec(role: Path) -> None:
    """argument_specs validate but don't convert: a default of another type would reach the tasks as it is."""
    wrong = {
        key: option["type"]
        for key, option in options(role).items()
        if not isinstance(option["default"], TYPES[option["type"]])
        or (isinstance(option["default"], bool) and option["type"] != "bool")
    }
    assert wrong == {}


@pytest.mark.parametrize("role", ROLES, ids=name)
def test_a_switch_that_comes_as_text_is_not_always_on(role: Path) -> None:
    """`-e host_firewall=false` is the text "false", which is true: a use converts it, or gives it to a typed option."""
    switches = [key for key, option in options(role).items() if option["type"] == "bool"]
    wrong = [
        f"{path.name}: {line.strip()}"
        for path in [*role.glob("tasks/*.yml"), *role.glob("vars/*.yml")]
        for line in path.read_text(encoding="utf-8").splitlines()
        for key in switches
        if re.search(rf"\b{key}\b(?! *\| *bool)", line) and not re.search(rf': "{{{{ {key} }}}}"$', line)
    ]
    assert wrong == []


@pytest.mark.parametrize("role", ROLES, ids=name)
def test_a_role_has_a_spec_for_its_main_entry_point(role: Path) -> None:
    assert "main" in specs(role)


@pytest.mark.parametrize("role", ROLES, ids=name)
def test_an_entry_point_is_a_task_file(role: Path) -> None:
    assert [entry for entry in specs(role) if not (role / f"tasks/{entry}.yml").is_file()] == []


@pytest.mark.parametrize("role", ROLES, ids=name)
def test_what_others_call_of_a_role_is_an_entry_point(role: Path) -> None:
    """Playbooks call by `tasks_from`, and people do who read the role's README."""
    called = {
        task[action].get("tasks_from", "main")
        for path in [*TASK_FILES, *PLAYBOOKS]
        for task in tasks(path)
        for action in ("ansible.builtin.import_role", "ansible.builtin.include_role")
        if action in task and task[action]["name"] == f"dgxspark.sglang.{role.name}"
    }
    called |= set(re.findall(r"`tasks_from: (\w+)`", (role / "README.md").read_text(encoding="utf-8")))
    assert called <= set(specs(role))


@pytest.mark.parametrize("role", ROLES, ids=name)
def test_variables_of_a_role_begin_with_its_name(role: Path) -> None:
    assert [key for key in defaults(role) if not key.startswith(f"{role.name}_")] == []


@pytest.mark.parametrize("path", TASK_FILES, ids=name)
def test_a_task_file_stays_short(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("# ")]
    assert (len(lines) <= LINES, len(list(tasks(path))) <= TASKS) == (True, True)


# Which nodes are in a run never decides who has which rank, and nobody waits in a task that another has to reach.
@pytest.mark.parametrize("path", TASK_FILES + PLAYBOOKS + ROOT_PLAYBOOKS, ids=name)
def test_no_keyword_makes_the_outcome_depend_on_the_run(path: Path) -> None:
    keywords = {"run_once", "serial", "throttle", "order", "strategy"}
    named = {
        key for task in tasks(path) for key in task if not (path in PLAYBOOKS and "hosts" in task and key == STRATEGY)
    }
    assert named & keywords == set()


# Another strategy, which a user's ansible.cfg may name, lets a node pass a barrier before the others have come.
@pytest.mark.parametrize("path", PLAYBOOKS, ids=name)
def test_in_every_play_all_nodes_finish_a_task_before_the_next(path: Path) -> None:
    plays = [play for play in load(path) if "ansible.builtin.import_playbook" not in play]
    assert {play.get(STRATEGY) for play in plays} == {"ansible.builtin.linear"}


@pytest.mark.parametrize("path", TASK_FILES + PLAYBOOKS, ids=name)
def test_no_task_runs_a_shell_or_pauses(path: Path) -> None:
    used = {key.rsplit(".", 1)[-1] for task in tasks(path) for key in task}
    assert used & {"shell", "raw", "script", "pause", "wait_for_connection", "expect"} == set()


@pytest.mark.parametrize("path", TASK_FILES + PLAYBOOKS, ids=name)
def test_modules_are_named_in_full(path: Path) -> None:
    actions = [
        key
        for task in tasks(path)
        for key in task
        if key.rsplit(".", 1)[-1]
        in ("command", "copy", "file", "template", "set_fact", "debug", "assert", "fail", "apt")
    ]
    assert [action for action in actions if not action.startswith("ansible.builtin.")] == []


@pytest.mark.parametrize("path", TASK_FILES + PLAYBOOKS, ids=name)
def test_ranks_never_come_from_the_hosts_of_the_run(path: Path) -> None:
    found = re.findall(r"ansible_play_(?:hosts|batch)\w*|ansible_limit", path.read_text(encoding="utf-8"))
    allowed = {"ansible_play_hosts_all"} if path in SHOWING else set()
    assert set(found) == COUNTING.get(path, allowed)


@pytest.mark.parametrize("path", SHOWING, ids=name)
def test_a_report_only_shows_the_hosts_of_the_run(path: Path) -> None:
    using = [task for task in tasks(path) if "hosts" not in task and "ansible_play_hosts_all" in repr(task)]
    actions = {key.removeprefix("ansible.builtin.") for task in using for key in task if key.startswith("ansible.")}
    assert actions == SHOWING[path]
    changing = [task for task in using if "ansible.builtin.debug" not in task]
    assert all(task.get("delegate_to") == "localhost" for task in changing)


@pytest.mark.parametrize("path", ROOT_PLAYBOOKS, ids=name)
def test_a_playbook_of_the_root_imports_one_that_exists(path: Path) -> None:
    (play,) = load(path)
    assert (REPO / play["ansible.builtin.import_playbook"]).is_file()


@pytest.mark.parametrize("path", ROOT_PLAYBOOKS, ids=name)
def test_a_playbook_of_the_root_imports_its_namesake(path: Path) -> None:
    (play,) = load(path)
    assert play["ansible.builtin.import_playbook"] == f"playbooks/{path.name}"


def test_every_role_that_is_used_exists() -> None:
    used = {
        task[action]["name"]
        for path in [*TASK_FILES, *PLAYBOOKS]
        for task in tasks(path)
        for action in ("ansible.builtin.import_role", "ansible.builtin.include_role")
        if action in task
    }
    assert used <= {f"dgxspark.sglang.{role.name}" for role in ROLES}


@pytest.mark.parametrize("path", TASK_FILES, ids=name)
def test_every_task_file_that_is_used_exists(path: Path) -> None:
    used = {
        task[action] if isinstance(task[action], str) else task[action]["file"]
        for task in tasks(path)
        for action in ("ansible.builtin.import_tasks", "ansible.builtin.include_tasks")
        if action in task
    }
    assert [file for file in used if not (path.parent / file).is_file()] == []

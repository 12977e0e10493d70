# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation of a plugin says is what the plugin takes."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.dgxspark.sglang.tests.contract.tree import (
    FILTERS,
    MODULES,
    PACKAGE,
    PLAYBOOKS,
    REPO,
    TASK_FILES,
    load,
    name,
    tasks,
)

PREFIX = "dgxspark.sglang."
LINES = 400
Spec = dict[str, dict[str, t.Any]]


class SpecWanted(Exception):
    """Raised in place of running a module, with what it would have taken."""

    def __init__(self, **arguments: t.Any) -> None:
        super().__init__()
        self.arguments = arguments


def plugin(path: Path) -> t.Any:
    return importlib.import_module(f"{PACKAGE}.plugins.{path.parent.name}.{path.stem}")


def documented(path: Path) -> Spec:
    return t.cast(Spec, yaml.safe_load(plugin(path).DOCUMENTATION)["options"])


def taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """Return the argument spec of a module, or of the action that stands for it."""
    module = plugin(path)
    if not hasattr(module, "main"):
        return t.cast(Spec, importlib.import_module(f"{PACKAGE}.plugins.action.{path.stem}").ARGUMENTS)
    monkeypatch.setattr(module, "AnsibleModule", raise_spec)
    with pytest.raises(SpecWanted) as caught:
        module.main()
    return t.cast(Spec, caught.value.arguments["argument_spec"])


def raise_spec(**arguments: t.Any) -> t.NoReturn:
    raise SpecWanted(**arguments)


def essence(spec: Spec, suboptions: str) -> dict[str, t.Any]:
    """Return what documentation and argument spec have in common, with the same defaults of their own."""
    return {
        key: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "required": option.get("required", False),
            "default": option.get("default"),
            "choices": option.get("choices"),
            "options": essence(option.get(suboptions) or {}, suboptions),
        }
        for key, option in spec.items()
    }


def as_argument_spec(options: Spec) -> Spec:
    """Return documented options as an argument spec, without defaults: an example is judged by what it says."""
    kept = ("type", "elements", "choices", "required")
    return {
        key: {
            **{part: option[part] for part in kept if part in option},
            **({"options": as_argument_spec(option["suboptions"])} if "suboptions" in option else {}),
        }
        for key, option in options.items()
    }


def faults(options: Spec, given: dict[str, t.Any]) -> list[str]:
    """Return what is wrong with a task's options. A template may become anything that the option takes."""
    spec = as_argument_spec(options)
    for key, value in given.items():
        if isinstance(value, str) and "{{" in value and key in spec:
            spec[key] = {"type": "raw"}
    return list(ArgumentSpecValidator(spec).validate(given).error_messages)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_takes_what_it_documents(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert essence(taken(path, monkeypatch), "options") == essence(documented(path), "suboptions")


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_keys_and_tokens_are_never_logged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's password is in the environment of what goes through it."""
    secret = ("api_key", "token", "tls_pem", *(["env"] if path.stem == "model_download" else []))
    hidden = [key for key, option in taken(path, monkeypatch).items() if option.get("no_log")]
    assert hidden == [key for key in taken(path, monkeypatch) if key.endswith(secret)]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_the_examples_of_a_module_are_tasks_that_it_takes(path: Path) -> None:
    examples = yaml.safe_load(plugin(path).EXAMPLES)
    used = [task[PREFIX + path.stem] for task in examples if PREFIX + path.stem in task]
    assert used
    assert [faults(documented(path), given) for given in used] == [[]] * len(used)


@pytest.mark.parametrize("path", FILTERS, ids=name)
def test_the_examples_of_a_filter_use_it(path: Path) -> None:
    assert f"| {PREFIX}{path.stem}" in str(yaml.safe_load(plugin(path).EXAMPLES))


@pytest.mark.parametrize("path", FILTERS, ids=name)
def test_a_filter_is_registered_under_the_name_of_its_file(path: Path) -> None:
    assert list(plugin(path).FilterModule().filters()) == [path.stem]


@pytest.mark.parametrize("path", MODULES + FILTERS, ids=name)
def test_documentation_and_return_values_are_yaml_with_a_description(path: Path) -> None:
    documentation = yaml.safe_load(plugin(path).DOCUMENTATION)
    returned = yaml.safe_load(plugin(path).RETURN)
    assert documentation["module" if path in MODULES else "name"] == path.stem
    assert [key for key, value in returned.items() if "description" not in value] == []


@pytest.mark.parametrize("path", TASK_FILES + PLAYBOOKS, ids=name)
def test_roles_and_playbooks_use_options_that_exist(path: Path) -> None:
    wrong: dict[str, list[str]] = {}
    for task in tasks(path):
        for key, given in task.items():
            if key.startswith(PREFIX) and isinstance(given, dict):
                found = faults(documented(REPO / f"plugins/modules/{key.removeprefix(PREFIX)}.py"), given)
                wrong |= {task["name"]: found} if found else {}
    assert wrong == {}


def test_a_template_is_no_fault_and_a_typo_is() -> None:
    """The judge of the examples itself."""
    options: Spec = {"port": {"type": "int", "required": True}, "state": {"type": "str", "choices": ["a"]}}
    assert faults(options, {"port": "{{ server_port }}", "state": "a"}) == []
    assert len(faults(options, {"prot": 1})) == 2
    assert len(faults(options, {"port": "x", "state": "b"})) == 2


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_stays_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES


def test_every_module_is_in_the_action_group() -> None:
    assert load(REPO / "meta/runtime.yml")["action_groups"]["spark"] == [path.stem for path in MODULES]

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flag tables are what dump_flags.py prints, and well-formed."""

from __future__ import annotations

import argparse
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dgxspark.sglang.tests.contract import dump_flags
from ansible_collections.dgxspark.sglang.tests.contract.tree import REPO, name

TABLES = sorted((REPO / "roles/server/files/flags").glob("*.json"))
KINDS = {"flag", "bool", "int", "float", "human_int", "json", "str"}
# What the plan itself writes, whatever the version.
WRITTEN = {
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
    "enable_metrics",
    "api_key",
    "config",
}


def flags(path: Path) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(path.read_text(encoding="utf-8"))["flags"])


def test_there_are_tables() -> None:
    assert [path.stem for path in TABLES] == ["0.5.23", "0.5.4.post2"]


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_a_table_is_named_after_its_version(path: Path) -> None:
    assert json.loads(path.read_text(encoding="utf-8"))["sglang"] == path.stem


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_flags_are_sorted(path: Path) -> None:
    assert list(flags(path)) == sorted(flags(path))


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_kinds_are_known(path: Path) -> None:
    assert {kind for kind, more in flags(path).values()} <= KINDS


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_details_are_known(path: Path) -> None:
    assert {key for kind, more in flags(path).values() for key in more} <= {"choices", "many", "aliases"}


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_choices_are_sorted_unique_texts(path: Path) -> None:
    lists = {flag: more["choices"] for flag, (kind, more) in flags(path).items() if "choices" in more}
    assert {flag for flag, choices in lists.items() if choices != sorted({str(choice) for choice in choices})} == set()


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_a_spelling_belongs_to_one_flag(path: Path) -> None:
    spellings = [*flags(path), *(alias for kind, more in flags(path).values() for alias in more.get("aliases", ()))]
    assert sorted(spellings) == sorted(set(spellings))


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_a_switch_has_no_choices(path: Path) -> None:
    assert [
        flag for flag, (kind, more) in flags(path).items() if kind in ("flag", "bool") and more.get("choices")
    ] == []


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_every_version_knows_what_the_plan_writes(path: Path) -> None:
    assert WRITTEN - set(flags(path)) == set()


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_a_table_has_one_line_for_each_flag_so_that_differences_read_well(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(flags(path)) + 2


def human_readable_int(text: str) -> int:
    return int(text)


class DeprecatedStoreTrueAction(argparse.Action):
    """Stands for SGLang's class of this name."""


def parser() -> argparse.ArgumentParser:
    """Return a parser with one option of each sort that SGLang has."""
    sample = argparse.ArgumentParser()
    sample.add_argument("--model-path", "--model", type=str)
    sample.add_argument("--tensor-parallel-size", "--tp-size", type=int)
    sample.add_argument("--kv-cache-dtype", choices=["fp8_e5m2", "auto", "auto"])
    sample.add_argument("--cuda-graph-bs", type=int, nargs="+")
    sample.add_argument("--context-length", type=human_readable_int)
    sample.add_argument("--extra-metric-labels", type=json.loads)
    sample.add_argument("--enable-metrics", action="store_true")
    sample.add_argument("--enable-old", action=DeprecatedStoreTrueAction, nargs=0)
    sample.add_argument("--old-backend", action=DeprecatedStoreTrueAction, choices=["amd"])
    sample.add_argument("--enable-new", action=argparse.BooleanOptionalAction)
    sample.add_argument("--gpu-ids", nargs=2, type=int, choices=range(2))
    return sample


def test_a_parser_is_dumped_in_the_shape_of_the_tables() -> None:
    assert dump_flags.table(parser(), {"model_path", "tp_size"}, "1.0") == (
        '{"sglang": "1.0", "flags": {\n'
        '"context_length": ["human_int", {}],\n'
        '"cuda_graph_bs": ["int", {"many": true}],\n'
        '"enable_metrics": ["flag", {}],\n'
        '"enable_new": ["bool", {}],\n'
        '"enable_old": ["flag", {}],\n'
        '"extra_metric_labels": ["json", {}],\n'
        '"gpu_ids": ["int", {"choices": ["0", "1"]}],\n'
        '"kv_cache_dtype": ["str", {"choices": ["auto", "fp8_e5m2"]}],\n'
        '"model_path": ["str", {"aliases": ["model"]}],\n'
        '"old_backend": ["str", {"choices": ["amd"]}],\n'
        '"tp_size": ["int", {"aliases": ["tensor_parallel_size"]}]\n'
        "}}\n"
    )


def test_a_type_that_the_dump_does_not_know_ends_it() -> None:
    sample = argparse.ArgumentParser()
    sample.add_argument("--odd", type=complex)
    with pytest.raises(SystemExit, match=r"^--odd has the type complex, which KIND_OF_TYPE lacks\.$"):
        dump_flags.table(sample, set(), "1.0")

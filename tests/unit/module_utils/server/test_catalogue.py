# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.server import _catalogue, _schema
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._catalogue import Limit, Profile, merge
from ansible_collections.dgxspark.sglang.tests.unit.builders import shown

MEASURED = {"what": "1 stream", "value": 20, "unit": "tokens/s", "nodes": 4, "by": "somebody", "source": "a page"}
WHOLE: dict[str, t.Any] = {
    "identity": {
        "repo": "example/big",
        "revision": "abc123",
        "path": "big/big-70b",
        "served_name": "big",
        "gated": True,
        "include": ["*.json", "*.safetensors"],
        "exclude": ["original/*"],
    },
    "needs": {
        "nodes": [4, 2],
        "disk": 140,
        "image": "special",
        "start_timeout": 900,
        "encodings": ["o200k_base"],
        "alternatives": ["big"],
        "versions": {"0.5.4.post2": {"nodes": [2], "reason": "too old"}},
    },
    "args": {"quantization": "modelopt_fp4"},
    "env": {"TRITON_PTXAS_PATH": "/usr/local/cuda/bin/ptxas"},
    "moe": {"configs": "auto"},
    "evidence": {"status": "published", "measured": [MEASURED], "sources": ["a report"], "notes": ["slow"]},
}
LEAST: dict[str, t.Any] = {"identity": {"repo": "example/tiny", "path": "tiny"}, "needs": {"nodes": [1]}}


def with_section(section: str, **changes: t.Any) -> dict[str, t.Any]:
    return {**WHOLE, section: {**WHOLE[section], **changes}}


def refusal(name: str, catalogue: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    with pytest.raises(SparkError) as caught:
        _catalogue.parse_profile(name, catalogue)
    return shown(caught.value.problems)


def test_every_key_of_a_profile_is_taken() -> None:
    assert _catalogue.parse_profile("big", {"big": WHOLE}) == Profile(
        name="big",
        repo="example/big",
        path="big/big-70b",
        served_name="big",
        nodes=(2, 4),
        image="special",
        revision="abc123",
        gated=True,
        include=("*.json", "*.safetensors"),
        exclude=("original/*",),
        disk=140,
        start_timeout=900,
        encodings=("o200k_base",),
        alternatives=("big",),
        versions={"0.5.4.post2": Limit((2,), "too old")},
        args={"quantization": "modelopt_fp4"},
        env={"TRITON_PTXAS_PATH": "/usr/local/cuda/bin/ptxas"},
        moe="auto",
        status="published",
        notes=("slow",),
    )


def test_what_a_profile_leaves_out_has_a_default() -> None:
    assert _catalogue.parse_profile("tiny", {"tiny": LEAST}) == Profile(
        name="tiny",
        repo="example/tiny",
        path="tiny",
        served_name="tiny",
        nodes=(1,),
        image="default",
        status="untested",
    )


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(
            "gpt-oss",
            ("Profile big is str, needed is a dictionary of identity, needs, args, env, moe, evidence.", ""),
            id="text",
        ),
        pytest.param(
            {**WHOLE, "arg": {}}, ("Profile big has the unknown key 'arg'.", "Did you mean args?"), id="unknown section"
        ),
        pytest.param(
            with_section("identity", folder="x"),
            (
                "Profile big, identity has the unknown key 'folder'.",
                "Known: exclude, gated, include, path, repo, revision, served_name.",
            ),
            id="unknown key",
        ),
        pytest.param(
            {"identity": {"repo": "x"}, "needs": {"nodes": [1]}},
            ("Profile big, identity lacks 'path'.", ""),
            id="no path",
        ),
        pytest.param({"identity": WHOLE["identity"]}, ("Profile big, needs lacks 'nodes'.", ""), id="no needs"),
        pytest.param(
            with_section("needs", nodes=2),
            ("Profile big, needs.nodes is 2 (int), needed is list.", ""),
            id="nodes is a number",
        ),
        pytest.param(
            with_section("needs", start_timeout=True),
            ("Profile big, needs.start_timeout is True (bool), needed is int.", ""),
            id="a truth value is no number",
        ),
        pytest.param(
            {**WHOLE, "args": ["--tp-size"]},
            ("Profile big, args is list, needed is a dictionary.", ""),
            id="args is a list",
        ),
        pytest.param(
            with_section("needs", nodes=[]),
            ("Profile big, needs.nodes is [], needed is a list of (1, 2, 4).", ""),
            id="no node count",
        ),
        pytest.param(
            with_section("needs", nodes=[2, 3]),
            ("Profile big, needs.nodes is [2, 3], needed is a list of (1, 2, 4).", ""),
            id="three nodes",
        ),
        pytest.param(
            with_section("identity", path="/models/big"),
            ("Profile big, identity.path is '/models/big', needed is a folder below the model root.", ""),
            id="absolute path",
        ),
        pytest.param(
            with_section("identity", path="../big"),
            ("Profile big, identity.path is '../big', needed is a folder below the model root.", ""),
            id="path that climbs out",
        ),
        pytest.param(
            with_section("env", CUDA_LAUNCH_BLOCKING=True),
            (
                "Profile big, environment variable CUDA_LAUNCH_BLOCKING is True (bool), needed is text.",
                "quote it in YAML.",
            ),
            id="environment is not text",
        ),
        pytest.param(
            with_section("evidence", status="guessed"),
            ("Profile big, evidence.status is 'guessed', needed is one of measured, published, untested, failed.", ""),
            id="unknown evidence",
        ),
        pytest.param(
            with_section("evidence", measured=[{**MEASURED, "value": "20"}]),
            ("Profile big, evidence.measured[1].value is '20' (str), needed is int or float.", ""),
            id="a measured value is no number",
        ),
        pytest.param(
            with_section("evidence", measured=[MEASURED, {key: MEASURED[key] for key in MEASURED if key != "by"}]),
            ("Profile big, evidence.measured[2] lacks 'by'.", ""),
            id="a measured value without its origin",
        ),
        pytest.param(
            with_section("evidence", notes=[{"a": "b"}]),
            ("Profile big, evidence.notes has {'a': 'b'}, needed is text.", ""),
            id="a note with a colon that YAML took for a dictionary",
        ),
        pytest.param(
            with_section("identity", gated="yes"),
            ("Profile big, identity.gated is 'yes' (str), needed is bool.", ""),
            id="gated is text",
        ),
        pytest.param(
            with_section("identity", exclude=[1]),
            ("Profile big, identity.exclude has 1, needed is text.", ""),
            id="a pattern is a number",
        ),
        pytest.param(
            with_section("needs", encodings=["p50k_base"]),
            ("Profile big, needs.encodings has 'p50k_base', needed is one of o200k_base, cl100k_base.", ""),
            id="unknown encoding",
        ),
        pytest.param(
            with_section("needs", alternatives=["bigger"]),
            ("Profile big, needs.alternatives has 'bigger', which is not in the catalogue.", ""),
            id="unknown relative",
        ),
        pytest.param(
            with_section("needs", versions={"0.5.4.post2": {"nodes": [1]}}),
            ("Profile big, needs.versions.0.5.4.post2 lacks 'reason'.", ""),
            id="a limit without its reason",
        ),
        pytest.param(
            with_section("moe", configs="tuned"),
            ("Profile big, moe.configs is 'tuned', needed is auto or off.", ""),
            id="unknown MoE configurations",
        ),
        pytest.param(
            {**WHOLE, "refused": True},
            ("Profile big, refused is True, needed is the reason as text.", ""),
            id="refused without a reason",
        ),
    ],
)
def test_a_malformed_profile_is_refused_with_value_found_and_needed(raw: t.Any, expected: tuple[str, str]) -> None:
    assert refusal("big", {"big": raw}) == [expected]


def test_every_fault_of_a_profile_is_named_at_once() -> None:
    raw = {"identity": {"repo": 1, "folder": "x"}, "needs": {"nodes": "2"}, "notes": []}
    assert [what for what, hint in refusal("big", {"big": raw})] == [
        "Profile big has the unknown key 'notes'.",
        "Profile big, identity has the unknown key 'folder'.",
        "Profile big, identity lacks 'path'.",
        "Profile big, identity.repo is 1 (int), needed is str.",
        "Profile big, needs.nodes is '2' (str), needed is list.",
    ]


def test_an_unknown_model_is_refused_with_the_nearest_name() -> None:
    assert refusal("glm-47", {"glm47": LEAST, "llama": LEAST}) == [
        ("Model 'glm-47' is not in the catalogue.", "Did you mean glm47? Or add it to server_models.")
    ]


@pytest.mark.parametrize(
    ("configs", "expected"),
    [pytest.param("off", "off", id="text"), pytest.param(False, "off", id="a bare off, which YAML reads as false")],
)
def test_moe_configurations_can_be_off(configs: t.Any, expected: str) -> None:
    assert _catalogue.parse_profile("big", {"big": with_section("moe", configs=configs)}).moe == expected


def test_a_refused_profile_needs_no_node_count() -> None:
    raw = {"identity": LEAST["identity"], "refused": "too big"}
    profile = _catalogue.parse_profile("tiny", {"tiny": raw})
    assert (profile.refused, profile.nodes) == ("too big", ())


# What a user's layer sets to null is gone.
OVER: dict[str, t.Any] = {
    "big": {"identity": {"revision": None}, "needs": {"versions": {"0.5.4.post2": None}}, "moe": None}
}


def test_null_takes_keys_and_sections_away() -> None:
    profile = _catalogue.parse_profile("big", merge({"big": WHOLE}, OVER))
    assert (profile.revision, profile.versions, profile.moe, profile.gated) == ("", {}, "auto", True)


def test_null_takes_a_refusal_away() -> None:
    refused = {"big": {**WHOLE, "refused": "too big"}}
    assert _catalogue.parse_profile("big", merge(refused, {"big": {"refused": None}})).refused == ""


def test_null_takes_a_profile_away() -> None:
    assert refusal("big", merge({"big": WHOLE, "tiny": LEAST}, {"big": None})) == [
        ("Model 'big' is not in the catalogue.", "Known: tiny. Or add it to server_models.")
    ]


def test_null_stays_in_arguments_and_environment_where_it_hides_a_lower_layer() -> None:
    over = {"big": {"args": {"quantization": None}, "env": {"TRITON_PTXAS_PATH": None}}}
    profile = _catalogue.parse_profile("big", merge({"big": WHOLE}, over))
    assert (profile.args, profile.env) == ({"quantization": None}, {"TRITON_PTXAS_PATH": None})


def relatives(**nodes: list[int]) -> dict[str, t.Any]:
    profiles = {name: {**LEAST, "needs": {"nodes": counts}} for name, counts in nodes.items()}
    return {**profiles, "big": with_section("needs", alternatives=list(nodes)), "gone": {**LEAST, "refused": "old"}}


@pytest.mark.parametrize(
    ("available", "expected"),
    [pytest.param(1, ["small"], id="one node"), pytest.param(2, ["pair", "small"], id="two nodes, in their order")],
)
def test_relatives_are_those_that_fit(available: int, expected: list[str]) -> None:
    catalogue = relatives(quad=[4], pair=[2], small=[1])
    found = _catalogue.alternatives(_catalogue.parse_profile("big", catalogue), catalogue, available)
    assert [profile.name for profile in found] == expected


def test_a_refused_relative_is_none() -> None:
    catalogue = relatives(small=[1])
    catalogue["big"]["needs"]["alternatives"] = ["gone", "small"]
    found = _catalogue.alternatives(_catalogue.parse_profile("big", catalogue), catalogue, 4)
    assert [profile.name for profile in found] == ["small"]


def test_a_refusal_names_what_fits_instead() -> None:
    catalogue = relatives(quad=[4], pair=[2], small=[1])
    catalogue["big"]["refused"] = "too big"
    problem = _catalogue.refusal(_catalogue.parse_profile("big", catalogue), catalogue, 2)
    hint = "take pair or small instead, or set refused: null for it in server_models if you know a way."
    assert shown([problem]) == [("big can't be served: too big.", hint)]


def test_a_refusal_without_relatives_leaves_them_out() -> None:
    catalogue = {"gone": {**LEAST, "refused": "old"}}
    problem = _catalogue.refusal(_catalogue.parse_profile("gone", catalogue), catalogue, 4)
    assert problem.hint == "set refused: null for it in server_models if you know a way."


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        pytest.param(({"a": 1}, {"a": 2}), {"a": 2}, id="the later wins"),
        pytest.param(({"a": {"x": 1, "y": 1}}, {"a": {"y": 2}}), {"a": {"x": 1, "y": 2}}, id="dictionaries key by key"),
        pytest.param(({"a": [1, 2]}, {"a": [3]}), {"a": [3]}, id="lists are replaced"),
        pytest.param(({"a": 1}, {"a": None}), {"a": None}, id="null stays, it removes a flag"),
        pytest.param(({"a": {"x": 1}}, {"a": "off"}), {"a": "off"}, id="a value replaces a dictionary"),
        pytest.param((), {}, id="nothing"),
    ],
)
def test_layers_merge_in_order(layers: tuple[dict[str, t.Any], ...], expected: dict[str, t.Any]) -> None:
    assert merge(*layers) == expected


def test_merging_leaves_the_layers_alone() -> None:
    first: dict[str, t.Any] = {"a": {"x": 1}}
    merge(first, {"a": {"x": 2}})
    assert first == {"a": {"x": 1}}


@pytest.mark.parametrize("value", [1, 1.5, True, ["x"]], ids=repr)
def test_environment_values_must_be_text(value: t.Any) -> None:
    what = f"server_env, environment variable NCCL_DEBUG is {value!r} ({type(value).__name__}), needed is text."
    assert shown(_schema.check_env("server_env", {"NCCL_DEBUG": value})) == [(what, "quote it in YAML.")]


def test_text_is_a_fine_environment_value() -> None:
    assert _schema.check_env("server_env", {"NCCL_DEBUG": "INFO", "EMPTY": ""}) == []


def test_ansibles_own_kind_of_text_is_called_text() -> None:
    class Tagged(str):
        pass

    found = _schema.check_keys("x", {"port": Tagged("1")}, {"port": (int,)})
    assert shown(found) == [("x.port is '1' (str), needed is int.", "")]

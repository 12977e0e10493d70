# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instances of a cluster: what each of them is, which are brought up, and what is refused of them."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.action.sglang_plan import ARGUMENTS
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import Problem, SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._instances import (
    KEYS,
    Instance,
    alone,
    brought_up,
    of_instance,
    parse_instances,
    this_run,
)
from ansible_collections.dgxspark.sglang.tests.unit.builders import shown

GIVEN: dict[str, t.Any] = {
    "model": "chat",
    "port": 30000,
    "dist_port": 50000,
    "watch_port": 40000,
    "nodes": 2,
    "args": {"mem_fraction_static": 0.6, "log_level": "info"},
    "env": {"A": "1"},
    "image": "mine:1",
    "sglang": "0.5.23",
    "gpus": "all",
    "mounts": [{"source": "/a", "target": "/a"}],
    "start_timeout": 900,
    "stop_timeout": 60,
    "access": {"api_key": "sk-of-everybody", "open": False, "hf_token": "", "tls_key": ""},
}
NAME = "needed are 2 to 63 letters, digits, '_', '.' and '-', a letter or digit first."
OTHER_NAME = "choose another name: a container, a unit of systemd and files have it."


def parse(main: str = "sglang", given: dict[str, t.Any] | None = None, **raw: t.Any) -> tuple[Instance, ...]:
    return parse_instances(main, {**GIVEN, **(given or {})}, raw)


def embed(**changes: t.Any) -> dict[str, t.Any]:
    return {"model": "bge", "port": 30001, **changes}


def options(**changes: t.Any) -> t.Mapping[str, t.Any]:
    """Return the options of one further instance."""
    return parse(embed=embed(**changes))[1].options


def refusal(step: t.Callable[[], t.Any]) -> list[tuple[str, str]]:
    with pytest.raises(SparkError) as caught:
        step()
    return shown(caught.value.problems)


def names(found: t.Iterable[Instance]) -> list[str]:
    return [item.name for item in found]


def test_without_others_there_is_the_main_one_as_it_was_given() -> None:
    (main,) = parse()
    assert (main.name, main.options, main.start, main.main, main.prefix) == ("sglang", GIVEN, "always", True, "server_")


def test_a_cluster_may_have_no_main_one() -> None:
    assert names(parse(given={"model": ""}, embed=embed())) == ["embed"]


def test_a_main_one_without_a_model_is_told_where_it_is_the_only_one() -> None:
    assert names(parse(given={"model": ""})) == ["sglang"]


def test_what_an_instance_does_not_say_is_as_it_is_for_the_main_one() -> None:
    found = options()
    same = ("env", "image", "sglang", "gpus", "mounts", "stop_timeout", "access")
    assert {key: found[key] for key in same} == {key: GIVEN[key] for key in same}


def test_what_is_about_the_main_ones_model_and_memory_is_its_own() -> None:
    found = options()
    assert (found["nodes"], found["start_timeout"], found["args"]) == (0, 0, {"log_level": "info"})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param({"args": {"mem_fraction_static": 0.2}}, {"mem_fraction_static": 0.2, "log_level": "info"}),
        pytest.param({"args": {"log_level": None}}, {"log_level": None}),
    ],
    ids=["one more", "one removed"],
)
def test_arguments_are_merged(said: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    assert options(**said)["args"] == expected


def test_what_an_instance_says_wins() -> None:
    said = {"env": {"A": "2", "B": "3"}, "nodes": 1, "mounts": [], "start_timeout": 60, "gpus": "none"}
    assert {key: options(**said)[key] for key in said} == said


def test_what_is_null_was_not_said() -> None:
    assert options(image=None, env=None) == options()


def test_another_image_has_another_version() -> None:
    assert [options(image="other:1", **more)["sglang"] for more in ({}, {"sglang": "0.5.4.post2"})] == [
        "",
        "0.5.4.post2",
    ]


def test_who_gets_at_it_is_said_for_each() -> None:
    assert options(open=True)["access"] == {"api_key": None, "open": True, "hf_token": "", "tls_key": ""}


@pytest.mark.parametrize(
    ("said", "ports"),
    [
        pytest.param({}, (30001, 40001, 50001), id="by its own"),
        pytest.param({"dist_port": 51000}, (30001, 40001, 51000), id="one said"),
        pytest.param({"port": 60000, "watch_port": 60001, "dist_port": 60002}, (60000, 60001, 60002), id="all said"),
    ],
)
def test_its_ports_are_as_far_apart_as_those_of_the_main_one(said: dict[str, int], ports: tuple[int, ...]) -> None:
    found = options(**said)
    assert (found["port"], found["watch_port"], found["dist_port"]) == ports


FAULTS: dict[str, tuple[dict[str, t.Any], tuple[str, str]]] = {
    "no dictionary": ({"embed": "bge"}, ("server_instances.embed is str, needed is a dictionary.", "")),
    "no model": ({"embed": {"port": 30001}}, ("server_instances.embed lacks 'model'.", "")),
    "no port": ({"embed": {"model": "bge"}}, ("server_instances.embed lacks 'port'.", "")),
    "model null": ({"embed": {"model": None, "port": 30001}}, ("server_instances.embed lacks 'model'.", "")),
    "unknown key": (
        {"embed": embed(nodse=1)},
        ("server_instances.embed has the unknown key 'nodse'.", "Did you mean nodes or model?"),
    ),
    "port as text": (
        {"embed": embed(port="30001")},
        ("server_instances.embed.port is '30001' (str), needed is int.", ""),
    ),
    "key as number": (
        {"embed": embed(api_key=1234567890)},
        ("server_instances.embed.api_key is of type int, needed is str.", ""),
    ),
    "start": (
        {"embed": embed(start="ondemand")},
        (
            "server_instances.embed.start is 'ondemand', needed is always or on-demand.",
            "Did you mean on-demand?",
        ),
    ),
    "one letter": ({"e": embed()}, (f"server_instances has the name 'e', {NAME}", OTHER_NAME)),
    "blank": ({"my chat": embed()}, (f"server_instances has the name 'my chat', {NAME}", OTHER_NAME)),
    "hyphen first": ({"-x": embed()}, (f"server_instances has the name '-x', {NAME}", OTHER_NAME)),
    "a service's": (
        {"vllm": embed()},
        ("server_instances has the name 'vllm', which is that of a service beside the server.", OTHER_NAME),
    ),
    "slash": ({"a/b": embed()}, (f"server_instances has the name 'a/b', {NAME}", OTHER_NAME)),
    "at": ({"a@b": embed()}, (f"server_instances has the name 'a@b', {NAME}", OTHER_NAME)),
    "long": ({"x" * 64: embed()}, (f"server_instances has the name '{'x' * 64}', {NAME}", OTHER_NAME)),
    "the main one's name": (
        {"sglang": embed()},
        (
            "'sglang' is server_instance, the main one, and in server_instances, too.",
            "choose another name there. To bring up that one alone: -e instance=sglang.",
        ),
    ),
    "port of the main one": (
        {"embed": embed(port=30000, watch_port=1, dist_port=2)},
        (
            "server_port and server_instances.embed.port are both 30000.",
            "give embed another port (that of sglang is 30000).",
        ),
    ),
    "dist_port of the main one": (
        {"embed": embed(port=50000, watch_port=1, dist_port=2)},
        (
            "server_dist_port and server_instances.embed.port are both 50000.",
            "give embed another port (that of sglang is 30000).",
        ),
    ),
    "port of another": (
        {"embed": embed(), "code": embed(watch_port=1, dist_port=2)},
        (
            "server_instances.embed.port and server_instances.code.port are both 30001.",
            "give code another port (that of embed is 30001).",
        ),
    ),
    "its own port twice": (
        {"embed": embed(dist_port=30001)},
        (
            "server_instances.embed.port and server_instances.embed.dist_port are both 30001.",
            "give embed another port (that of embed is 30001).",
        ),
    ),
    "too high": (
        {"embed": embed(port=50001)},
        ("server_instances.embed.dist_port is 70001, needed is a number from 1 to 65535.", "set it."),
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_wrong_is_refused(case: str) -> None:
    raw, expected = FAULTS[case]
    assert refusal(lambda: parse(**raw)) == [expected]


def test_every_fault_is_told_at_once() -> None:
    found = refusal(lambda: parse("-", embed={"port": 30001, "nodse": 1}, code="x"))
    assert [what.partition(" ")[0] for what, _hint in found] == [
        "server_instance",
        *["server_instances.embed"] * 2,
        "server_instances.code",
    ]


def test_the_main_ones_own_ports_are_checked_with_its_request() -> None:
    assert names(parse(given={"dist_port": 30000})) == ["sglang"]


def test_every_key_is_an_option_of_the_plan() -> None:
    taken = {*ARGUMENTS, *ARGUMENTS["access"]["options"], "start"}
    assert KEYS.keys() - taken == set()


TEAM = {"embed": embed(), "code": {"model": "coder", "port": 30002, "start": "on-demand"}, "tail": embed(port=30003)}


def test_the_main_one_comes_first_then_those_that_are_always_on_as_they_are_written() -> None:
    assert names(brought_up(parse(**TEAM))) == ["sglang", "embed", "tail"]


def test_each_knows_who_takes_memory_before_it() -> None:
    found = {item.name: item.earlier for item in parse(**TEAM)}
    assert found == {
        "sglang": (),
        "embed": ("sglang",),
        "code": ("sglang", "embed", "tail"),
        "tail": ("sglang", "embed"),
    }


@pytest.mark.parametrize(
    ("named", "only", "model", "expected"),
    [
        pytest.param("sglang", "", "", ("sglang", ["sglang", "embed", "tail"]), id="all that are always on"),
        pytest.param("embed", "", "", ("embed", ["sglang", "embed", "tail"]), id="one of them, in its turn"),
        pytest.param("code", "", "", ("code", ["sglang", "embed", "tail"]), id="one on demand, by its name"),
        pytest.param("sglang", "code", "", ("code", ["code"]), id="one alone"),
        pytest.param("sglang", "", "coder", ("code", ["code"]), id="one by its model"),
    ],
)
def test_which_instances_a_run_brings_up(named: str, only: str, model: str, expected: tuple[str, list[str]]) -> None:
    chosen, run = this_run("alpha", parse(**TEAM), named, only, model)
    assert (chosen.name, names(run)) == expected


def test_without_a_main_one_the_first_that_is_brought_up_is_planned() -> None:
    chosen, run = this_run("alpha", parse(given={"model": ""}, **TEAM), "sglang")
    assert (chosen.name, names(run)) == ("embed", ["embed", "tail"])


def test_where_all_are_on_demand_nothing_is_brought_up() -> None:
    chosen, run = this_run("alpha", parse(given={"model": ""}, code=TEAM["code"]), "sglang")
    assert (chosen.name, run) == ("code", ())


def test_another_model_takes_the_place_of_its_own() -> None:
    found = alone("alpha", parse(**TEAM), "code", "small")
    assert (found.name, found.model, found.options["port"]) == ("code", "small", 30002)


def test_an_unknown_instance_is_refused_with_those_that_there_are() -> None:
    far, near = (refusal(lambda name=name: alone("alpha", parse(**TEAM), name)) for name in ("zzz", "cod"))  # type: ignore[misc]
    more = (
        "Say which one with -e instance=NAME, or add it to server_instances; where only some clusters have it, add"
        " --limit."
    )
    assert far == [("Cluster alpha has no instance 'zzz'.", f"Known: code, embed, sglang, tail. {more}")]
    assert near == [("Cluster alpha has no instance 'cod'.", f"Did you mean code? {more}")]


@pytest.mark.parametrize(("model", "many"), [("none", "no instance that serves"), ("bge", "2 instances that serve")])
def test_a_model_that_not_exactly_one_instance_has_is_refused(model: str, many: str) -> None:
    assert refusal(lambda: alone("alpha", parse(**TEAM), "", model)) == [
        (
            f"Cluster alpha has {many} {model!r}.",
            f"say which one is to serve it: -e instance=NAME -e model={model}. There are sglang (chat), embed (bge),"
            " code (coder), tail (bge).",
        )
    ]


def test_what_is_refused_of_an_instance_begins_with_its_name() -> None:
    def step() -> None:
        raise SparkError([Problem("It is late.", "go to bed.")], facts=1)

    main, other = parse(embed=embed())
    assert refusal(lambda: of_instance(other, step)) == [("Instance embed: It is late.", "go to bed.")]
    assert refusal(lambda: of_instance(main, step)) == [("It is late.", "go to bed.")]

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit of a service, and the command by which its container runs."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._unit import (
    MARK,
    run_command,
    service_of,
    unit_text,
)
from ansible_collections.dgxspark.sglang.tests.unit.companion_builders import CHECKED, IMAGE, asked


def lines(checked: t.Mapping[str, t.Any] | None = None, **changes: t.Any) -> list[str]:
    return unit_text(service_of(asked(**changes), checked or CHECKED, IMAGE)).splitlines()


def test_the_command_of_an_engine() -> None:
    assert run_command(service_of(asked(), CHECKED, IMAGE)) == [
        *("/usr/bin/docker", "run", "--rm", "--init", "--pull=never", "--log-driver=none", "--name=vllm"),
        *("--label=dgxspark.sglang.companion=vllm", "--publish=0.0.0.0:8000:8000"),
        "--mount=type=bind,source=/home/spark/ai/models/tiny,target=/models/tiny,readonly",
        "--mount=type=bind,source=/home/spark/ai/cache/vllm,target=/root/.cache",
        "--mount=type=bind,source=/etc/dgxspark-sglang/vllm,target=/run/dgxspark-sglang,readonly",
        *("--env=HF_HUB_OFFLINE=1", "--gpus=all", "--ipc=host", "--ulimit=memlock=-1", "--ulimit=stack=67108864"),
        *("--entrypoint=vllm", IMAGE, "serve", "--config", "/run/dgxspark-sglang/config.yaml"),
    ]


def test_the_command_of_a_service_that_is_no_engine() -> None:
    none = {"folders": [], "instances": []}
    web = asked(
        name="open-webui",
        bind="::1",
        port="8080",
        target_port=8080,
        entrypoint="",
        command=[],
        env={},
        folders=[],
        volumes=[{"name": "open-webui", "target": "/app/backend/data"}],
        files=False,
        gpus="none",
    )
    assert run_command(service_of(web, none, IMAGE))[6:] == [
        *("--name=open-webui", "--label=dgxspark.sglang.companion=open-webui", "--publish=[::1]:8080:8080"),
        *("--mount=type=volume,source=open-webui,target=/app/backend/data", IMAGE),
    ]


def test_nothing_of_ours_is_privileged_or_on_the_network_of_the_node() -> None:
    words = run_command(service_of(asked(), CHECKED, IMAGE))
    assert [word for word in words if "privileged" in word or "network" in word or "pid" in word] == []


def test_the_first_line_says_whose_it_is() -> None:
    assert lines()[0] == MARK


@pytest.mark.parametrize(
    ("changes", "rivals"),
    [
        ({}, ["Conflicts=dgxspark-sglang@ondemand.service dgxspark-sglang@sglang.service ollama.service"]),
        (
            {"name": "ollama"},
            ["Conflicts=dgxspark-sglang@ondemand.service dgxspark-sglang@sglang.service vllm.service"],
        ),
        ({"exclusive": False}, []),
    ],
)
def test_an_engine_excludes_every_other(changes: dict[str, t.Any], rivals: list[str]) -> None:
    assert [line for line in lines(**changes) if line.startswith("Conflicts")] == rivals


def test_the_first_instance_is_excluded_before_there_is_one() -> None:
    bare = {**CHECKED, "instances": []}
    assert "Conflicts=dgxspark-sglang@sglang.service ollama.service" in lines(bare)


def test_what_an_interrupted_run_has_left_is_removed_by_its_label_alone() -> None:
    sweep = (
        '/bin/sh -c "/usr/bin/docker ps --all --quiet --filter=label=dgxspark.sglang.companion=vllm'
        ' | xargs -r /usr/bin/docker rm --force"'
    )
    found = lines()
    assert [line for line in found if "rm --force" in line] == [f"ExecStartPre={sweep}", f"ExecStopPost={sweep}"]


def test_it_comes_back_after_a_reboot_and_gives_up_in_the_end() -> None:
    wanted = {"WantedBy=multi-user.target", "Restart=always", "StartLimitBurst=10", "TimeoutStopSec=60"}
    assert wanted - set(lines()) == set()


def test_text_of_people_is_no_specifier() -> None:
    assert "Description=100 %% vLLM" in lines(about="100 % vLLM")
    (start,) = [line for line in lines(env={"A": "50% of $B"}) if line.startswith("ExecStart=")]
    assert ' "--env=A=50%% of $$B" ' in start

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One node alone, which was of a pair: the older engine, and a second server that comes and goes beside it."""

from __future__ import annotations

import base64

import pytest

from molecule.cluster import REPO, SINGLE


def test_the_older_engine_serves_too() -> None:
    played = SINGLE.play("site.yml", server_image="lmsysorg/sglang:spark", server_sglang="0.5.4.post2")
    assert played.code == 0
    status, info = SINGLE.ask("/get_server_info")
    assert (status, info["version"]) == (200, "0.5.4.post2")
    assert SINGLE.completion_tokens() > 0


def test_a_second_server_comes_and_goes_and_the_first_does_not_notice() -> None:
    before = SINGLE.starts()
    second = {"model": "tiny-llama", "port": 30001, "start": "on-demand", "args": {"mem_fraction_static": 0.4}}
    old = {"server_image": "lmsysorg/sglang:spark", "server_sglang": "0.5.4.post2"}
    asked = {"instance": "ondemand", "server_instances": {"ondemand": second}, **old}
    played = SINGLE.play("start.yml", **asked)
    assert played.code == 0
    assert played.said("serves at http://10.254.88.11:30001/v1")
    assert SINGLE.ask("/v1/models", port=30001)[0] == 200
    show = "systemctl is-active dgxspark-sglang@{0}; systemctl is-enabled dgxspark-sglang@{0}; true"
    seen = {name: SINGLE.run("spark-01", "sh", "-c", show.format(name)).split() for name in ("sglang", "ondemand")}
    assert seen == {"sglang": ["active", "enabled"], "ondemand": ["active", "disabled"]}
    assert SINGLE.play("stop.yml", **asked).code == 0
    assert SINGLE.container("spark-01", "ondemand")["State"]["Running"] is False
    assert (SINGLE.starts(), SINGLE.completion_tokens() > 0) == (before, True)


def test_an_image_with_another_engine_than_told_is_refused() -> None:
    before = SINGLE.starts()
    played = SINGLE.play("site.yml", server_image="lmsysorg/sglang:spark", server_sglang="0.5.23")
    assert played.code != 0
    assert played.said("has SGLang 0.5.4.post2, the plan was made for 0.5.23", "set server_sglang: 0.5.4.post2")
    assert SINGLE.starts() == before


@pytest.mark.parametrize(("image", "version"), [("v0.5.23", "0.5.23"), ("spark", "0.5.4.post2")])
def test_the_flag_table_is_what_the_engine_itself_says(image: str, version: str) -> None:
    script = base64.b64encode((REPO / "tests" / "contract" / "dump_flags.py").read_bytes()).decode()
    dump = (
        f"echo {script} | base64 -d | docker run --rm -i -e SGLANG_USE_CPU_ENGINE=1 lmsysorg/sglang:{image} python3 -"
    )
    table = SINGLE.run("spark-01", "sh", "-c", dump)
    assert table == (REPO / "roles" / "server" / "files" / "flags" / f"{version}.json").read_text()


def test_status_shows_the_node() -> None:
    played = SINGLE.play("status.yml")
    assert played.code == 0
    assert played.said("solo", "spark-01", "sglang", "running", "healthy")

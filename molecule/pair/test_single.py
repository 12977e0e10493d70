# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One node alone, which was of a pair: keys that nobody can read, and the older engine."""

from __future__ import annotations

import base64
import json

import pytest

from molecule.cluster import REPO, SINGLE

KEY = "lab-key-4711-of-the-api"


def test_a_key_is_asked_for_and_is_nowhere_to_be_read() -> None:
    played = SINGLE.play("site.yml", "-vvv", "--diff", server_api_key=KEY)
    assert played.code == 0
    assert SINGLE.ask("/v1/models")[0] == 401
    assert SINGLE.completion_tokens(KEY) > 0
    # -vvv prints the extra variables that we gave on the command line: that one line is ours.
    told = [line for line in played.output.splitlines() if KEY in line]
    assert not told, told
    assert KEY not in json.dumps(SINGLE.container("spark-01"))
    assert KEY not in SINGLE.run("spark-01", "ps", "-eo", "args")
    modes = SINGLE.run("spark-01", "find", "/etc/dgxspark-sglang", "-printf", "%m %u %y %f\\n").splitlines()
    assert {"700 root d dgxspark-sglang", "600 root f config.yaml", "600 root f sglang.last_good.json"} <= set(modes)
    assert KEY not in SINGLE.run("spark-01", "cat", "/etc/dgxspark-sglang/sglang.last_good.json")


def test_the_older_engine_serves_too() -> None:
    played = SINGLE.play("site.yml", server_image="lmsysorg/sglang:spark", server_sglang="0.5.4.post2")
    assert played.code == 0
    status, info = SINGLE.ask("/get_server_info")
    assert (status, info["version"]) == (200, "0.5.4.post2")
    assert SINGLE.completion_tokens() > 0


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

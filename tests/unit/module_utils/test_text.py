# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._text import did_you_mean, duration, gib, redact

# Keys and order as SGLang 0.5.23 prints them at start-up.
SERVER_ARGS = (
    "[2026-11-21 02:03:04] server_args=ServerArgs(model_path='/models/tiny', tokenizer_path='/models/t', port=30000, "
    "mem_fraction_static=0.75, api_key='sk-live-1234', admin_api_key='root-5678', served_model_name='tiny')"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            SERVER_ARGS,
            SERVER_ARGS.replace("'sk-live-1234'", "********").replace("'root-5678'", "********"),
            id="server_args",
        ),
        pytest.param("api_key=None, admin_api_key=None)", "api_key=None, admin_api_key=None)", id="no key was set"),
        pytest.param('{"api_key": null, "port": 1}', '{"api_key": null, "port": 1}', id="no key in server_info"),
        pytest.param(
            '{"api_key": "sk-1", "admin_api_key": "sk-2", "port": 30000}',
            '{"api_key": ********, "admin_api_key": ********, "port": 30000}',
            id="server_info",
        ),
        pytest.param(
            "launch_server --api-key sk-1 --admin-api-key=sk-2 --port 30000",
            "launch_server --api-key ******** --admin-api-key=******** --port 30000",
            id="argv",
        ),
        pytest.param(
            """api_key='a\\'b"c', port=1; "api_key": "a\\"b'c", x""",
            'api_key=********, port=1; "api_key": ********, x',
            id="a quote in a key",
        ),
        pytest.param(
            "['launch_server', '--api-key', 'sk-1', '--port', '30000']",
            "['launch_server', '--api-key', ********, '--port', '30000']",
            id="argv as a list",
        ),
        pytest.param(
            "non-default args: {'api_key': ['sk-1', 'sk-2'], 'port': 8000}",
            "non-default args: {'api_key': ********, 'port': 8000}",
            id="several keys, as vLLM prints them",
        ),
        pytest.param("api_key is not supported here", "api_key is not supported here", id="a sentence"),
        pytest.param("OPENAI_API_KEY=sk-1 HOME=/root", "OPENAI_API_KEY=******** HOME=/root", id="an environment"),
        pytest.param(
            "{'authorization': 'Bearer sk-1', 'accept': '*/*'}",
            "{'authorization': 'Bearer ********', 'accept': '*/*'}",
            id="a request's headers",
        ),
        pytest.param(
            "token hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567 was refused",
            "token ******** was refused",
            id="Hugging Face token",
        ),
        pytest.param(
            'File "/sglang/srt/utils/hf_transformers_utils.py", line 7, in hf_download',
            'File "/sglang/srt/utils/hf_transformers_utils.py", line 7, in hf_download',
            id="names that begin like a token",
        ),
        pytest.param(
            "Load weight begin. avail mem=110.21 GB", "Load weight begin. avail mem=110.21 GB", id="an ordinary line"
        ),
    ],
)
def test_redact_hides_keys_and_tokens_and_changes_nothing_else(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_redact_hides_the_secrets_it_is_given_wherever_they_stand() -> None:
    assert redact("Bearer s3cret, again s3cret", ["s3cret"]) == "Bearer ********, again ********"


def test_redact_ignores_empty_secrets() -> None:
    assert redact("abc", ["", "x"]) == "abc"


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        pytest.param("qwen3", ["qwen3-32b", "llama"], "Did you mean qwen3-32b?", id="one is near"),
        pytest.param("ab1", ["ab2", "ab3"], "Did you mean ab3 or ab2?", id="two are near"),
        pytest.param("zzz", ["b", "a"], "Known: a, b.", id="none is near, few are known"),
        pytest.param("zzz", [f"name-{i}" for i in range(41)], "", id="none is near, too many are known"),
        pytest.param("zzz", [], "", id="nothing is known"),
    ],
)
def test_did_you_mean_names_what_is_near_or_else_what_there_is(name: str, known: list[str], expected: str) -> None:
    assert did_you_mean(name, known) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0.0 MiB"),
        (1536 * 2**10, "1.5 MiB"),
        (2**30 - 1, "1024.0 MiB"),
        (2**30, "1.0 GiB"),
        (130663727104, "121.7 GiB"),
    ],
)
def test_sizes_read_as_gib_or_mib(count: int, expected: str) -> None:
    assert gib(count) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599, "59 min 59 s"),
        (7800, "2 h 10 min"),
        (48 * 3600 - 1, "47 h 59 min"),
        (76 * 3600, "3 d 4 h"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected

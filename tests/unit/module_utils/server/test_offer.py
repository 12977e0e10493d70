# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster could serve: which profiles fit, why others don't, where they are, and how people read it."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._offer import Row, Seen, asked, offer, told
from ansible_collections.dgxspark.sglang.tests.unit.builders import CATALOGUE, CONFIG, folder, probe_result, request

GIB = 2**30
RUNNING = {"running": True, "ours": True, "name": "sglang", "model": "tiny", "generation": "x"}
FREE = {"total": 120 * GIB, "available": 110 * GIB, "held": 0, "others": {}}
NAMES = ["big", "old", "solo", "tiny"]


def profile(path: str, nodes: list[int], **changes: t.Any) -> dict[str, t.Any]:
    needs = {"nodes": nodes, **changes.pop("needs", {})}
    identity = {"repo": f"example/{path}", "path": path, **changes.pop("identity", {})}
    return {"identity": identity, "needs": needs, **changes}


MODELS: dict[str, t.Any] = {
    "tiny": profile("tiny/tiny-1b", [1, 2, 4], args={"context_length": 4096}),
    "big": profile("big", [4], needs={"disk": 400, "alternatives": ["old", "solo"]}, identity={"gated": True}),
    "solo": profile("solo", [1], needs={"disk": 20}),
    "old": profile("old", [1], refused="its kernels are of another age", evidence={"status": "failed"}),
}


def inventory(paths: int, whole: t.Mapping[int, t.Any], **more: t.Any) -> dict[str, t.Any]:
    """Return what model_inventory says of so many folders: those in `whole` are there, all others are not."""
    absent = asdict(folder(complete=False, bytes=0, config={}, weights={}))
    here = {number: {**asdict(folder(disk_bytes=GIB)), **changes} for number, changes in whole.items()}
    return {"models": [here.get(number, absent) for number in range(paths)], "servers": [], **more}


def seen(count: int = 2, stocked: t.Any = None, **changes: t.Any) -> dict[str, Seen]:
    """Return the nodes of a cluster, the first of which has `tiny`."""
    first = inventory(8, {6: {}}) if stocked is None else stocked
    stocks = {1: first}
    return {
        f"spark-0{number}": Seen(probe_result(**{"memory": FREE, **changes}), stocks.get(number, inventory(8, {})))
        for number in range(1, count + 1)
    }


def rows(count: int = 2, given: t.Any = None, **changes: t.Any) -> dict[str, Row]:
    found, _remarks = offer(request(count, models=MODELS, **changes), seen(count) if given is None else given)
    return {row.name: row for row in found}


def test_every_folder_is_asked_for_and_the_one_in_which_it_is_made() -> None:
    assert asked(request(models=MODELS))[:4] == [
        "/srv/models/big",
        "/srv/models/big.partial",
        "/srv/models/old",
        "/srv/models/old.partial",
    ]


def test_every_profile_is_told_by_name() -> None:
    assert list(rows()) == NAMES


def test_a_profile_that_was_taken_away_is_not_told() -> None:
    found, _remarks = offer(request(models={**MODELS, "solo": None}), seen())
    assert [row.name for row in found] == ["big", "old", "tiny"]


def test_a_model_on_disk_that_fits() -> None:
    assert rows()["tiny"] == Row(
        name="tiny",
        repo="example/tiny/tiny-1b",
        nodes=(1, 2, 4),
        bytes=GIB,
        needs=("512.0 MiB a node",),
        fits="yes",
        ranks=2,
        disk={"spark-01": "whole", "spark-02": "no"},
    )


def test_the_download_counts_where_the_model_is_not_here() -> None:
    solo = rows()["solo"]
    assert (solo.fits, solo.ranks, solo.bytes, solo.needs) == ("yes", 1, 20 * 10**9, ("18.6 GiB a node",))
    small = {**MODELS, "solo": profile("solo", [1], needs={"disk": 100})}
    (found,) = [row for row in offer(request(models=small), seen())[0] if row.name == "solo"]
    assert (found.fits, found.reason) == (
        "no",
        "a rank's weights need 93.1 GiB, and mem_fraction_static 0.75 of 108.4 GiB gives 81.3 GiB on spark-01",
    )
    assert found.nearest == "mem_fraction_static: 0.86"


def test_too_few_nodes_with_a_relative_that_fits() -> None:
    big = rows()["big"]
    assert (big.fits, big.reason) == ("no", "The model runs on 4 node(s), but cluster alpha has 2 node(s)")
    assert (big.nearest, big.needs) == ("solo", ("93.1 GiB a node", "a token"))


@pytest.mark.parametrize(
    ("disk", "nearest"),
    [pytest.param(900, "", id="it does not fit either"), pytest.param(0, "solo, perhaps", id="its size is not known")],
)
def test_a_relative_that_may_not_fit_either(disk: int, nearest: str) -> None:
    other = {**MODELS, "solo": profile("solo", [1], needs={"disk": disk})}
    assert {row.name: row.nearest for row in offer(request(models=other), seen())[0]}["big"] == nearest


def test_a_reason_is_one_line_that_is_not_too_long() -> None:
    long = {**MODELS, "old": profile("old", [1], refused="it is old, " * 20)}
    (row,) = [row for row in offer(request(models=long), seen())[0] if row.name == "old"]
    assert (row.reason[:17], row.reason[-4:], len(row.reason) <= 140) == ("refused: it is ol", " ...", True)


def test_a_model_whose_size_nobody_knows() -> None:
    unknown = {**MODELS, "solo": profile("solo", [1])}
    (row,) = [row for row in offer(request(models=unknown), seen())[0] if row.name == "solo"]
    assert (row.fits, row.reason, row.bytes, row.needs) == ("unknown", "its size is not known before it is here", 0, ())


def test_a_refused_profile_says_why() -> None:
    assert (rows()["old"].fits, rows()["old"].reason) == ("no", "refused: its kernels are of another age")


def test_a_profile_that_is_none_says_what_is_wrong() -> None:
    row = {row.name: row for row in offer(request(models={**MODELS, "odd": {"identity": {}}}), seen())[0]}["odd"]
    assert (row.fits, row.reason) == ("no", "Profile odd, identity lacks 'repo'")


@pytest.mark.parametrize(
    ("stocked", "expected"),
    [
        pytest.param({6: {}}, "whole", id="whole"),
        pytest.param({6: {"complete": False}}, "partial", id="shards are missing"),
        pytest.param({7: {"complete": False}}, "partial", id="being made"),
        pytest.param({}, "no", id="not there"),
        pytest.param({6: {"complete": False, "disk_bytes": 0}}, "no", id="an empty folder"),
    ],
)
def test_what_is_on_disk(stocked: dict[int, t.Any], expected: str) -> None:
    assert rows(1, seen(1, inventory(8, stocked)))["tiny"].disk == {"spark-01": expected}


def test_what_another_rank_has_whole_is_judged_by_what_it_is() -> None:
    here = seen(2)
    swapped = {"spark-01": here["spark-02"], "spark-02": here["spark-01"]}
    assert rows(given=swapped)["tiny"] == rows()["tiny"].__class__(
        **{**asdict(rows()["tiny"]), "disk": {"spark-01": "no", "spark-02": "whole"}}
    )


def test_what_can_not_be_split_over_the_ranks_does_not_fit() -> None:
    odd = {**CONFIG, "num_attention_heads": 15}
    row = rows(given=seen(2, inventory(8, {6: {"config": odd}})))["tiny"]
    assert (row.fits, row.reason) == ("no", "it has 15 attention heads, for 2 ranks")


def test_a_longer_context_than_there_is_room_for_is_told_with_the_longest() -> None:
    row = rows(1, args={"context_length": 10**7})["tiny"]
    assert (row.fits, row.nearest) == ("no", "context_length: 2630656")
    assert row.reason == "one request of 10,000,000 tokens needs 305.2 GiB of KV cache, and 80.3 GiB are left for it"


def test_no_estimate_says_better_what_fits_than_that_it_serves() -> None:
    full = {**FREE, "available": GIB}
    assert rows(1, seen(1, memory=full))["tiny"].fits == "no"
    assert rows(1, seen(1, memory=full, container=RUNNING))["tiny"].fits == "yes"


def test_every_published_run_that_failed_is_a_caution() -> None:
    failed = {**MODELS, "tiny": {**MODELS["tiny"], "evidence": {"status": "failed"}}}
    assert {row.name: row.caution for row in offer(request(models=failed), seen())[0]} == {
        **dict.fromkeys(NAMES, ""),
        "tiny": "every published run failed",
    }


def server(profile: str, rank: int = 0, **changes: t.Any) -> dict[str, t.Any]:
    shown = {"instance": "sglang", "port": 30000, "profile": profile, "path": "/x", "status": "running", "rank": rank}
    return {**shown, "names": ["x"], "api": "answers", **changes}


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        pytest.param([server("tiny")], ("sglang:30000",), id="served"),
        pytest.param([server("tiny", api="no answer")], ("sglang:30000 (no answer)",), id="it does not answer"),
        pytest.param([server("tiny", rank=1, api="")], ("sglang:30000 (its head does not run)",), id="a worker alone"),
        pytest.param([server("tiny", status="exited", api="")], (), id="stopped"),
        pytest.param([server("big")], (), id="another"),
        pytest.param(
            [server("tiny"), server("tiny", instance="two", port=30001)],
            ("sglang:30000", "two:30001"),
            id="by two instances",
        ),
    ],
)
def test_who_serves_it_now(servers: list[dict[str, t.Any]], expected: tuple[str, ...]) -> None:
    assert rows(1, seen(1, inventory(8, {}, servers=servers)))["tiny"].served == expected


GONE = {"unreachable": True, "msg": "timeout"}
TIMEOUT = "can't be reached: timeout\n  Next step: check its power, network and ssh; every node of a cluster is needed."


def test_a_node_that_can_not_be_reached_is_told_once_and_nothing_is_guessed() -> None:
    here = {**seen(2), "spark-02": Seen(GONE, GONE)}
    found, remarks = offer(request(models=MODELS), here)
    assert remarks == [f"spark-02 {TIMEOUT}"]
    assert {row.name: (row.fits, row.disk["spark-02"]) for row in found} == {
        "big": ("no", "not known"),
        "old": ("no", "not known"),
        "solo": ("yes", "not known"),  # it needs the head alone
        "tiny": ("unknown", "not known"),
    }


def test_a_node_whose_models_could_not_be_looked_at_is_told_as_such() -> None:
    here = {**seen(2), "spark-02": Seen(probe_result(memory=FREE), {"failed": True, "msg": "No.", "reason": "No."})}
    assert offer(request(models=MODELS), here)[1] == ["spark-02 failed in model_inventory: No."]


def test_what_stands_against_every_model_is_told_once() -> None:
    found, remarks = offer(request(models=MODELS, args={"kv_cache_dtype": "fp7"}), seen())
    assert [remark.split(",")[0] for remark in remarks] == ["kv_cache_dtype is 'fp7'"]
    assert {row.name: (row.fits, row.reason) for row in found} == {
        "big": ("no", "The model runs on 4 node(s), but cluster alpha has 2 node(s)"),
        "old": ("no", "refused: its kernels are of another age"),
        "solo": ("unknown", ""),
        "tiny": ("unknown", ""),
    }


def test_keys_and_who_is_left_out_are_no_matter_of_a_model() -> None:
    plain = rows()
    assert rows(secrets={"api_key": "x"}, absent={"spark-02": "is left out by --limit"}) == plain


def test_the_table() -> None:
    found, _remarks = offer(request(models=MODELS), seen(2, inventory(8, {6: {}}, servers=[server("tiny")])))
    assert told("alpha", [asdict(row) for row in found], ["spark-02 is hot."]).splitlines() == [
        "alpha: 2 of 4 models fit",
        "MODEL  SIZE       NODES    NEEDS                     ON DISK            SERVED        FITS",
        "big    372.5 GiB  4        93.1 GiB a node, a token  no                 -             no: The model runs on"
        " 4 node(s), but cluster alpha has 2 node(s); nearest: solo",
        "old    -          1        -                         no                 -             no: refused: its kernels"
        " are of another age",
        "solo   18.6 GiB   1        18.6 GiB a node           no                 -             yes, on 1 node(s)",
        "tiny   1.0 GiB    1, 2, 4  512.0 MiB a node          whole on spark-01  sglang:30000  yes, on 2 node(s)",
        "spark-02 is hot.",
    ]


def test_what_is_not_known_is_not_counted_as_no() -> None:
    rows = [asdict(Row("a", fits=fits)) for fits in ("yes", "no", "unknown", "unknown")]
    assert told("alpha", rows, []).splitlines()[0] == "alpha: 1 of 4 models fit; of 2 it is not known"


@pytest.mark.parametrize(
    ("changes", "cell"),
    [
        pytest.param({"fits": "yes", "ranks": 1}, "yes, on 1 node(s)", id="yes"),
        pytest.param({"fits": "yes", "ranks": 1, "caution": "hm"}, "yes, on 1 node(s); hm", id="with a caution"),
        pytest.param({"fits": "no", "reason": "a"}, "no: a", id="no"),
        pytest.param({"fits": "no", "reason": "a", "nearest": "b: 1"}, "no: a; nearest: b: 1", id="the nearest"),
        pytest.param({"fits": "unknown", "reason": "a"}, "not known: a", id="not known"),
        pytest.param({"fits": "unknown"}, "not known", id="for a reason that all have"),
    ],
)
def test_whether_it_fits_in_words(changes: dict[str, t.Any], cell: str) -> None:
    assert told("alpha", [asdict(Row("x", **changes))], []).splitlines()[2].endswith(f"  {cell}")


def test_where_it_is_in_words() -> None:
    disk = {"spark-01": "whole", "spark-02": "partial", "spark-03": "no", "spark-04": "not known"}
    line = told("alpha", [asdict(Row("x", disk=disk))], []).splitlines()[2]
    assert "whole on spark-01; partial on spark-02; not known on spark-04" in line


def test_the_shipped_catalogue_is_judged_whole() -> None:
    from ansible_collections.dgxspark.sglang.plugins.action.sglang_plan import load_catalogue

    models, images, tables = load_catalogue(CATALOGUE)
    asking = request(2, models=models, images=images, tables=tables)
    empty = inventory(len(asked(asking)), {})
    here = {node: Seen(probe_result(memory=FREE), empty) for node in ("spark-01", "spark-02")}
    found, remarks = offer(asking, here)
    verdicts = {row.name: (row.fits, row.ranks, row.nearest) for row in found}
    assert (len(found), remarks) == (len(models), [])
    assert verdicts["gpt-oss-120b"] == ("yes", 2, "")
    assert verdicts["glm47"] == ("no", 0, "glm-4.5-air-fp8, perhaps")

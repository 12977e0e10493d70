# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.fleet._summary import (
    BACK,
    DOWN,
    LEFT,
    UNKNOWN,
    Outcome,
    Report,
    intention,
    outcome,
    summary,
)
from ansible_collections.dgxspark.sglang.plugins.module_utils.fleet._waves import (
    Change,
    Cluster,
    Settings,
    plan,
)

IMAGE = Change("tiny", "tiny", "another image")
CLUSTERS = (
    Cluster("alpha", ("a1",), IMAGE),
    Cluster("beta", ("b1", "b2"), IMAGE),
    Cluster("gamma", ("c1",), Change("tiny", "tiny")),
    Cluster("omega", ("o1",), Change("", "huge", "nothing runs")),
)
ROLLOUT = plan(CLUSTERS, Settings())
BROKEN = "It broke.\n  Next step: mend it."
LOST = "b2 was lost on the way: it can't be reached, or failed outside of the bring-up."
NONE = (Report("b1"), Report("b2"))


def failed(reason: str, serves: str, seconds: int = 60) -> Outcome:
    return Outcome("beta", "1", "failed", seconds, reason, serves)


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        pytest.param(
            (Report("b1", 100, 160), Report("b2", 101, 150)), Outcome("beta", "1", "changed", 60), id="every node ended"
        ),
        pytest.param(NONE, Outcome("beta", "1", "not reached"), id="nobody began"),
        pytest.param(
            (Report("b1", 100, 160, BROKEN, BACK, "tiny"), Report("b2", 100, 160, BROKEN, BACK, "tiny")),
            failed(BROKEN, "back to tiny as it was"),
            id="back to what was good",
        ),
        pytest.param(
            (Report("b1", 100, 160, BROKEN, DOWN), Report("b2", 100, 160, BROKEN, DOWN)),
            failed(BROKEN, "nothing serves now"),
            id="nothing to go back to",
        ),
        pytest.param(
            (Report("b1", 100, 160, BROKEN, BACK, "tiny"), Report("b2", 100, 160, BROKEN, DOWN)),
            failed(BROKEN, "nothing serves now"),
            id="the worse of two words",
        ),
        pytest.param(
            (Report("b1", 100, 160, BROKEN), Report("b2", 100, 160, BROKEN)),
            failed(BROKEN, "what served was left alone"),
            id="before anything was touched",
        ),
        pytest.param(
            (Report("b1", 100, 160, BROKEN, UNKNOWN), Report("b2", 100, 160, BROKEN, LEFT)),
            failed(BROKEN, "see status.yml for what serves"),
            id="after it passed",
        ),
        pytest.param(
            (Report("b1", 100, 160, "See b2."), Report("b2", 100, 160, BROKEN)),
            failed(BROKEN, "what served was left alone"),
            id="who points to another is not believed",
        ),
        pytest.param(
            (Report("b1", 100, 160, "b2 is gone."), Report("b2", 100)),
            failed(f"{LOST}\nb2 is gone.", "see status.yml for what serves"),
            id="one was lost, and the other saw it",
        ),
        pytest.param(
            (Report("b1", 100, 160), Report("b2", 100)),
            failed(LOST, "see status.yml for what serves"),
            id="one was lost, and the other did not see it",
        ),
        pytest.param(
            (Report("b1", 100), Report("b2", 100)),
            failed(LOST.replace("b2", "b1, b2"), "see status.yml for what serves", seconds=0),
            id="all were lost",
        ),
    ],
)
def test_what_became_of_a_cluster(reports: tuple[Report, ...], expected: Outcome) -> None:
    assert outcome(ROLLOUT, CLUSTERS[1], reports) == expected


def test_what_became_of_a_cluster_that_was_in_no_wave() -> None:
    refused = Cluster("beta", ("b1",), Change(refused=BROKEN))
    rollout = plan((CLUSTERS[2], refused), Settings())
    assert outcome(rollout, CLUSTERS[2], [Report("c1")]) == Outcome("gamma", "", "unchanged")
    assert outcome(rollout, refused, []) == Outcome("beta", "", "refused", reason=BROKEN)


def test_the_intention() -> None:
    assert intention(ROLLOUT) == (
        "CLUSTER  WAVE    NODES  RUNS  WANTED  WHY\n"
        "alpha    canary  1      tiny  tiny    another image\n"
        "beta     1       2      tiny  tiny    another image\n"
        "omega    2       1      -     huge    nothing runs\n"
        "gamma    -       1      tiny  tiny    nothing to do"
    )


@pytest.mark.parametrize(
    ("failures", "last"),
    [
        (0, ["No wave is begun: 1 cluster(s) failed or were refused, and rollout_failures is 0."]),
        (1, []),
    ],
)
def test_the_intention_tells_what_is_refused(failures: int, last: list[str]) -> None:
    clusters = (CLUSTERS[0], Cluster("beta", ("b1", "b2"), Change(refused=BROKEN)))
    assert intention(plan(clusters, Settings(failures=failures))).splitlines() == [
        "CLUSTER  WAVE    NODES  RUNS  WANTED  WHY",
        "alpha    canary  1      tiny  tiny    another image",
        "beta     -       2      -     -       refused",
        "beta: It broke.",
        "    Next step: mend it.",
        *last,
    ]


def test_the_summary() -> None:
    outcomes = [
        Outcome("alpha", "canary", "changed", 312),
        Outcome("beta", "1", "failed", 733, BROKEN, "back to tiny as it was"),
        Outcome("omega", "2", "not reached"),
        Outcome("gamma", "", "unchanged"),
    ]
    assert summary(ROLLOUT, outcomes) == (
        "CLUSTER  WAVE    OUTCOME                         TOOK\n"
        "alpha    canary  changed                         5 min 12 s\n"
        "beta     1       failed, back to tiny as it was  12 min 13 s\n"
        "omega    2       not reached                     -\n"
        "gamma    -       unchanged                       -\n"
        "beta: It broke.\n"
        "    Next step: mend it.\n"
        "Not reached, since 1 cluster(s) failed or were refused, and rollout_failures is 0: omega."
        " The next run goes on there."
    )


def test_in_check_mode_nothing_has_changed() -> None:
    assert summary(ROLLOUT, [Outcome("alpha", "canary", "changed", 1)], check=True).splitlines()[1:] == [
        "alpha    canary  would change  1 s"
    ]

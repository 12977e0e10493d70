# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._container import LABEL, Observed
from ansible_collections.dgxspark.sglang.plugins.module_utils.server._gate import (
    FAILED,
    PASSED,
    WAITING,
    Answers,
    Expectation,
    Report,
    Verdict,
    judge_answers,
    judge_container,
    judge_moe,
    judge_transport,
    judge_worker,
    root_cause,
    story,
    suspect,
)
from ansible_collections.dgxspark.sglang.tests.unit.builders import IMAGE_ID, LOGS, OTHER_ID

START, LATER = "2026-11-21T02:03:04.5Z", "2026-11-21T02:05:00Z"
RAILS = ("rocep1s0f1", "roceP2p1s0f1")
EXPECTED = Expectation(
    name="sglang",
    rank=1,
    nnodes=2,
    generation="gggg",
    image_id=IMAGE_ID,
    started_at=START,
    served_model_name="tiny",
    model_path="/models/tiny-1b",
    tp_size=2,
    sglang="0.5.23",
    rails=RAILS,
)
RUNNING = Observed(
    "8f2c7d1e9a0b", "{}", "running", IMAGE_ID, START, labels={LABEL + "generation": "gggg", LABEL + "name": "sglang"}
)
ENDED = replace(RUNNING, status="exited", exit_code=1, finished_at=LATER)
INFO = {"model_path": "/models/tiny-1b", "tp_size": 2, "version": "0.5.23"}
GOOD = Answers(200, ("tiny",), INFO, 4)


def test_the_container_that_was_started_and_runs_is_no_failure() -> None:
    assert judge_container(EXPECTED, RUNNING, []) is None


@pytest.mark.parametrize(
    ("found", "log", "reason", "hint"),
    [
        pytest.param(None, [], "container sglang is gone.", "somebody removed it; run the play again.", id="gone"),
        pytest.param(
            ENDED,
            ["what?"],
            "rank 1 ended (exit code 1).",
            "read its log: docker logs sglang",
            id="ended without a known word",
        ),
        pytest.param(
            ENDED,
            ["torch.OutOfMemoryError: CUDA out of memory."],
            "rank 1 ended (exit code 1). The GPU's share of the unified memory is too small for weights and KV cache."
            " Everything on the node counts against the same 121 GiB, other servers and the desktop included.",
            "lower context_length or max_running_requests, stop other instances, or use more nodes."
            " See docs/troubleshooting.md#out-of-memory.",
            id="ended with a known word",
        ),
        pytest.param(
            replace(ENDED, exit_code=137, oom_killed=True),
            [],
            "rank 1 was killed for lack of memory. The kernel killed it for lack of memory. GPU and system share one"
            " memory: weights, KV cache, page cache and everybody else's processes add up.",
            "lower mem_fraction_static or context_length; stop what else runs on the node."
            " See docs/troubleshooting.md#oom-kill.",
            id="killed by the kernel",
        ),
        pytest.param(
            replace(RUNNING, started_at=LATER),
            [],
            "rank 1 ended, and Docker started it again.",
            "read its log: docker logs sglang",
            id="started again",
        ),
        pytest.param(
            replace(ENDED, status="restarting"),
            [],
            "rank 1 ended, and Docker started it again.",
            "read its log: docker logs sglang",
            id="about to be started again",
        ),
        pytest.param(
            replace(RUNNING, labels={LABEL + "generation": "other"}),
            [],
            "container sglang is of generation other, needed is gggg.",
            "somebody else deployed here meanwhile; run the play again.",
            id="another generation",
        ),
        pytest.param(
            replace(RUNNING, image_id=OTHER_ID),
            [],
            f"it runs image {OTHER_ID}, needed is {IMAGE_ID}.",
            "run the play again.",
            id="another image",
        ),
    ],
)
def test_a_rank_that_is_not_the_one_we_started_and_left_running_has_failed(
    found: Observed | None, log: list[str], reason: str, hint: str
) -> None:
    verdict = judge_container(EXPECTED, found, log)
    assert verdict == Verdict(FAILED, "container", reason, hint, tuple(log))


def test_a_rank_that_ended_because_of_another_one_says_so() -> None:
    verdict = judge_container(EXPECTED, ENDED, ["RuntimeError: Connection reset by peer"])
    assert verdict is not None
    assert (verdict.state, verdict.echo) == (FAILED, True)


SPANS = "[2026-11-21 02:18:28 TP0] Custom allreduce is disabled because this process group spans across nodes."


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        pytest.param(
            ["[2026-11-21 02:18:28] Load weight begin."],
            Verdict(WAITING, "health", "503", evidence=("[2026-11-21 02:18:28] Load weight begin.",)),
            id="nothing to suspect",
        ),
        pytest.param(
            [SPANS],
            Verdict(
                WAITING,
                "health",
                "503. After NCCL had come up, the ranks waited for each other's messages and never got any. A rank"
                " announced an address that the others can't reach (SGLANG_HOST_IP), or a firewall.",
                "leave SGLANG_HOST_IP to site.yml (look in server_env), and open TCP between the rails."
                " See docs/troubleshooting.md#no-meeting.",
                (SPANS,),
                True,
            ),
            id="the last line before silence",
        ),
    ],
)
def test_a_rank_that_waits_tells_what_its_last_words_would_mean(log: list[str], expected: Verdict) -> None:
    assert suspect(Verdict(WAITING, "health", "503"), log) == expected


@pytest.mark.parametrize("state", [PASSED, FAILED])
def test_who_does_not_wait_is_not_suspected(state: str) -> None:
    assert suspect(Verdict(state, "moe", "reason"), [SPANS]) == Verdict(state, "moe", "reason")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param(Answers(), Verdict(WAITING, "health", "/health answers nothing"), id="1 refused"),
        pytest.param(Answers(503), Verdict(WAITING, "health", "/health answers 503"), id="1 loading"),
        pytest.param(
            Answers(200, error="/v1/models answers 401"),
            Verdict(WAITING, "identity", "/v1/models answers 401"),
            id="2 no list of models",
        ),
        pytest.param(Answers(200, ("tiny",)), Verdict(WAITING, "identity", "no answer yet"), id="2 no server info"),
        pytest.param(
            replace(GOOD, models=("big", "bigger")),
            Verdict(
                FAILED,
                "identity",
                "/v1/models lists big, bigger, needed is tiny.",
                "another server answers on this port, or the launch arguments name another model.",
            ),
            id="3 another model name",
        ),
        pytest.param(
            replace(GOOD, models=()),
            Verdict(
                FAILED,
                "identity",
                "/v1/models lists nothing, needed is tiny.",
                "another server answers on this port, or the launch arguments name another model.",
            ),
            id="3 no model",
        ),
        pytest.param(
            replace(GOOD, info={**INFO, "model_path": "/models/big", "tp_size": 1}),
            Verdict(
                FAILED,
                "identity",
                "the server says: model_path is '/models/big', needed is '/models/tiny-1b'; tp_size is 1, needed is 2.",
                "another server answers on this port.",
            ),
            id="4 another path and TP",
        ),
        pytest.param(
            replace(GOOD, info={**INFO, "version": "0.5.4.post2"}),
            Verdict(
                FAILED,
                "identity",
                "the server says: version is '0.5.4.post2', needed is '0.5.23'.",
                "another server answers on this port.",
            ),
            id="4 another version",
        ),
        pytest.param(
            replace(GOOD, completion_tokens=None, error="/v1/completions answers 500"),
            Verdict(WAITING, "generation", "/v1/completions answers 500"),
            id="5 no generation",
        ),
        pytest.param(
            replace(GOOD, completion_tokens=0),
            Verdict(FAILED, "generation", "the server answered without generating a token.", "read its log."),
            id="6 an empty generation",
        ),
        pytest.param(GOOD, Verdict(PASSED), id="7 passed"),
    ],
)
def test_the_api_is_judged_step_by_step(answers: Answers, expected: Verdict) -> None:
    assert judge_answers(EXPECTED, answers) == expected


CERTIFICATE, LOOK = "5d" * 32, "look for SSL in its log: docker logs sglang"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param(CERTIFICATE, Verdict(PASSED), id="the one that was given"),
        pytest.param(
            "ab" * 32,
            Verdict(
                WAITING,
                "certificate",
                "the API shows certificate abababababababab, needed is 5d5d5d5d5d5d5d5d (SHA-256)",
                LOOK,
            ),
            id="the one before",
        ),
        pytest.param(
            "",
            Verdict(
                WAITING, "certificate", "the API shows certificate none, needed is 5d5d5d5d5d5d5d5d (SHA-256)", LOOK
            ),
            id="none",
        ),
    ],
)
def test_a_renewed_certificate_has_to_be_shown(shown: str, expected: Verdict) -> None:
    assert judge_answers(replace(EXPECTED, certificate=CERTIFICATE), replace(GOOD, certificate=shown)) == expected


def test_any_version_will_do_when_none_is_expected() -> None:
    assert judge_answers(replace(EXPECTED, sglang=""), replace(GOOD, info={**INFO, "version": "x"})) == Verdict(PASSED)


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        (200, Verdict(PASSED)),
        (0, Verdict(WAITING, "container", "rank 1 has not loaded yet")),
        (503, Verdict(WAITING, "container", "rank 1 has not loaded yet")),
    ],
)
def test_a_worker_s_dummy_health_says_that_it_has_loaded(health: int, expected: Verdict) -> None:
    assert judge_worker(EXPECTED, health) == expected


# NCCL's own words at NCCL_DEBUG=INFO, with the device names of a Spark.
USING = "spark-02:7:7 [0] NCCL INFO NET/IB : Using [0]rocep1s0f1:1/RoCE [1]roceP2p1s0f1:1/RoCE [RO]; OOB enp1s0f1np1"
CHANNEL = "spark-02:7:9 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[0] [receive] via NET/IB/0"
ONE_RAIL = "spark-02:7:7 [0] NCCL INFO NET/IB : Using [0]rocep1s0f1:1/RoCE [RO]; OOB enp1s0f1np1:192.168.100.12<0>"
SOCKET = "spark-02:7:9 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[0] [receive] via NET/Socket/0"
NETWORK_SOCKET = "spark-02:7:7 [0] NCCL INFO Using network Socket"
BOOTSTRAP = "spark-02:7:7 [0] NCCL INFO Bootstrap: Using enp1s0f1np1:192.168.100.12<0>"
SOCKETS = Verdict(
    FAILED,
    "transport",
    "NCCL uses sockets, not RDMA (NET/Socket in its log).",
    "check /dev/infiniband in the container and the rails; or ask for sockets with server_transport: socket.",
)
CABLE = "check the rail's cable and link (ibdev2netdev, ethtool)."
BEGIN = "[2026-11-21 02:03:30] server_args=ServerArgs(model_path='/models/tiny-1b', tp_size=2)"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        pytest.param([BOOTSTRAP, USING, CHANNEL], Verdict(PASSED), id="RDMA on both rails"),
        pytest.param([USING, SOCKET], SOCKETS, id="a channel over sockets"),
        pytest.param([BOOTSTRAP, NETWORK_SOCKET], SOCKETS, id="sockets altogether"),
        pytest.param(
            [BOOTSTRAP], Verdict(FAILED, "transport", "NCCL's log has no NET/IB line.", CABLE), id="not a word of RDMA"
        ),
        pytest.param(
            [ONE_RAIL],
            Verdict(
                FAILED,
                "transport",
                "NCCL's log does not name roceP2p1s0f1.",
                CABLE,
                (ONE_RAIL.partition("INFO ")[2],),
            ),
            id="one rail of two",
        ),
    ],
)
def test_ranks_with_rails_must_talk_rdma_on_all_of_them(log: list[str], expected: Verdict) -> None:
    assert judge_transport(EXPECTED, [BEGIN, *log]) == expected


@pytest.mark.parametrize(
    "log", [[], [BOOTSTRAP], [SOCKET], [ONE_RAIL]], ids=["empty", "no RDMA", "sockets", "one rail"]
)
def test_a_log_whose_beginning_was_rotated_away_proves_nothing(log: list[str]) -> None:
    assert judge_transport(EXPECTED, log) == Verdict(PASSED)


@pytest.mark.parametrize(
    "name", ["0.5.23-tp2-rank0", "0.5.23-tp2-rank1", "0.5.4.post2-tp2-rank0", "0.5.4.post2-tp2-rank1"]
)
def test_the_beginning_is_known_in_the_log_of_every_rank_and_version(name: str) -> None:
    """These ran over sockets of one machine, so that NCCL had no word of RDMA."""
    log = (LOGS / f"{name}.log").read_text(encoding="utf-8").splitlines()
    assert judge_transport(EXPECTED, log) == Verdict(FAILED, "transport", "NCCL's log has no NET/IB line.", CABLE)


MOE = "E=160,N=384,device_name=NVIDIA_GB10,dtype=fp8_w8a8.json"
# The wording of both versions, from fused_moe_triton_config.py.
TAKEN = f"Using MoE kernel config from /moe_configs/configs/triton_3_6_0/{MOE}."
ELSEWHERE = (
    "Using default MoE kernel config. Performance might be sub-optimal! Config file not found at"
    " /moe_configs/configs/triton_3_6_0/E=161,N=384,device_name=NVIDIA_GB10.json, you can create it"
)


@pytest.mark.parametrize(
    ("files", "log", "state"),
    [
        pytest.param((MOE,), [BEGIN, TAKEN], PASSED, id="used"),
        pytest.param((MOE,), [BEGIN, ELSEWHERE], FAILED, id="another was looked for"),
        pytest.param((MOE,), [BEGIN], PASSED, id="silent"),
        pytest.param((), [BEGIN, ELSEWHERE], PASSED, id="none was installed"),
    ],
)
def test_a_rank_that_looks_for_other_configs_does_not_pass(files: tuple[str, ...], log: list[str], state: str) -> None:
    verdict = judge_moe(replace(EXPECTED, moe_files=files), log)
    assert verdict.state == state
    assert (verdict.step, "E=161,N=384" in verdict.reason) == (("moe", True) if state == FAILED else ("", False))


@pytest.mark.parametrize("change", [{"nnodes": 1}, {"rails": ()}], ids=["a lone rank", "sockets were asked for"])
def test_without_rails_there_is_no_transport_to_judge(change: dict[str, t.Any]) -> None:
    assert judge_transport(replace(EXPECTED, **change), [BEGIN, SOCKET]) == Verdict(PASSED)


def failed(rank: int, finished_at: str = "", step: str = "container", **more: t.Any) -> Report:
    return Report(f"spark-0{rank + 1}", rank, FAILED, step, f"reason {rank}", f"hint {rank}", (), finished_at, **more)


def passed(rank: int) -> Report:
    return Report(f"spark-0{rank + 1}", rank, PASSED)


@pytest.mark.parametrize(
    ("reports", "rank"),
    [
        pytest.param([failed(0, LATER), failed(1, START)], 1, id="the first death"),
        pytest.param([failed(0), failed(1, LATER)], 1, id="a death before a fault of a rank that runs"),
        pytest.param([failed(0), failed(1)], 0, id="the lowest rank when nobody died"),
        pytest.param([failed(0, START, step=""), failed(1, LATER)], 0, id="a death without a step of its own"),
        pytest.param([failed(0, step="health"), failed(1, START)], 1, id="who waited in vain is no cause"),
        pytest.param([failed(0, step="health"), failed(1, step="")], 0, id="nobody ended, one without a step"),
        pytest.param([failed(1, START), failed(0, START)], 0, id="the lowest rank of two deaths at once"),
        pytest.param([passed(0), failed(1)], 1, id="the only one"),
        pytest.param(
            [failed(0, "0001-01-01T00:00:00Z", step="identity"), failed(1, LATER)],
            1,
            id="Docker's zero time is no death",
        ),
        pytest.param([failed(0, START, echo=True), failed(1, LATER)], 1, id="an echo is no cause, whatever the clocks"),
        pytest.param([failed(0, START, echo=True), failed(1)], 1, id="an echo is no cause of a rank that runs"),
        pytest.param([failed(0, LATER, echo=True), failed(1, START, echo=True)], 1, id="the first of two echoes"),
    ],
)
def test_the_cause_is_the_failure_that_came_first(reports: list[Report], rank: int) -> None:
    cause = root_cause(reports)
    assert cause is not None
    assert cause.rank == rank


def test_without_a_failure_there_is_no_cause() -> None:
    assert root_cause([passed(0), Report("spark-02", 1, WAITING, "health", "503")]) is None


NAMES = ["spark-01", "spark-02"]


def test_the_story_of_a_success_is_short() -> None:
    assert story([passed(0), passed(1)], NAMES) == (True, "")


def test_the_story_of_a_failure_names_step_node_rank_reason_last_words_and_next_step() -> None:
    cause = replace(failed(1, START), log_tail=("one", "two"))
    assert story([failed(0, LATER), cause], NAMES) == (
        False,
        "Gate failed at step 'container' on spark-02 (rank 1): reason 1\n"
        "Last words of spark-02:\n  one\n  two\n"
        "  Next step: hint 1",
    )


def test_a_failure_without_last_words_and_hint_ends_with_its_reason() -> None:
    cause = replace(failed(1), hint="")
    assert story([passed(0), cause], NAMES) == (
        False,
        "Gate failed at step 'container' on spark-02 (rank 1): reason 1",
    )


def test_a_node_without_a_report_is_no_success() -> None:
    assert story([passed(0)], NAMES) == (False, "Gate not passed. No report from spark-02.")


def test_no_report_at_all_is_no_success() -> None:
    assert story([], NAMES) == (False, "Gate not passed. No report from spark-01, spark-02.")


def test_a_rank_that_still_waits_is_no_success() -> None:
    waiting = Report("spark-02", 1, WAITING, "health", "/health answers 503")
    assert story([passed(0), waiting], NAMES) == (
        False,
        "Gate not passed. No report from nobody. spark-02: /health answers 503",
    )


@pytest.mark.parametrize("head_ended", ["2026-11-21T02:19:30.9Z", "2026-11-21T02:19:20Z"], ids=["as it was", "skew"])
def test_the_real_death_of_a_worker_is_told_as_the_cause_of_the_head_s(head_ended: str) -> None:
    """SGLang 0.5.23: the worker was killed; a second later the head ended with a broken connection."""

    def verdict(rank: int, name: str, finished_at: str) -> Report:
        log = (LOGS / f"{name}.log").read_text(encoding="utf-8").splitlines()[-25:]
        ended = replace(RUNNING, status="exited", exit_code=137, finished_at=finished_at)
        found = judge_container(replace(EXPECTED, rank=rank), ended, log)
        assert found is not None
        told = (found.state, found.step, found.reason, found.hint, (), finished_at, found.echo)
        return Report(f"spark-0{rank + 1}", rank, *told)

    head = verdict(0, "0.5.23-kill-loading-rank0", head_ended)
    worker = verdict(1, "0.5.23-kill-loading-rank1", "2026-11-21T02:19:29.6Z")
    assert head.reason == (
        "rank 0 ended (exit code 137). Another rank went away; this one can't go on without it."
        " A rank that ends takes the others along; its own log has the reason."
    )
    assert story([head, worker], NAMES) == (
        False,
        "Gate failed at step 'container' on spark-02 (rank 1): rank 1 ended (exit code 137). It was killed from outside"
        " (SIGKILL), without a word of its own. The kernel's out-of-memory killer, earlyoom, or a person with docker"
        " kill.\n"
        "  Next step: look for the out-of-memory killer in `journalctl -k`, for earlyoom, and for people with docker"
        " kill. See docs/troubleshooting.md#killed.",
    )

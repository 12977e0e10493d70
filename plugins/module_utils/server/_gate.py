# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate: the ordered checks that a cluster passes before it counts as serving.

Each rank is looked at on its own node; the verdicts of all ranks together are the cluster's. A model name in an answer
proves nothing (SGLang echoes whatever was asked), so identity comes from our container and the server's own info.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from ..diagnosis._match import diagnose
from ..moe import _log as moe_log
from ._container import Observed

WAITING, PASSED, FAILED = "waiting", "passed", "failed"
# The step of a rank that could not be looked at: nothing is known of it.
UNREACHABLE = "unreachable"

_NET_IB = re.compile(r"NET/IB[^\n]*")
_NET_SOCKET = re.compile(r"via NET/Socket|Using network Socket")


@dataclass(frozen=True)
class Expectation:
    """What the plan promised of one rank. `started_at` is the start that the gate waits for; a later one is a death.
    `certificate`: SHA-256 of what the API must show; empty without TLS, and where the node alone knows it."""

    name: str
    rank: int
    nnodes: int
    generation: str
    image_id: str
    started_at: str
    served_model_name: str
    model_path: str
    tp_size: int
    sglang: str
    rails: tuple[str, ...] = ()
    moe_files: tuple[str, ...] = ()
    certificate: str = ""


@dataclass(frozen=True)
class Answers:
    """What the API of rank 0 answered: HTTP status (0: refused or no answer yet) and bodies, as far as it was asked."""

    health: int = 0
    models: tuple[str, ...] | None = None
    info: t.Mapping[str, t.Any] | None = None
    completion_tokens: int | None = None
    error: str = ""
    certificate: str = ""


@dataclass(frozen=True)
class Verdict:
    """waiting, passed, or failed at `step` for `reason`. `echo`: another rank's failure can be behind it."""

    state: str
    step: str = ""
    reason: str = ""
    hint: str = ""
    evidence: tuple[str, ...] = field(default_factory=tuple)
    echo: bool = False


def ended(expected: Expectation, found: Observed) -> bool:
    """Whether the start that the gate waits for is over, even if Docker has begun another one."""
    return not found.running or found.started_at != expected.started_at


def judge_container(expected: Expectation, found: Observed | None, log: t.Sequence[str]) -> Verdict | None:
    """Return a failure when the rank is not the one that we started and left running; None when it is."""
    if found is None:
        return Verdict(
            FAILED, "container", f"container {expected.name} is gone.", "somebody removed it; run the play again."
        )
    if ended(expected, found):
        why = "was killed for lack of memory" if found.oom_killed else f"ended (exit code {found.exit_code})"
        if found.running or found.status == "restarting":
            why = "ended, and Docker started it again"
        reason, diagnosis = f"rank {expected.rank} {why}.", diagnose(log, found.exit_code, found.oom_killed)
        if diagnosis is None:
            return Verdict(FAILED, "container", reason, f"read its log: docker logs {expected.name}", tuple(log))
        told = f"{reason} {diagnosis.why}"
        return Verdict(FAILED, "container", told, diagnosis.hint, tuple(log), diagnosis.echo)
    if found.generation != expected.generation:
        return Verdict(
            FAILED,
            "container",
            f"container {expected.name} is of generation {found.generation}, needed is {expected.generation}.",
            "somebody else deployed here meanwhile; run the play again.",
        )
    if found.image_id != expected.image_id:
        return Verdict(
            FAILED,
            "container",
            f"it runs image {found.image_id}, needed is {expected.image_id}.",
            "run the play again.",
        )
    return None


def judge_answers(expected: Expectation, answers: Answers) -> Verdict:
    """Return the verdict on rank 0's API: health, then identity, then one real generation."""
    if answers.health != 200:
        return Verdict(WAITING, "health", f"/health answers {answers.health or 'nothing'}")
    # A renewed one is taken within a second by a server that goes on serving.
    if expected.certificate and answers.certificate != expected.certificate:
        shown = f"the API shows certificate {answers.certificate[:16] or 'none'}"
        told = f"{shown}, needed is {expected.certificate[:16]} (SHA-256)"
        return Verdict(WAITING, "certificate", told, f"look for SSL in its log: docker logs {expected.name}")
    if answers.models is None or answers.info is None:
        return Verdict(WAITING, "identity", answers.error or "no answer yet")
    if expected.served_model_name not in answers.models:
        return Verdict(
            FAILED,
            "identity",
            f"/v1/models lists {', '.join(answers.models) or 'nothing'}, needed is {expected.served_model_name}.",
            "another server answers on this port, or the launch arguments name another model.",
        )
    wanted = {"model_path": expected.model_path, "tp_size": expected.tp_size, "version": expected.sglang}
    wrong = [
        f"{key} is {answers.info.get(key)!r}, needed is {value!r}"
        for key, value in wanted.items()
        if value and answers.info.get(key) != value
    ]
    if wrong:
        return Verdict(
            FAILED, "identity", f"the server says: {'; '.join(wrong)}.", "another server answers on this port."
        )
    if answers.completion_tokens is None:
        return Verdict(WAITING, "generation", answers.error or "no answer yet")
    if answers.completion_tokens < 1:
        return Verdict(FAILED, "generation", "the server answered without generating a token.", "read its log.")
    return Verdict(PASSED)


def judge_worker(expected: Expectation, health: int) -> Verdict:
    """Return the verdict on another rank. Its /health is a dummy: it says that the rank has loaded, and no more."""
    if health == 200:
        return Verdict(PASSED)
    return Verdict(WAITING, "container", f"rank {expected.rank} has not loaded yet")


def judge_transport(expected: Expectation, log: t.Iterable[str]) -> Verdict:
    """Return the verdict on how NCCL talks: RDMA on the chosen rails, not sockets. Nothing to judge without rails."""
    if expected.nnodes < 2 or not expected.rails:
        return Verdict(PASSED)
    text = "\n".join(log)
    if "server_args=" not in text:  # the start's lines were rotated away; it was judged when it started
        return Verdict(PASSED)
    if _NET_SOCKET.search(text):
        return Verdict(
            FAILED,
            "transport",
            "NCCL uses sockets, not RDMA (NET/Socket in its log).",
            "check /dev/infiniband in the container and the rails; or ask for sockets with server_transport: socket.",
        )
    lines = _NET_IB.findall(text)
    unused = [rail for rail in expected.rails if not any(rail in line for line in lines)]
    if not lines or unused:
        what = f"NCCL's log does not name {', '.join(unused)}" if lines else "NCCL's log has no NET/IB line"
        return Verdict(
            FAILED,
            "transport",
            f"{what}.",
            "check the rail's cable and link (ibdev2netdev, ethtool).",
            tuple(lines[:4]),
        )
    return Verdict(PASSED)


def judge_moe(expected: Expectation, log: t.Iterable[str]) -> Verdict:
    """Return the verdict on the MoE configs: a rank that says that it looked for others serves with slow defaults.

    A silent log is no failure: a start's lines may be rotated away, and on a CPU no kernel of Triton's runs.
    """
    if not expected.moe_files:
        return Verdict(PASSED)
    found = moe_log.usage(log, expected.moe_files)
    if found.state == moe_log.DEFAULT:
        return Verdict(FAILED, "moe", found.reason, found.hint, found.evidence)
    return Verdict(PASSED)


def suspect(verdict: Verdict, log: t.Sequence[str]) -> Verdict:
    """Return a verdict that waits with its last words and what they mean: some ranks hang and never end."""
    if verdict.state != WAITING:
        return verdict
    diagnosis = diagnose(log)
    if diagnosis is None:
        return replace(verdict, evidence=tuple(log))
    told = f"{verdict.reason}. {diagnosis.why}"
    return replace(verdict, reason=told, hint=diagnosis.hint, evidence=tuple(log), echo=diagnosis.echo)


@dataclass(frozen=True)
class Report:
    """One rank's part of the cluster's verdict, on the controller. `finished_at`: when its container ended."""

    node: str
    rank: int
    state: str
    step: str = ""
    reason: str = ""
    hint: str = ""
    log_tail: tuple[str, ...] = ()
    finished_at: str = ""
    echo: bool = False


def root_cause(reports: t.Iterable[Report]) -> Report | None:
    """Return the failure that came first: the death of one rank takes the others along, and theirs is only an echo."""
    failed = [report for report in reports if report.state == FAILED]

    def order(report: Report) -> tuple[bool, str, int]:
        # The nodes' clocks may differ, so an echo is none before any cause, whenever it came. Docker's time for "never"
        # is in the year 1. A rank that ended comes before one that was waited for in vain.
        return report.echo, report.finished_at if report.finished_at > "0002" else "9999", report.rank

    return min(failed, key=order, default=None)


def story(reports: t.Sequence[Report], names: t.Iterable[str]) -> tuple[bool, str]:
    """Return whether every rank of the nodes `names` passed, and if not, which failed, where, why and what to do."""
    silent = sorted(set(names) - {report.node for report in reports})
    cause = root_cause(reports)
    if cause is None and not silent and all(report.state == PASSED for report in reports):
        return True, ""
    if cause is None:
        waiting = ", ".join(f"{report.node}: {report.reason}" for report in reports if report.state != PASSED)
        return False, f"Gate not passed. No report from {', '.join(silent) or 'nobody'}. {waiting}".rstrip()
    tail = "\n".join(f"  {line}" for line in cause.log_tail)
    return False, (
        f"Gate failed at step {cause.step!r} on {cause.node} (rank {cause.rank}): {cause.reason}\n"
        + (f"Last words of {cause.node}:\n{tail}\n" if tail else "")
        + (f"  Next step: {cause.hint}" if cause.hint else "")
    ).rstrip()

# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils.diagnosis import _match as table
from ansible_collections.dgxspark.sglang.plugins.module_utils.diagnosis._entry import (
    ANY_TIME,
    MOMENTS,
    SERVING,
    Diagnosis,
    Entry,
)
from ansible_collections.dgxspark.sglang.plugins.module_utils.diagnosis._match import candidates, diagnose
from ansible_collections.dgxspark.sglang.plugins.module_utils.server import _phases
from ansible_collections.dgxspark.sglang.tests.unit.builders import LOGS

TAIL = 25  # what the gate keeps of a log
REPORTED = sorted(path.stem.removeprefix("reported-") for path in LOGS.glob("reported-*.log"))
HEALTHY = [
    "0.5.23-tp1-rank0",
    "0.5.23-tp2-rank0",
    "0.5.23-tp2-rank1",
    "0.5.4.post2-tp1-rank0",
    "0.5.4.post2-tp2-rank0",
    "0.5.4.post2-tp2-rank1",
    "0.5.4.post2-missing-shard-rank0",  # this version serves what it has
]
OWN = {  # the real server in the lab
    ("0.5.23-fp8-rank0", 2): "unknown-flag",
    ("0.5.4.post2-fp8-rank0", 2): "unknown-flag",
    ("0.5.23-missing-model-rank0", 1): "model-path",
    ("0.5.4.post2-missing-model-rank0", 1): "model-path",
    ("0.5.23-missing-shard-rank0", 137): "missing-shard",
    ("0.5.23-kill-loading-rank0", 137): "peer-lost",
    ("0.5.23-kill-serving-rank0", 137): "peer-lost",
    ("0.5.4.post2-kill-loading-rank0", 137): "peer-lost",
    ("0.5.4.post2-kill-serving-rank0", 137): "peer-lost",
    ("0.5.23-kill-loading-rank1", 137): "killed",
}
# Texts of the sources of SGLang (0.5.4.post2, 0.5.23), of argparse, PyTorch, NCCL and Transformers; and of reports that
# are no longer than this.
PUBLISHED = [
    ("launch_server.py: error: unrecognized arguments: --schedule-heuristic 0.3", "unknown-flag"),
    (
        "launch_server.py: error: ambiguous option: --cuda-graph-max-bs could match --cuda-graph-max-bs-decode",
        "unknown-flag",
    ),
    ("error: argument --tp-size/--tensor-parallel-size: invalid int value: 'two'", "unknown-flag"),
    ("sglang serve: error: argument --reasoning-parser: invalid choice: 'glm60' ", "parser-unknown"),
    ("RuntimeError: The memory capacity is unbalanced. Some GPUs may be occupied", "unbalanced-memory"),
    ("ValueError: The memory capacity is unbalanced. Some GPUs may be occupied", "unbalanced-memory"),
    (
        "ValueError: Warning: User-specified context_length (262144) is greater than the derived"
        " context_length (40960). To allow overriding this maximum, set the env var",
        "context-too-long",
    ),
    (
        "ValueError: moe_intermediate_size 1408 must be divisible by moe_tp_size (3) which is tp_size (3) divided by"
        " moe_ep_size (1).",
        "not-divisible",
    ),
    (
        "ValueError: Weight output_partition_size = 192 is not divisible by weight quantization block_n = 128.",
        "not-divisible",
    ),
    (
        "ValueError: For quantized MoE models, please make sure (moe_intermediate_size=768 / moe_tp_size=4) %"
        " weight_block_size_n=128 == 0",
        "not-divisible",
    ),
    (
        "ValueError: Quantization method specified in the model config (modelopt_fp4) does not match the quantization"
        " method specified in the `quantization` argument (fp8).",
        "quantization-mismatch",
    ),
    ("ValueError: NewForCausalLM has no SGlang implementation and the Transformers", "unknown-architecture"),
    (
        "ValueError: The checkpoint you are trying to load has model type `glm5_next` but Transformers does not"
        " recognize this architecture.",
        "unknown-architecture",
    ),
    (
        "RuntimeError: Failed to load the tokenizer. If the tokenizer is a custom tokenizer not yet available",
        "remote-code",
    ),
    ("AssertionError: fa3, aiter, triton, or trtllm_mha is required for Llama4 model", "attention-backend"),
    ("AssertionError: FlashAttention v3 Backend requires SM>=80 and SM<=90.", "flash-attention"),
    ("Exception: Capture cuda graph failed: too many resources requested for launch", "graph-capture"),
    ("Exception: Capture prefill CUDA graph failed: operation not permitted when stream is capturing", "graph-capture"),
    ("Exception: Capture cuda graph failed: NCCL error: unhandled system error", "nccl"),
    (
        "Exception: Capture cuda graph failed: [../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed"
        " by peer [192.168.100.12]:35231",
        "peer-lost",
    ),
    ("ValueError: tokenizer_port at 30001 is not available in 30 seconds. tokenizer_port at 30001", "port-taken"),
    ("ERROR: [Errno 98] error while attempting to bind on address ('0.0.0.0', 1)", "port-taken"),
    ("[2026-11-21 02:18:28 TP0] Watchdog timeout (self.watchdog_timeout=300)", "watchdog"),
    ("huggingface_hub.errors.RepositoryNotFoundError: 401 Client Error. (Request ID: Root=1)", "model-path"),
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "out-of-memory"),
    ("enqueue.cc:1085 NCCL WARN Cuda failure 'out of memory'", "out-of-memory"),
    ("RuntimeError: Prefill out of memory. Try to lower your batch size.", "out-of-memory"),
    ("RuntimeError: The NVIDIA driver on your system is too old. CUDA driver version is insufficient", "driver"),
    ("RuntimeError: CUDART error: invalid device context", "context"),
    ("RuntimeError: [CUDART] cudaIpcOpenMemHandle: invalid device context", "context"),
    ("Cuda error /workspace/csrc/custom_all_reduce.cuh:143 'invalid resource handle'", "context"),
    ("RuntimeError: Assertion error (/w/csrc/apis/../../utils/layout.hpp:76): Unknown recipe", "deep-gemm"),
    ("ibvwrap.cc:309 NCCL WARN Call to ibv_reg_mr failed with error Cannot allocate memory", "registration"),
    ("bootstrap.cc:37 NCCL WARN Bootstrap : no socket interface found", "no-interface"),
    ("torch.distributed.DistNetworkError: The client socket has timed out after 600000ms", "head-missing"),
    ("torch.distributed.DistNetworkError: failed to recv, got 0 bytes", "peer-lost"),
    ("Error while deserializing header: MetadataIncompleteBuffer", "truncated-weights"),
    ("OSError: You are trying to access a gated repo.", "gated-repo"),
    ("requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: https://huggingface.co/x", "gated-repo"),
    ("huggingface_hub.errors.LocalEntryNotFoundError: outgoing traffic has been disabled.", "hub-offline"),
    ("Cannot find the requested files in the disk cache and outgoing traffic has been disabled.", "hub-offline"),
    ("ValueError: The repository contains custom code which must be executed to correctly load it.", "remote-code"),
    ("ValueError: The Transformers implementation of NewModel is not compatible with SGLang.", "unknown-architecture"),
    ("ValueError: Couldn't instantiate the backend tokenizer from one of:", "tokenizer"),
    ("ValueError: ModelOpt currently only supports: FP8, NVFP4 quantizations in sglang.", "quantization-mismatch"),
    ("RuntimeError: Found no NVIDIA driver on your system.", "no-cuda"),
    ("ImportError: libcuda.so.1: cannot open shared object file: No such file or directory", "no-cuda"),
    ("RuntimeError: No accelerator (CUDA, XPU, HPU, NPU, MUSA, MPS) is available.", "no-cuda"),
    ("RuntimeError: forward compatibility was attempted on non supported HW", "driver"),
    ("OSError: [Errno 122] Disk quota exceeded", "disk-full"),
    ("RuntimeError: engine_info_bootstrap_port 6789 is already in use.", "port-taken"),
    ("FileNotFoundError: [Errno 2] No such file or directory: 'ninja'", "nvcc-missing"),
    ("nvcc fatal   : Unsupported gpu architecture 'compute_121a'", "kernel-build"),
    ("RuntimeError: Unknown SF transformation", "deep-gemm"),
    ("ImportError: flash_attn at sgl-kernel is only supported on sm90 and above", "flash-attention"),
    ("torch.AcceleratorError: CUDA error: cudaErrorIllegalAddress", "illegal-access"),
    ("ProcessGroupNCCL's watchdog got stuck for 480 seconds without making progress", "collective-timeout"),
    ("ncclRemoteError: A call failed possibly due to a network error or a remote process exiting", "nccl"),
    ("IBV_WC_RETRY_EXC_ERR(12)", "rdma-lost"),
    ("NCCL WARN NET/IB : Got completion with error 12, opcode 0, len 0, vendor err 129", "rdma-lost"),
    ("NCCL WARN Mismatched NCCL version detected : rank 1 version 23004 rank 0 version 22809", "nccl-mismatch"),
    ("BrokenPipeError: [Errno 32] Broken pipe", "peer-lost"),
    ("OSError: We couldn't connect to 'https://huggingface.co' to load the files", "hub-offline"),
    ("ImportError: libnvrtc.so.12: cannot open shared object file: No such file or directory", "cuda-library"),
    ("AssertionError: One of the attention backends in ['fa3', 'triton'] is required for X, but", "attention-backend"),
    ("safetensors_rust.SafetensorError: Permission denied (os error 13)", "permission"),
    ("docker: Error response from daemon: unknown or invalid runtime name: nvidia.", "gpu-runtime"),
    ("nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown", "gpu-runtime"),
    ("RuntimeError: Rank 0 scheduler died during initialization (exit code: -9). If exit code is -9", "killed"),
    ("Subprocess scheduler_0 (pid=322) crashed with exit code -9. Triggering SIGQUIT for cleanup...", "killed"),
    ("KeyError: 'model.layers.19.mlp.shared_experts.gate_up_proj.input_scale'", "weights-mismatch"),
]  # fmt: skip
PEER_LOST = ["RuntimeError: [gloo/transport/tcp/pair.cc:553] Connection closed by peer [192.168.100.12]:1"]
# (the recording, what else its words allow): the entry itself is to be believed first.
ALSO = {
    ("head-missing", "peer-lost"),
    ("illegal-access", "graph-capture"),
    ("nccl-version", "collective-timeout"),
    ("out-of-memory", "graph-capture"),
    ("parser-unknown", "unknown-flag"),
    ("sgl-kernel", "cuda-library"),
}
# What a healthy server says, or a person asks it.
IN_PASSING = [
    '[2026-11-21 02:18:30] INFO:     127.0.0.1:1 "GET /CUDA out of memory?x=No space left on device HTTP/1.1" 200 OK',
    "(EngineCore_0 pid=284) INFO 08-08 08:01:25 [core.py:1] NCCL error handling and Broken pipe are logged",
    "node01:322:322 [3] NCCL INFO Call to ibv_modify_qp failed with 110 Connection timed out, retrying",
    "INFO 04-03 17:50:56 __init__.py:190] address already in use is retried",
    "[2026-11-21 02:18:13] server_args={'model_path': '/models/out of resource: shared memory'}",
    "[2026-11-21 02:18:13] Receive: obj=GenerateReqInput(text='why: torch.OutOfMemoryError: CUDA out of memory?')",
    "[2026-11-21 02:18:13] Receive OpenAI: obj={'messages': [{'content': 'NCCL error: unhandled system error'}]}",
    "[2026-11-21 02:18:13] Finish: obj=GenerateReqInput(), out={'text': 'No CUDA GPUs are available means'}",
    "[2026-11-21 02:18:28] Port 30000 is already in use, trying port 30001",
    "[2026-11-21 02:18:28 TP0] port 30000 is in use. Waiting for 15 seconds for nccl_port to be available.",
    "[2026-11-21 02:18:28 TP0] The memory capacity is unbalanced. Some GPUs may be occupied by other processes.",
    "[2026-11-21 02:18:28] Warning: User-specified context_length (9) is greater than the derived context_length (8)",
    "[2026-11-21 02:18:28 TP0] NewForCausalLM has no SGLang implementation, falling back to Transformers.",
    "[2026-11-21 02:18:28 TP0] Scheduler watchdog timeout (self.watchdog_timeout=60, self.soft=True)",
    "[2026-11-21 02:18:28 TP0] Capture cuda graph begin. This can take up to several minutes. avail mem=38.97 GB",
    "[2026-11-21 02:18:28 TP0] Using FlashAttention v3 is not possible; attention backend is triton",
    "[2026-11-21 02:18:28 TP0] Memory pool end. avail mem=20.64 GB, out of memory is unlikely",
    "Warning: No accelerator (CUDA, XPU, HPU) is available. - Falling back to CPU",
    "NVRM: nvCheckOkFailedNoLog: Check failed: Out of memory [NV_ERR_NO_MEMORY]",
]


def last_words(name: str) -> list[str]:
    return (LOGS / f"{name}.log").read_text(encoding="utf-8").splitlines()[1:][-TAIL:]


def name_of(found: Diagnosis | None) -> str:
    return found.name if found else ""


def named(name: str) -> Diagnosis:
    return next(entry.diagnosis for entry in table.TABLE if entry.diagnosis.name == name)


@pytest.mark.parametrize(("recorded", "expected"), OWN.items(), ids=str)
def test_last_words_of_the_real_server_are_understood(recorded: tuple[str, int], expected: str) -> None:
    name, exit_code = recorded
    assert name_of(diagnose(last_words(name), exit_code)) == expected


def test_no_recording_gives_a_wrong_diagnosis() -> None:
    """The confusion matrix: every recording against every entry, the first one found on the diagonal."""
    found = {name: [entry.name for entry in candidates(last_words(f"reported-{name}"))] for name in REPORTED}
    assert {name: names[0] for name, names in found.items()} == {name: name for name in REPORTED}
    assert {(name, other) for name, names in found.items() for other in names[1:]} == ALSO


@pytest.mark.parametrize("name", REPORTED)
def test_a_report_is_understood_however_the_container_ended(name: str) -> None:
    assert {name_of(diagnose(last_words(f"reported-{name}"), exit_code)) for exit_code in (0, 1, 137)} == {name}


@pytest.mark.parametrize("name", REPORTED)
def test_a_report_names_where_it_is_from(name: str) -> None:
    first = (LOGS / f"reported-{name}.log").read_text(encoding="utf-8").splitlines()[0]
    assert re.match(r"# (Written after )?https://\S+: \S", first)


@pytest.mark.parametrize("name", [path.stem for path in LOGS.glob("[0-9]*.log")])
def test_a_recording_of_our_own_names_its_version_and_what_happened(name: str) -> None:
    first = (LOGS / f"{name}.log").read_text(encoding="utf-8").splitlines()[0]
    assert re.match(rf"# SGLang {re.escape(name.split('-')[0])} on CPU, \S", first)


@pytest.mark.parametrize(("line", "expected"), PUBLISHED)
def test_a_published_text_is_understood(line: str, expected: str) -> None:
    assert name_of(diagnose(["[2026-11-21 02:18:28] Load weight begin.", line])) == expected


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_in_the_whole_log_of_a_healthy_server_is_a_failure(name: str) -> None:
    assert candidates((LOGS / f"{name}.log").read_text(encoding="utf-8").splitlines()) == []


@pytest.mark.parametrize("line", IN_PASSING)
def test_what_is_said_in_passing_is_no_failure(line: str) -> None:
    assert candidates(["[2026-11-21 02:18:28] Load weight begin.", line, "[2026-11-21 02:18:30] and on."]) == []


@pytest.mark.parametrize(
    "followed_by", ["[2026-11-21 02:18:30 TP0] Init torch distributed ends.", "Segmentation fault"]
)
def test_that_the_group_spans_nodes_is_a_failure_only_as_the_last_word(followed_by: str) -> None:
    line = "[2026-11-21 02:18:28 TP0] CustomAllreduce is disabled because this process group spans across nodes."
    noise = "spark-01:7:7 [0] NCCL INFO Connected all rings"
    assert name_of(diagnose([line, noise], 137)) == "no-meeting"
    assert candidates([line, noise, followed_by]) == []


@pytest.mark.parametrize(
    ("text", "expected"), [(text, entry.diagnosis.name) for entry in table.TABLE for text in entry.says]
)
def test_what_the_page_shows_is_understood(text: str, expected: str) -> None:
    assert name_of(diagnose(["[2026-11-21 02:18:28] Load weight begin.", text], 1)) == expected


def test_every_entry_is_proven_by_a_recording() -> None:
    assert {entry.diagnosis.name for entry in table.TABLE} - {*REPORTED, *OWN.values()} == set()


@pytest.mark.parametrize("pattern", [pattern for entry in table.TABLE for pattern in entry.patterns])
def test_every_pattern_is_of_use(pattern: str) -> None:
    logs = [last_words(name) for name in (*(f"reported-{name}" for name in REPORTED), *(name for name, _code in OWN))]
    assert any(re.search(pattern, "\n".join(log)) for log in (*logs, *([line] for line, _expected in PUBLISHED)))


def test_every_report_belongs_to_an_entry() -> None:
    assert set(REPORTED) - {entry.diagnosis.name for entry in table.TABLE} == set()


def test_names_are_unique() -> None:
    names = [entry.diagnosis.name for entry in table.TABLE]
    assert len(names) == len(set(names)) >= 50


@pytest.mark.parametrize("entry", table.TABLE, ids=lambda entry: str(entry.diagnosis.name))
def test_an_entry_is_told_in_sentences_and_with_its_evidence(entry: Entry) -> None:
    found = entry.diagnosis
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", found.name)
    assert all(re.fullmatch(r"\S.*\S\.", text) for text in (found.meaning, found.cause, found.next_step))
    assert found.next_step[0].islower()
    assert found.link.startswith("https://")
    assert entry.says
    assert found.when
    assert set(found.when) <= set(MOMENTS)
    assert found.text() == (
        f"{found.meaning} {found.cause} Next step: {found.next_step} See docs/troubleshooting.md#{found.name}."
    )
    assert "\n" not in found.text()


def test_the_moments_are_the_phases_that_the_gate_shows() -> None:
    shown = [_phases.STARTING, *(name for name, _pattern in _phases._PHASES)]
    assert [*MOMENTS] == [*shown[:-1], SERVING, ANY_TIME]


@pytest.mark.parametrize("pattern", [pattern for entry in table.TABLE for pattern in entry.patterns])
def test_a_pattern_needs_words_to_match(pattern: str) -> None:
    assert not re.search(pattern, "")
    assert not re.search(pattern, "[2026-11-21 02:18:28 TP0] Error: INFO warning failed CUDA NCCL memory port 30000\n")


CAUSES = [name for name in REPORTED if not named(name).echo and name != "killed"]
ECHOES = [name for name in REPORTED if named(name).echo]


def test_there_are_causes_and_echoes() -> None:
    assert {"peer-lost", "peer-missing", "no-meeting", "rdma-lost", "watchdog"} <= {
        entry.diagnosis.name for entry in table.TABLE if entry.diagnosis.echo
    }
    assert (len(CAUSES) > 30, len(ECHOES) > 5) == (True, True)


@pytest.mark.parametrize("echo", [*ECHOES, "peer-lost"])
@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_wins_over_an_echo_in_the_same_log(cause: str, echo: str) -> None:
    own = last_words(f"reported-{cause}")
    other = PEER_LOST if echo == "peer-lost" else last_words(f"reported-{echo}")
    assert name_of(diagnose([*own, *other], 137)) == cause
    assert name_of(diagnose([*other, *own], 137)) == cause


def test_the_kernel_s_out_of_memory_killer_wins_over_every_word() -> None:
    assert diagnose(["torch.OutOfMemoryError: CUDA out of memory."], 137, oom_killed=True) == table.OOM


@pytest.mark.parametrize(("exit_code", "expected"), [(137, "killed"), (-9, "killed"), (1, ""), (0, "")])
def test_a_silent_end_is_judged_by_its_exit_code(exit_code: int, expected: str) -> None:
    assert name_of(diagnose(["[2026-11-21 02:18:28] all is well"], exit_code)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "[2026-11-21 02:18:34] Received sigquit from a child process. It usually means the child failed.",
        "[2026-11-21 02:18:34] SIGQUIT received. signum=None, frame=None. It usually means one child failed.",
        "[2026-11-21 02:18:39] kill_process_tree called: parent_pid=7, include_parent=True, pid=7",
    ],
)
def test_an_engine_that_kills_itself_for_an_unknown_reason_was_not_killed_from_outside(line: str) -> None:
    assert diagnose(["ValueError: something new", line], 137) is None


CRASHED = "Subprocess scheduler_0 (pid=322) crashed with exit code -9. Triggering SIGQUIT for cleanup..."


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("[2026-11-21 02:18:30] all is well", "killed"),
        ("[2026-11-21 02:18:30 TP0] Scheduler hit an exception: ValueError", ""),
        (PEER_LOST[0], "peer-lost"),
    ],
)
def test_a_process_that_was_killed_is_a_cause_when_nothing_failed_before(before: str, expected: str) -> None:
    assert name_of(diagnose([before, CRASHED, "SIGQUIT received. signum=None, frame=None."], 137)) == expected


def test_the_next_step_of_a_refused_flag() -> None:
    found = diagnose(last_words("0.5.23-fp8-rank0"), 2)
    assert found is not None
    assert (found.meaning, found.hint) == (
        "SGLang refused its command line.",
        "correct the flag named in the last line; flags differ between SGLang versions."
        " See docs/troubleshooting.md#unknown-flag.",
    )

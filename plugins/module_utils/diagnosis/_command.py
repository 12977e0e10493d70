# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Last words on the command line, and on what it asks of the model."""

from __future__ import annotations

from ._entry import LOADING, READING, STARTING, entry

ENTRIES = (
    # argparse's text, of SGLang's choices; seen in public.
    entry(
        "parser-unknown",
        r"error: argument --(?:tool-call|reasoning)-parser: invalid choice",
        when=(STARTING,),
        says=("error: argument --tool-call-parser: invalid choice: 'glm47'",),
        meaning="This SGLang does not know the model's parser for tool calls or reasoning.",
        cause="Parsers come with versions: glm47, for example, is younger than SGLang 0.5.4.post2.",
        next_step="set tool_call_parser and reasoning_parser to names in that line, or take a newer image.",
        link="https://github.com/sgl-project/sgl-project.github.io/issues/17",
    ),
    # argparse's texts; seen on the real server.
    entry(
        "unknown-flag",
        r"error: (?:unrecognized arguments|ambiguous option|argument --\S+: invalid)",
        when=(STARTING,),
        says=(
            "error: unrecognized arguments: --max-num-reqs 8",
            "error: argument --kv-cache-dtype: invalid choice: 'fp8'",
        ),
        meaning="SGLang refused its command line.",
        cause="Flags are added, renamed and removed between SGLang versions; values have to be of the flag's choices.",
        next_step="correct the flag named in the last line; flags differ between SGLang versions.",
        link="https://github.com/sgl-project/sglang/issues/4116",
    ),
    # SGLang's texts, both versions.
    entry(
        "quantization-mismatch",
        r"Quantization method specified in the model config \([^)]*\) does not match",
        r"ModelOptFp[48]Config only supports",
        r"ModelOpt currently only supports: ",
        when=(READING, LOADING),
        says=(
            "Quantization method specified in the model config (modelopt_fp4) does not match",
            "ModelOptFp8Config only supports static FP8 quantization",
        ),
        meaning="The quantization asked for is not the one of the weights.",
        cause="--quantization names a format and converts nothing; NVFP4 by ModelOpt may be taken for FP8.",
        next_step="leave quantization out of server_args; for ModelOpt's set modelopt_fp4 or modelopt_fp8.",
        link="https://github.com/sgl-project/sglang/issues/14285",
    ),
    # SGLang's texts; GLM, Qwen: heads and experts by the number of ranks.
    entry(
        "not-divisible",
        r"AssertionError: \d+ is not divisible by \d+",
        r"must be divisible by \w*tp_size",
        r"_partition(?:_size)? = \d+ is not divisible by",
        r"For quantized MoE models, please make sure",
        when=(LOADING,),
        says=("AssertionError: 25 is not divisible by 4", "must be divisible by moe_tp_size (4)"),
        meaning="The model can't be cut into this many parts.",
        cause="Heads, experts or quantization blocks have to be divisible by the number of ranks (TP).",
        next_step="set server_nodes to 1, 2 or 4, whichever the model's heads and blocks divide by.",
        link="https://github.com/sgl-project/sglang/issues/3436",
    ),
    # SGLang's text. As a warning, with the variable set, it is none.
    entry(
        "context-too-long",
        r"Error: [^\n]*context_length \(\d+\) is greater than the derived context_length",
        when=(READING,),
        says=("ValueError: Warning: User-specified context_length (65536) is greater than the derived context_length",),
        meaning="The context asked for is longer than the model's.",
        cause="SGLang refuses it, because positions beyond the trained ones give nonsense or CUDA errors.",
        next_step="lower context_length in server_args to the model's.",
        link="https://github.com/sgl-project/sglang/pull/1778",
    ),
    # SGLang's assertions: Llama 4, both versions; others in 0.5.23.
    entry(
        "attention-backend",
        r"is required for Llama4 model",
        r"One of the attention backends in \[[^\]]*\] is required for",
        when=(READING,),
        says=(
            "fa3, aiter, triton, or trtllm_mha is required for Llama4 model",
            "One of the attention backends in ['fa3', 'triton', 'trtllm_mha'] is required for",
        ),
        meaning="The model needs another attention backend.",
        cause="SGLang serves Llama 4 and some others with a few backends only; of them fa3 is not for GB10.",
        next_step="set server_args: {attention_backend: triton}.",
        link="https://github.com/Ascend/sglang/issues/20",
    ),
)

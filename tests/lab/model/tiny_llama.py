# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a Llama with random weights, a tokenizer and a chat template; runs inside an engine image.

Small enough to load at once, and with what real models have: several shards with an index, grouped-query
attention, a byte-level tokenizer and ChatML.
"""

from __future__ import annotations

import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEXT = [
    "A cluster of small machines serves one large model together.",
    "Each node holds a part of every layer and talks to its peers over two rails.",
    "What is the capital of France? The capital of France is Paris.",
    "user assistant system Hello, how are you today? Count from one to ten.",
    "0 1 2 3 4 5 6 7 8 9 10 100 1000",
]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: it can encode any text."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=512, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    end, turn_end = SPECIAL[0], SPECIAL[2]
    outer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=turn_end, pad_token=end)
    outer.chat_template = CHATML
    return outer


def main(folder: str) -> None:
    """Write everything into one folder."""
    torch.manual_seed(20)
    words = tokenizer()
    shape = LlamaConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        torch_dtype="bfloat16",
    )
    LlamaForCausalLM(shape).to(torch.bfloat16).save_pretrained(folder, max_shard_size="128KB")
    words.save_pretrained(folder)


if __name__ == "__main__":
    main(sys.argv[1])

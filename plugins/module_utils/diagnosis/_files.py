# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Last words on the model's files, and on the hub that they come from."""

from __future__ import annotations

from ._entry import LOADING, READING, SERVING, STARTING, WARMING, entry

ENTRIES = (
    # SGLang's and the harmony library's text; reported on Sparks.
    entry(
        "harmony-vocabulary",
        r"error downloading or loading vocab file",
        when=(READING, WARMING),
        says=("HarmonyError: error downloading or loading vocab file",),
        meaning="The tiktoken files of gpt-oss are not there and could not be fetched.",
        cause="The harmony library fetches them unless TIKTOKEN_ENCODINGS_BASE names a folder that has them.",
        next_step="give the profile needs.encodings: [o200k_base, cl100k_base]; site.yml brings the files.",
        link="https://github.com/NVIDIA/dgx-spark-playbooks/issues/17",
    ),
    # Transformers' and the hub's texts; seen on the real server.
    entry(
        "model-path",
        r"OSError: [^\n]*(?:does not appear to have a file named|is not a local folder|Can't load the configuration)",
        r"Repo id must be in the form",
        r"HFValidationError|RepositoryNotFoundError",
        when=(STARTING, READING),
        says=("OSError: Can't load the configuration of '/models/...'", "Repo id must be in the form 'repo_name'"),
        meaning="SGLang can't read the model folder.",
        cause="The path is not there in the container, or lacks config.json; so it is taken for a hub name.",
        next_step="check that the folder is complete and mounted: config.json, tokenizer, all shards.",
        link="https://github.com/gpustack/gpustack/issues/1268",
    ),
    # SGLang's text since its pull request 32279; seen on the real server. Older versions serve garbage instead.
    entry(
        "missing-shard",
        r"references \d+ shard file\(s\) missing from",
        when=(LOADING,),
        says=("model.safetensors.index.json references 1 shard file(s) missing from /models/...",),
        meaning="The model folder lacks weight files that its index names.",
        cause="A download or copy that was interrupted.",
        next_step="copy the model again; the log names the files.",
        link="https://github.com/sgl-project/sglang/pull/32279",
    ),
    # The safetensors library's texts.
    entry(
        "truncated-weights",
        r"SafetensorError: ",
        r"(?:HeaderTooLarge|HeaderTooSmall|MetadataIncompleteBuffer|InvalidHeaderDeserialization)\s*$",
        when=(LOADING,),
        says=("SafetensorError: Error while deserializing header: HeaderTooLarge",),
        meaning="A weight file is damaged or incomplete.",
        cause="A copy that was cut off, or a git clone without LFS, which leaves pointers in place of weights.",
        next_step="delete that file and run site.yml, which fetches what is missing and compares its hash.",
        link="https://github.com/huggingface/transformers/issues/27923",
    ),
    # The hub library's texts.
    entry(
        "gated-repo",
        r"GatedRepoError|You are trying to access a gated repo",
        r"Error: 40[13] Client Error",
        r"Access to model \S+ is restricted",
        when=(STARTING, READING, LOADING),
        says=("GatedRepoError: 401 Client Error.", "You are trying to access a gated repo"),
        meaning="The hub refused the download.",
        cause="The token's owner has not accepted the model's licence, or the token is missing or expired.",
        next_step="accept the licence on the hub and set model_token (server_hf_token for the engine itself).",
        link="https://github.com/ToTheBeginning/PuLID/issues/97",
    ),
    # The hub library's and Transformers' texts.
    entry(
        "hub-offline",
        r"(?:OfflineModeIsEnabled|LocalEntryNotFoundError): ",
        r"couldn't connect to '?https://huggingface\.co",
        r"outgoing traffic has been disabled",
        when=(STARTING, READING, LOADING),
        says=("OfflineModeIsEnabled: Cannot reach https://huggingface.co/...", "outgoing traffic has been disabled"),
        meaning="The engine wants something from the hub that is not on the node.",
        cause="Without server_hf_token it starts with HF_HUB_OFFLINE=1; a draft model must be on disk, too.",
        next_step="bring it to the nodes and name its folder in server_args, or set server_hf_token.",
        link="https://github.com/huggingface/huggingface_hub/issues/4487",
    ),
    # Transformers' and SGLang's texts.
    entry(
        "remote-code",
        r"requires you to execute the \w+ file",
        r"contains custom code which must be executed",
        r"Error: Failed to load the tokenizer\. If the tokenizer is a custom",
        when=(STARTING, READING),
        says=("requires you to execute the configuration file in that repo on your local machine",),
        meaning="The model comes with Python code of its own, which was not allowed to run.",
        cause="Its class is in the model folder, not in SGLang or Transformers.",
        next_step="read that code; if you trust it, set server_args: {trust_remote_code: true}.",
        link="https://github.com/sgl-project/sglang/pull/28693",
    ),
    # Transformers' and SGLang's texts.
    entry(
        "unknown-architecture",
        r"but Transformers does not recognize this architecture",
        r"Model architectures \[[^\]]*\] are not supported for now",
        r"has no SGlang implementation and the Transformers",
        r"The Transformers implementation of \S+ is not compatible with SGLang",
        when=(STARTING, LOADING),
        says=(
            "but Transformers does not recognize this architecture",
            "Model architectures ['...'] are not supported for now",
        ),
        meaning="This SGLang is older than the model, or never knew it.",
        cause="The image lacks the model's class; new models often need an image of their own at first.",
        next_step="take the image that the model's card or SGLang's cookbook names (server_image and server_sglang).",
        link="https://github.com/sgl-project/sglang/issues/37183",
    ),
    # Transformers' texts.
    entry(
        "tokenizer",
        r"OSError: Can't load tokenizer for",
        r"Couldn't instantiate the backend tokenizer",
        when=(READING,),
        says=("OSError: Can't load tokenizer for '/models/...'", "Couldn't instantiate the backend tokenizer"),
        meaning="The tokenizer's files are missing or of an unknown kind.",
        cause="A file was left out of the copy, or Transformers in the image is too old for its kind.",
        next_step="compare the folder with the hub, and look whether model_include or model_exclude keeps them out.",
        link="https://github.com/lm-sys/FastChat/issues/492",
    ),
    # Transformers' text, at the first chat; the server itself lives.
    entry(
        "chat-template",
        r"Cannot use chat template functions because tokenizer\.chat_template is not set",
        when=(WARMING, SERVING),
        says=("Cannot use chat template functions because tokenizer.chat_template is not set",),
        meaning="The model has no chat template, so /v1/chat/completions can't work.",
        cause="A base model, which has none; or chat_template.jinja or tokenizer_config.json was left out of the copy.",
        next_step="serve the -Instruct model, copy the file, or name one in server_args: {chat_template: PATH}.",
        link="https://github.com/sgl-project/sglang/issues/2431",
    ),
    # SGLang's text, both versions.
    entry(
        "compressed-tensors",
        r"No compressed-tensors compatible scheme was found",
        when=(LOADING,),
        says=("NotImplementedError: No compressed-tensors compatible scheme was found.",),
        meaning="SGLang has no kernel for the way these weights are compressed.",
        cause="compressed-tensors has many schemes; SGLang knows some, and older versions fewer.",
        next_step="take a newer image, or the same model in another format (FP8, or NVFP4 by ModelOpt).",
        link="https://github.com/sgl-project/sglang/issues/31248",
    ),
    # A weight's name that SGLang's class of the model has no place for; reported on a Spark.
    entry(
        "weights-mismatch",
        r"KeyError: '[\w.]+\.(?:w\d+_)?(?:weight|bias|input|scale|k_proj|v_proj)\w*'",
        when=(LOADING,),
        says=("KeyError: 'model.layers.13.mlp.experts.w2_weight_scale'",),
        meaning="The weights have a tensor that this SGLang does not expect.",
        cause="The checkpoint is quantized in a way, or of a revision, that the version in the image does not know.",
        next_step="take the image that the checkpoint's card names, or another checkpoint of the model.",
        link="https://github.com/sgl-project/sglang/issues/20973",
    ),
)

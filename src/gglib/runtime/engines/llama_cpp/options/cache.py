"""Options for the context, its positions and its cache. Pure."""

from gglib.runtime.engines.llama_cpp.options.option import choice, integer, members, number, switch

CACHE_TYPES = members(
    "GGML_TYPE_",
    f32="F32",
    f16="F16",
    bf16="BF16",
    q8_0="Q8_0",
    q4_0="Q4_0",
    q4_1="Q4_1",
    iq4_nl="IQ4_NL",
    q5_0="Q5_0",
    q5_1="Q5_1",
)
"""``kv_cache_types`` in llama.cpp's ``common/arg.cpp``."""
_MAX_RAM_MIB = 2**31 - 1


def _inverse(text: str) -> float:
    """Encode a scale of the context as a scale of frequencies."""
    return 1 / float(text)


CACHE = (
    choice(
        "--flash-attn -fa",
        "flash_attn_type",
        "Flash attention.",
        members("LLAMA_FLASH_ATTN_TYPE_", on="ENABLED", off="DISABLED", auto="AUTO"),
        default="auto",
    ),
    choice(
        "--cache-type-k -ctk", "cache_type_k", "Type of the keys in the KV cache.", CACHE_TYPES, default="f16"
    ),
    choice(
        "--cache-type-v -ctv",
        "cache_type_v",
        "Type of the values in the KV cache; a quantized one needs flash attention.",
        CACHE_TYPES,
        default="f16",
    ),
    choice(
        "--rope-scaling",
        "rope_scaling_type",
        "How positions beyond the trained context are scaled.",
        members("LLAMA_ROPE_SCALING_TYPE_", none="NONE", linear="LINEAR", yarn="YARN"),
    ),
    number(
        "--rope-scale",
        "rope_freq_scale",
        "How many times the trained context is used.",
        minimum=1e-3,
        maximum=1e6,
        encode=_inverse,
    ),
    number("--rope-freq-base", "rope_freq_base", "Base frequency of the positions.", minimum=0),
    number("--rope-freq-scale", "rope_freq_scale", "1 / --rope-scale.", minimum=0),
    integer(
        "--yarn-orig-ctx",
        "yarn_orig_ctx",
        "YaRN: the context that the model was trained for.",
        default="0",
        minimum=0,
    ),
    number("--yarn-ext-factor", "yarn_ext_factor", "YaRN: share of extrapolation.", default="-1"),
    number("--yarn-attn-factor", "yarn_attn_factor", "YaRN: factor of the attention.", default="-1"),
    number("--yarn-beta-slow", "yarn_beta_slow", "YaRN: low correction dimension.", default="-1"),
    number("--yarn-beta-fast", "yarn_beta_fast", "YaRN: high correction dimension.", default="-1"),
    integer(
        "--cache-ram -cram",
        "cache_ram_mib",
        "MiB of RAM for earlier prompts; -1: no limit.",
        minimum=-1,
        maximum=_MAX_RAM_MIB,
    ),
    switch(
        "--cache-prompt", "cache_prompt", "Reuse the prompt before.", off="--no-cache-prompt", default="on"
    ),
    integer(
        "--cache-reuse",
        "n_cache_reuse",
        "Shortest part of a prompt to reuse by shifting, in tokens.",
        default="0",
        minimum=0,
    ),
    switch(
        "--cache-idle-slots",
        "cache_idle_slots",
        "Move idle conversations to the prompt cache.",
        off="--no-cache-idle-slots",
        default="on",
    ),
    number(
        "--slot-prompt-similarity -sps",
        "slot_prompt_similarity",
        "How much a prompt has to match a slot's, 0 to 1.",
        default="0.1",
        minimum=0,
        maximum=1,
    ),
    integer(
        "--ctx-checkpoints -ctxcp --swa-checkpoints",
        "n_ctx_checkpoints",
        "Checkpoints of the context per slot.",
        default="32",
        minimum=0,
    ),
    integer(
        "--checkpoint-min-step -cms",
        "checkpoint_min_step",
        "Tokens between two checkpoints.",
        default="8192",
        minimum=0,
    ),
    switch(
        "--context-shift", "ctx_shift", "Drop old tokens when the context is full.", off="--no-context-shift"
    ),
    switch("--swa-full", "swa_full", "Keep the whole context also in layers with a sliding window."),
    integer(
        "--keep",
        "n_keep",
        "Tokens of the first prompt that a context shift keeps; -1: all.",
        default="0",
        minimum=-1,
    ),
)

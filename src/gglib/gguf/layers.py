"""The keys of a GGUF header about a model's layers, with the fields that they fill. Pure."""

from collections.abc import Callable

from gglib.core.models import LayerFacts

# llama.cpp's names (LLM_KV_* in llama-arch.cpp), without the architecture prefix.
COUNT_KEYS = {
    "feed_forward_length": "feed_forward_length",
    "window_period": "attention.sliding_window_pattern",
    "window_key_length": "attention.key_length_swa",
    "window_value_length": "attention.value_length_swa",
    "latent_key_length": "attention.key_length_mla",
    "indexer_key_length": "attention.indexer.key_length",
    "shared_cache_layers": "attention.shared_kv_layers",
    "predict_layers": "nextn_predict_layers",
    "full_attention_interval": "full_attention_interval",
    "state_size": "ssm.state_size",
    "state_inner_size": "ssm.inner_size",
    "state_group_count": "ssm.group_count",
    "state_convolution": "ssm.conv_kernel",
    "short_convolution": "shortconv.l_cache",
    "delta_head_length": "kda.head_dim",
    "wkv_head_length": "wkv.head_size",
    "token_shifts": "token_shift_count",
    "experts_used": "expert_used_count",
    "expert_feed_forward_length": "expert_feed_forward_length",
}
NUMBER_LIST_KEYS = {
    "head_counts_kv": "attention.head_count_kv",
    "feed_forward_lengths": "feed_forward_length",
}
BOOLEAN_LIST_KEYS = {
    "window_layers": "attention.sliding_window_pattern",
    "recurrent_layers": "attention.recurrent_layers",
}
WINDOW_KEY = "attention.sliding_window"

LAYER_SUFFIXES = tuple(
    f".{key}"
    for key in {*COUNT_KEYS.values(), *NUMBER_LIST_KEYS.values(), *BOOLEAN_LIST_KEYS.values(), WINDOW_KEY}
)


def read_layers(
    *, number: Callable[[str], int | None], numbers: Callable[[str], tuple[int, ...]]
) -> LayerFacts:
    """Return the facts, given lookups of a whole number and of a list; both raise for a wrong type."""
    boolean_keys = {key for key in BOOLEAN_LIST_KEYS.values() if numbers(key)}
    counts = {name: number(key) or None for name, key in COUNT_KEYS.items() if key not in boolean_keys}
    return LayerFacts(
        **counts,
        window=number(WINDOW_KEY),
        head_counts_kv=numbers(NUMBER_LIST_KEYS["head_counts_kv"]),
        feed_forward_lengths=numbers(NUMBER_LIST_KEYS["feed_forward_lengths"]),
        window_layers=tuple(map(bool, numbers(BOOLEAN_LIST_KEYS["window_layers"]))),
        recurrent_layers=tuple(map(bool, numbers(BOOLEAN_LIST_KEYS["recurrent_layers"]))),
    )

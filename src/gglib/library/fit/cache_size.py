"""Computes the size of the engine's cache for a model, by llama.cpp's rules. Pure; sizes in bytes.

From the sources of build b11549: ``llama_model::create_memory`` (which kind of cache), ``llama_kv_cache``,
``llama_kv_cache_iswa`` (windows), ``llama_memory_recurrent`` (states), ``llama_hparams`` and ``load_arch_hparams``
of each architecture (which layer has what). Keys and values are F16 by default, states F32; each slot has a
cache of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from gglib.core.models import GgufFacts

_Item = TypeVar("_Item")

BATCH = 512
"""Tokens that the engine computes per batch (``n_ubatch``)."""
MAX_LAYERS = 4096
"""More than any engine supports; a header with more layers is ignored."""
_CELLS_MULTIPLE = 256
_F32_BYTES = 4


# Models without a cache: encoders and diffusion models process the whole prompt at once.
_WITHOUT_CACHE = frozenset(
    {
        "bert", "clef", "dream", "eurobert", "gemma-embedding", "gemma-embedding2", "jina-bert-v2", "jina-bert-v3",
        "llada", "llada-moe", "modern-bert", "neo-bert", "nomic-bert", "nomic-bert-moe", "rnd1", "wavtokenizer-dec",
    }
)  # fmt: skip
_RECURRENT = frozenset({"arwkv7", "mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7"})
# Layers without heads keep a state ...
_HYBRID_BY_HEADS = frozenset(
    {
        "bailingmoe3", "glm5-next", "granitehybrid", "jamba", "kimi-k3", "kimi-linear", "lfm2", "lfm2moe",
        "nemotron_h", "nemotron_h_moe", "plamo2",
    }
)  # fmt: skip
# ... but here they do only where they are no feed-forward layers either.
_HYBRID_WITH_PLAIN_LAYERS = frozenset({"nemotron_h", "nemotron_h_moe"})

# All layers except every n-th keep a state, unless the header has a list or an interval.
_HYBRID_BY_INTERVAL = frozenset({"minimax-01", "qwen35", "qwen35moe", "qwen3next", "qwen4exp"})
_DEFAULT_INTERVAL = 4
# Every layer has both a state and attention.
_HYBRID_IN_EACH_LAYER = frozenset({"falcon-h1"})
_SHARED_FROM_LAYER = {"gemma3n": 20}
_DEFAULT_TOKEN_SHIFTS = 2


_BLOCK = 32
_BLOCK_BYTES: Mapping[str, int] = {
    "f32": 128, "f16": 64, "bf16": 64, "q8_0": 34, "q5_1": 24, "q5_0": 22, "q4_1": 20, "q4_0": 18, "iq4_nl": 18,
}  # fmt: skip
"""The size of 32 elements in the types that a cache may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheTypes:
    """The types of the numbers in a cache."""

    keys: str = "f16"
    values: str = "f16"

    def bytes_of(self, keys: int, values: int) -> int:
        """Return the size of that many elements; unknown types count as F16."""
        usual = _BLOCK_BYTES["f16"]
        return (
            keys * _BLOCK_BYTES.get(self.keys, usual) + values * _BLOCK_BYTES.get(self.values, usual)
        ) // _BLOCK


F16_CACHE = CacheTypes()


@dataclass(frozen=True, slots=True)
class _Window:
    """Which layers of an architecture have a sliding window, unless its header overrides it."""

    period: int = 0
    """Every n-th layer has full attention; 0: the header has a list."""
    is_full_first: bool = False
    """Whether the first layer of each period has full attention, not the last."""
    default: int | None = None
    """The window if the header has none; None: no layer has a window then."""
    is_fixed: bool = False
    """Whether ``default`` overrides the header, unless that is 0."""


# Other architectures have no windows, even if their header has one: phi3, mistral.
_WINDOWS: Mapping[str, _Window] = {
    "afmoe": _Window(4),
    "cohere2": _Window(4),
    "cohere2moe": _Window(4, is_full_first=True),
    "exaone-moe": _Window(4, default=128),
    "exaone4": _Window(4),
    "gemma2": _Window(2, default=4096),
    "gemma3": _Window(6),
    "gemma3n": _Window(5),
    "gemma4": _Window(),
    "gpt-oss": _Window(2),
    "granite-swa": _Window(),
    "laguna": _Window(4, is_full_first=True),
    "llama4": _Window(4, default=8192, is_fixed=True),
    "maple": _Window(),
    "mellum": _Window(4),
    "mimo2": _Window(),
    "muse-glimmer": _Window(4),
    "olmo2": _Window(4),
    "plamo3": _Window(8),
    "smallthinker": _Window(4, is_full_first=True, default=4096),
    "spark2_5": _Window(),
    "step35": _Window(),
}
# exaone4 has windows in its large model only; the engine knows it by its layers.
_EXAONE4_LAYERS = 64


def cache_bytes(facts: GgufFacts, context: int, slots: int, types: CacheTypes = F16_CACHE) -> int | None:
    """Return the size of a cache that holds ``context`` tokens for each of ``slots`` requests.

    None if the header lacks the shape.
    """
    if facts.architecture in _WITHOUT_CACHE:
        return 0
    if not facts.block_count or not facts.embedding_length or facts.block_count > MAX_LAYERS:
        return None
    count = facts.block_count - min(facts.layers.predict_layers or 0, facts.block_count)
    recurrent = _recurrent_layers(facts, count)
    state = sum(recurrent) * _state_numbers(facts) * _F32_BYTES * slots
    if facts.architecture in _RECURRENT:
        return state
    heads = _head_counts_kv(facts, count)
    if heads is None:
        return None
    windows = window_layers(facts, count)
    cells = padded(context)
    window_cells = window_cells_of(facts, context)
    keeps_both = facts.architecture in _HYBRID_IN_EACH_LAYER
    attention = 0
    for layer in range(min(count, _layers_with_own_cache(facts))):
        if recurrent[layer] and not keeps_both:
            continue
        size = window_cells if windows[layer] else cells
        attention += size * types.bytes_of(*_width(facts, heads[layer], has_window=windows[layer]))
    return attention * slots + state


def mask_cells(facts: GgufFacts, context: int) -> int:
    """Return how many places the masks of attention have for one token: of all layers' cache, and of the windows'.

    A token sees the cache of its own slot only, so the number of slots does not matter.
    """
    count = min(facts.block_count or 0, MAX_LAYERS)
    if facts.architecture in _RECURRENT:
        return 0
    windows = window_layers(facts, count)
    of_windows = window_cells_of(facts, context) if any(windows) else 0
    return of_windows + (0 if windows and all(windows) else padded(context))


def padded(context: int) -> int:
    """Return how many tokens' places a cache of ``context`` tokens has."""
    return -(-context // _CELLS_MULTIPLE) * _CELLS_MULTIPLE


def window_cells_of(facts: GgufFacts, context: int) -> int:
    """Return how many places the layers with a window have in one slot: the window, and a batch."""
    return min(padded(context), padded((_window(facts) or 0) + BATCH))


def window_layers(facts: GgufFacts, count: int) -> tuple[bool, ...]:
    """Return for each of the first ``count`` layers whether it has a sliding window."""
    rule, none = _WINDOWS.get(facts.architecture), (False,) * count
    if facts.architecture == "lfm2" and facts.layers.window:
        return (True,) * count
    if rule is None or not _window(facts):
        return none
    if facts.architecture == "exaone4" and count != _EXAONE4_LAYERS:
        return none
    if facts.layers.window_layers:
        return _filled(facts.layers.window_layers, count, last=False)
    period = facts.layers.window_period or rule.period
    if not period:
        return none
    full = 0 if rule.is_full_first else period - 1
    return tuple(layer % period != full for layer in range(count))


def _window(facts: GgufFacts) -> int | None:
    rule, header_window = _WINDOWS.get(facts.architecture), facts.layers.window
    if rule is None:
        return header_window
    if header_window is None or (rule.is_fixed and header_window):
        return rule.default
    return header_window


def _recurrent_layers(facts: GgufFacts, count: int) -> tuple[bool, ...]:
    layers = facts.layers
    if facts.architecture in _RECURRENT | _HYBRID_IN_EACH_LAYER:
        return (True,) * count
    if facts.architecture in _HYBRID_BY_HEADS:
        heads = _filled(layers.head_counts_kv or (facts.head_count_kv or 0,), count, last=0)
        plain = (0,) * count
        if facts.architecture in _HYBRID_WITH_PLAIN_LAYERS:
            plain = _filled(layers.feed_forward_lengths or (layers.feed_forward_length or 0,), count, last=0)
        return tuple(not has_heads and not is_plain for has_heads, is_plain in zip(heads, plain, strict=True))
    if facts.architecture in _HYBRID_BY_INTERVAL:
        if layers.recurrent_layers:
            return _filled(layers.recurrent_layers, count, last=False)
        interval = layers.full_attention_interval or _DEFAULT_INTERVAL
        return tuple((layer + 1) % interval != 0 for layer in range(count))
    return (False,) * count


def _state_numbers(facts: GgufFacts) -> int:
    """Return the number of elements of one sequence's state in one layer: convolution and recurrent state."""
    layers, width = facts.layers, facts.embedding_length or 0
    if layers.wkv_head_length:
        return width * ((layers.token_shifts or _DEFAULT_TOKEN_SHIFTS) + layers.wkv_head_length)
    inner, size = layers.state_inner_size or 0, layers.state_size or 0
    if layers.short_convolution:
        return width * (layers.short_convolution - 1) + size * inner
    if layers.delta_head_length:
        head, heads = layers.delta_head_length, facts.head_count or 0
        return 3 * ((layers.state_convolution or 4) - 1) * heads * head + head * head * heads
    convolved = inner + 2 * (layers.state_group_count or 0) * size
    return max((layers.state_convolution or 0) - 1, 0) * convolved + size * inner


def _head_counts_kv(facts: GgufFacts, count: int) -> tuple[int, ...] | None:
    if facts.layers.head_counts_kv:
        return _filled(facts.layers.head_counts_kv, count, last=0)
    same = facts.head_count_kv or facts.head_count
    return None if same is None else (same,) * count


def _layers_with_own_cache(facts: GgufFacts) -> int:
    count = facts.block_count or 0
    return _SHARED_FROM_LAYER.get(facts.architecture, count - (facts.layers.shared_cache_layers or 0))


def _width(facts: GgufFacts, heads: int, *, has_window: bool) -> tuple[int, int]:
    """Return the numbers of elements of one token in the cache of one layer: of keys, and of values."""
    layers = facts.layers
    usual = (facts.embedding_length or 0) // (facts.head_count or 1)
    key = (has_window and layers.window_key_length) or facts.key_length or usual
    if layers.latent_key_length:  # values are a part of the keys
        return heads * key + (layers.indexer_key_length or 0), 0
    value = (has_window and layers.window_value_length) or facts.value_length or usual
    return heads * key, heads * value


def _filled(items: tuple[_Item, ...], count: int, *, last: _Item) -> tuple[_Item, ...]:
    """Return the first ``count`` items; a single item applies to all."""
    if len(items) == 1:
        return items * count
    return (items + (last,) * count)[:count]

"""The engine's rules for the size of a cache, each with a model whose numbers are known."""

from typing import Any

import pytest

from gglib.core.models import GgufFacts, LayerFacts
from gglib.library.fit.cache_size import MAX_LAYERS, cache_bytes, mask_cells, window_layers

MIB = 1024**2


def facts_of(architecture: str, layers: dict[str, Any] | None = None, **counts: Any) -> GgufFacts:
    """Return the facts of a model: 4 layers, 1024 wide, 16 heads of 64, unless ``counts`` says otherwise."""
    usual: dict[str, Any] = {"block_count": 4, "embedding_length": 1024, "head_count": 16}
    return GgufFacts(architecture=architecture, layers=LayerFacts(**(layers or {})), **(usual | counts))


def kib_a_token(facts: GgufFacts) -> float:
    """Return the size of one more token of a long context, in KiB."""
    longer, shorter = cache_bytes(facts, 131_072, 1), cache_bytes(facts, 65_536, 1)
    assert longer is not None
    assert shorter is not None
    return (longer - shorter) / 65_536 / 1024


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        # Llama 3.1 8B: 32 layers, 8 heads of 128.
        (facts_of("llama", block_count=32, embedding_length=4096, head_count=32, head_count_kv=8), 128),
        # Qwen3 0.6B: heads wider than the model.
        (facts_of("qwen3", block_count=28, head_count_kv=8, key_length=128, value_length=128), 112),
        # No heads of their own for keys: as many as for queries.
        (facts_of("llama", block_count=1), 4),
        # Layers that differ: one without attention.
        (facts_of("deci", {"head_counts_kv": (8, 0, 4, 4)}, head_count_kv=8), 16 * 64 * 4 / 1024),
        # Fewer entries than layers: the rest has none.
        (facts_of("deci", {"head_counts_kv": (8, 8)}, head_count_kv=8), 16 * 64 * 4 / 1024),
        # Keys and values of different width.
        (facts_of("llama", block_count=1, head_count_kv=1, key_length=192, value_length=128), 320 * 2 / 1024),
        # DeepSeek V3, latent: one vector of 512 + 64 for both, 61 layers.
        (
            facts_of(
                "deepseek2",
                {"latent_key_length": 192},
                block_count=61,
                head_count_kv=1,
                key_length=576,
                value_length=512,
            ),
            61 * 576 * 2 / 1024,
        ),
        # The same with an indexer's key of 128 in each layer.
        (
            facts_of(
                "deepseek32",
                {"latent_key_length": 192, "indexer_key_length": 128},
                block_count=61,
                head_count_kv=1,
                key_length=576,
            ),
            61 * (576 + 128) * 2 / 1024,
        ),
        # A layer that only drafts is not run.
        (facts_of("glm4moe", {"predict_layers": 1}, head_count_kv=1), 3 * 64 * 4 / 1024),
        # Windows: only one layer in so many grows.
        (facts_of("gemma2", block_count=26, head_count_kv=4), 13 * 4 * 64 * 4 / 1024),
        (facts_of("gemma3", {"window": 512}, block_count=18, head_count_kv=1), 3 * 64 * 4 / 1024),
        (facts_of("gemma3", block_count=18, head_count_kv=1), 18 * 64 * 4 / 1024),
        (facts_of("gpt-oss", {"window": 128}, block_count=24, head_count_kv=8), 12 * 8 * 64 * 4 / 1024),
        (facts_of("cohere2", {"window": 4096}, block_count=32, head_count_kv=8), 8 * 8 * 64 * 4 / 1024),
        (facts_of("llama4", block_count=48, head_count_kv=8), 12 * 8 * 64 * 4 / 1024),
        (facts_of("llama4", {"window": 0}, block_count=48, head_count_kv=8), 48 * 8 * 64 * 4 / 1024),
        (facts_of("gemma3n", {"window": 512}, block_count=30, head_count_kv=2), 4 * 2 * 64 * 4 / 1024),
        # The engine pays no heed to these windows.
        (facts_of("phi3", {"window": 2048}, head_count_kv=1), 4 * 64 * 4 / 1024),
        (facts_of("llama", {"window": 4096}, head_count_kv=1), 4 * 64 * 4 / 1024),
        # Only the large one has windows.
        (facts_of("exaone4", {"window": 4096}, block_count=30, head_count_kv=1), 30 * 64 * 4 / 1024),
        (facts_of("exaone4", {"window": 4096}, block_count=64, head_count_kv=1), 16 * 64 * 4 / 1024),
        # Hybrids: layers with a state do not grow.
        (
            facts_of(
                "qwen3next", block_count=48, head_count_kv=2, key_length=256, value_length=256
            ),
            12 * 2 * 512 * 2 / 1024,
        ),
        (
            facts_of("qwen35", {"recurrent_layers": (True, False, False, True)}, head_count_kv=2),
            2 * 2 * 64 * 4 / 1024,
        ),
        (facts_of("qwen35", {"full_attention_interval": 2}, head_count_kv=2), 2 * 2 * 64 * 4 / 1024),
        (facts_of("lfm2", {"head_counts_kv": (0, 0, 8, 0)}, head_count_kv=8), 8 * 64 * 4 / 1024),
        # A hybrid whose layers are said to be alike has attention in all of them.
        (facts_of("jamba", head_count_kv=8), 4 * 8 * 64 * 4 / 1024),
        (facts_of("falcon-h1", head_count_kv=2), 4 * 2 * 64 * 4 / 1024),
        # Nothing grows.
        (facts_of("mamba", {"state_size": 16, "state_inner_size": 2048, "state_convolution": 4}), 0),
        (facts_of("rwkv7", {"wkv_head_length": 64}), 0),
        (facts_of("nomic-bert"), 0),
    ],
)  # fmt: skip
def test_growth_with_the_context(facts: GgufFacts, expected: float) -> None:
    """A token adds its entry in the layers that see the whole context, and nothing else."""
    assert kib_a_token(facts) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        # Mamba 130M: 24 layers, (3 x 1536 + 16 x 1536) numbers of four bytes for each of four slots.
        (
            facts_of(
                "mamba",
                {"state_size": 16, "state_inner_size": 1536, "state_convolution": 4},
                block_count=24,
                embedding_length=768,
            ),
            24 * (3 * 1536 + 16 * 1536) * 16,
        ),
        # Mamba 2 convolves its groups as well.
        (
            facts_of(
                "mamba2",
                {"state_size": 128, "state_inner_size": 2048, "state_convolution": 4, "state_group_count": 2},
            ),
            4 * (3 * (2048 + 2 * 2 * 128) + 128 * 2048) * 16,
        ),
        (facts_of("rwkv7", {"wkv_head_length": 64}), 4 * 1024 * (2 + 64) * 16),
        (facts_of("arwkv7", {"wkv_head_length": 64, "token_shifts": 1}), 4 * 1024 * (1 + 64) * 16),
        (facts_of("kimi-linear", {"delta_head_length": 128, "head_counts_kv": (0,) * 4}, head_count=32),
         4 * (3 * 3 * 4096 + 128 * 128 * 32) * 16),
        # Layers that are neither attention nor state: feed-forward alone.
        (
            facts_of(
                "nemotron_h",
                {
                    "head_counts_kv": (0, 0, 0, 0),
                    "feed_forward_lengths": (0, 4096, 0, 4096),
                    "state_size": 128,
                    "state_inner_size": 2048,
                    "state_convolution": 4,
                    "state_group_count": 8,
                },
            ),
            2 * (3 * (2048 + 2 * 8 * 128) + 128 * 2048) * 16,
        ),
        (
            facts_of("lfm2", {"head_counts_kv": (0, 0, 0, 0), "short_convolution": 3}),
            4 * 1024 * 2 * 16,
        ),
        (
            facts_of(
                "lfm2",
                {"head_counts_kv": (0, 0, 0, 0), "short_convolution": 3, "state_size": 16, "state_inner_size": 32},
            ),
            4 * (1024 * 2 + 16 * 32) * 16,
        ),
    ],
)  # fmt: skip
def test_states_are_allocated_once_per_slot(facts: GgufFacts, expected: int) -> None:
    """A state's size depends on the model and the number of slots, not on the context."""
    assert cache_bytes(facts, 512, 4) == cache_bytes(facts, 100_000, 4) == expected
    assert cache_bytes(facts, 512, 1) == expected // 4


@pytest.mark.parametrize(
    "facts",
    [
        facts_of("llama", head_count_kv=4),
        facts_of("gemma3", {"window": 512}, block_count=6, head_count_kv=1),
        facts_of("falcon-h1", {"state_size": 16, "state_inner_size": 128}, head_count_kv=1),
    ],
)
def test_each_slot_has_a_whole_cache(facts: GgufFacts) -> None:
    """The cache size is proportional to the slots: nothing is shared between them."""
    single = cache_bytes(facts, 8192, 1)
    assert single
    assert [cache_bytes(facts, 8192, slots) for slots in (2, 4, 64)] == [2 * single, 4 * single, 64 * single]


def test_window_has_room_for_a_batch() -> None:
    """A layer with a window keeps the window and a batch of 512, in steps of 256 places, in each slot."""
    gemma = facts_of("gemma3", {"window": 512}, block_count=6, head_count_kv=1)
    a_place = 2 * 64 * 2

    assert cache_bytes(gemma, 8192, 1) == a_place * (8192 + 5 * (512 + 512))
    assert cache_bytes(gemma, 768, 1) == a_place * (768 + 5 * 768)


def test_window_layers_may_have_their_own_heads_and_share() -> None:
    """Layers with a window may have other heads; the last layers may use the cache of earlier ones."""
    gemma4 = facts_of(
        "gemma4",
        {
            "window": 1024,
            "window_layers": (True, True, False, True, False, True),
            "window_key_length": 32,
            "window_value_length": 16,
            "head_counts_kv": (4, 4, 1, 4, 1, 4),
            "shared_cache_layers": 2,
        },
        block_count=6,
        key_length=128,
        value_length=128,
    )

    assert cache_bytes(gemma4, 16_384, 1) == 2 * (16_384 * 256 + 3 * 1536 * 4 * 48)


def test_lists_and_periods_of_the_header_come_first() -> None:
    """The header's windows override the default of the architecture."""
    assert window_layers(facts_of("gemma3", {"window": 9, "window_period": 2}), 4) == (
        True,
        False,
        True,
        False,
    )
    assert window_layers(facts_of("cohere2moe", {"window": 9}), 4) == (False, True, True, True)
    facts = facts_of("gpt-oss", {"window": 9, "window_layers": (False, True)})
    assert window_layers(facts, 4) == (False, True, False, False)
    assert window_layers(facts_of("gemma4", {"window": 9}), 2) == (False, False)
    assert window_layers(facts_of("lfm2", {"window": 9}), 2) == (True, True)


def test_context_is_rounded_up() -> None:
    """The engine rounds the context up to a multiple of 256."""
    assert cache_bytes(facts_of("llama"), 1000, 1) == cache_bytes(facts_of("llama"), 1024, 1)


def test_mask_covers_both_caches() -> None:
    """A model with windows has two masks, one with a state only has none."""
    assert mask_cells(facts_of("llama"), 8192) == 8192
    assert mask_cells(facts_of("gemma3", {"window": 512}, block_count=6), 8192) == 8192 + 1024
    assert mask_cells(facts_of("lfm2", {"window": 128}), 8192) == 768
    assert mask_cells(facts_of("mamba"), 8192) == 0


@pytest.mark.parametrize(
    "facts",
    [
        facts_of("llama", block_count=None),
        facts_of("llama", embedding_length=None),
        facts_of("llama", head_count=None),
        facts_of("llama", block_count=MAX_LAYERS + 1),
        facts_of("llama", block_count=2**32 - 1),
    ],
)
def test_without_the_shape_there_is_no_size(facts: GgufFacts) -> None:
    """An incomplete or absurd header gives no size."""
    assert cache_bytes(facts, 4096, 1) is None


def test_absurd_counts_raise_no_error() -> None:
    """More draft layers than layers, more shared layers than there are: sizes stay at zero or above."""
    assert cache_bytes(facts_of("llama", {"predict_layers": 99}), 4096, 1) == 0
    assert cache_bytes(facts_of("gemma4", {"shared_cache_layers": 99}), 4096, 1) == 0

"""Estimates the memory need of a model and judges whether it fits. Pure; sizes in bytes, contexts in tokens."""

import math

from gglib.core.kinds import ENCODERS, is_single_batch
from gglib.core.memory import Fit, MachineMemory, MemoryNeed
from gglib.core.models import GgufFacts
from gglib.library.fit.cache_size import BATCH, F16_CACHE, CacheTypes, cache_bytes, mask_cells

_MIB = 1024**2
# Python, the engine's library and its threads, measured (bench/fit.py).
_PROCESS_BYTES = 26 * _MIB
# The engine's metadata of each cell in the cache: its sequence and token position.
_CELL_BYTES = 128
# A token of the vocabulary in the engine: its text, twice, and a lookup entry; and a merge of two tokens. Measured.
_TOKEN_BYTES = 250
_MERGE_BYTES = 200
# The number of vectors of the model's width, and of its feed-forward or state width, in a batch. Within one percent of
# what the engine reserves, for eight architectures (bench/fit.py).
_MODEL_VECTORS = 5
_FEED_FORWARD_VECTORS = 3
_STATE_VECTORS = 5
_F16_BYTES = 2
_F32_BYTES = 4
_PER_TOKEN_BYTES = 64
# Types whose weights are repacked on common CPUs (AVX2, or ARM with dot products)
# (ggml_repack_get_optimal_repack_type in ggml-cpu/repack.cpp).
_REPACKED_TYPES = frozenset({"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"})
# The share of a file in those types if the tensors are unknown; Q4_K_M mixes in Q6_K.
_REPACKED_SHARES = {
    "Q4_0": 0.85, "IQ4_NL": 0.85, "Q4_K_S": 0.85, "Q4_K_M": 0.6, "MXFP4": 0.85,
}  # fmt: skip


_USUAL_VOCABULARY = 128_000
# Bits per weight if only the file size is known: Q4_K_M has 4.8.
_USUAL_BITS = 5
# Cache bytes per token, divided by the square root of the parameter count: 1.6.
_CACHE_PER_ROOT = 8
_CACHE_ROOT_SHARE = 5
_MARGIN_SHARE = 10
_MARGIN_BYTES = 256 * _MIB
# The share of the memory that the system leaves to programs.
_USABLE_TENTHS = 8


def estimate(  # noqa: PLR0913 - what memory depends on
    facts: GgufFacts | None,
    *,
    weights_bytes: int,
    context: int,
    slots: int,
    parameter_count: int | None = None,
    cache_types: CacheTypes = F16_CACHE,
) -> MemoryNeed:
    """Return the memory need of a model with ``context`` tokens for each of ``slots`` requests.

    ``weights_bytes`` is the size of all files; ``facts`` have the capabilities and the pooling of the launch. Without
    facts, or if they lack the shape, it is estimated from the parameter count, and that from the size. The engine's
    cache of earlier prompts in RAM is not included: it grows with use, up to an eighth of the machine's memory, and is
    released by a restart.
    """
    cache = cache_bytes(facts, context, slots, cache_types) if facts else None
    compute = _compute_bytes(facts, context, slots) if facts else None
    parameters = (
        parameter_count or (facts.parameter_count if facts else None) or _guessed_parameters(weights_bytes)
    )
    stored_twice = _stored_twice_bytes(facts) if facts else 0
    return MemoryNeed(
        weights_bytes=weights_bytes + stored_twice,
        kv_bytes=_guessed_cache_bytes(parameters, context) * slots if cache is None else cache,
        compute_bytes=_guessed_compute_bytes(parameters, context, slots) if compute is None else compute,
        overhead_bytes=_overhead_bytes(facts, context * slots),
        left_behind_bytes=max(0, _repacked_bytes(facts, weights_bytes) - stored_twice) if facts else 0,
        is_exact=cache is not None and compute is not None,
    )


def judge_fit(need: MemoryNeed, memory: MachineMemory) -> Fit:
    """Return whether ``need`` fits into the free memory.

    With GPUs: it fits if the free memory of all GPUs together is enough, because the engine spreads the layers; it is
    tight if a part has to stay in RAM. Without GPUs only RAM counts. It fits with a margin of a tenth; it is tight
    without the margin, or if it would fit after closing other programs. Unknown values never make a model too large.
    """
    needed = need.total_bytes
    with_margin = needed + max(needed // _MARGIN_SHARE, _MARGIN_BYTES)
    on_gpus = sum(gpu.free_bytes for gpu in memory.gpus)
    if memory.gpus and with_margin <= on_gpus:
        return Fit.FITS
    available = memory.available_bytes
    if available is None:
        if memory.total_bytes is None:
            return Fit.TIGHT if memory.gpus else Fit.FITS
        return Fit.TOO_LARGE if needed > memory.total_bytes + on_gpus else Fit.TIGHT
    if not memory.gpus and with_margin <= available:
        return Fit.FITS
    most = max(available, (memory.total_bytes or 0) * _USABLE_TENTHS // 10)
    return Fit.TIGHT if needed <= most + on_gpus else Fit.TOO_LARGE


def _compute_bytes(facts: GgufFacts, context: int, slots: int) -> int | None:
    """Return the compute buffer of a batch with flash attention, which is the engine's default.

    The mask has one F16 element per token of the batch and cell of the cache. Logits are computed for one token per
    slot; for embedding models and rerankers, for each token of the batch, which is the whole context if an input is
    read in one batch. Encoders have no logits.
    """
    layers, width = facts.layers, facts.embedding_length
    if not width:
        return None
    feed_forward = layers.feed_forward_length or 0
    if layers.experts_used and layers.expert_feed_forward_length:
        feed_forward = max(feed_forward, layers.experts_used * layers.expert_feed_forward_length)
    inner = max(_FEED_FORWARD_VECTORS * feed_forward, _STATE_VECTORS * (layers.state_inner_size or 0))
    numbers = _MODEL_VECTORS * width + inner
    cells = mask_cells(facts, context)
    batch, outputs = BATCH, slots
    if facts.capabilities.embedding or facts.capabilities.rerank:
        batch = context if is_single_batch(facts.capabilities, facts.pooling) else BATCH
        outputs = 0 if facts.architecture in ENCODERS else batch
    logits = outputs * (facts.vocabulary_size or 0) * _F32_BYTES
    return batch * (numbers * _F32_BYTES + cells * _F16_BYTES + _PER_TOKEN_BYTES) + logits


def _overhead_bytes(facts: GgufFacts | None, cells: int) -> int:
    vocabulary = (facts.vocabulary_size if facts else None) or _USUAL_VOCABULARY
    merges = (facts.merge_count if facts else None) or 0
    return _PROCESS_BYTES + vocabulary * _TOKEN_BYTES + merges * _MERGE_BYTES + cells * _CELL_BYTES


def _stored_twice_bytes(facts: GgufFacts) -> int:
    """Return the bytes kept in both forms: an embedding used for lookups (original) and output (repacked)."""
    is_twice = facts.embedding_type in _REPACKED_TYPES and not facts.has_output
    return (facts.embedding_bytes or 0) if is_twice else 0


def _repacked_bytes(facts: GgufFacts, weights_bytes: int) -> int:
    if not facts.type_bytes:
        return int(weights_bytes * _REPACKED_SHARES.get(facts.quantization or "", 0.0))
    repacked = sum(size for name, size in facts.type_bytes if name in _REPACKED_TYPES)
    if facts.has_output and facts.embedding_type in _REPACKED_TYPES:
        repacked -= facts.embedding_bytes or 0  # only used for lookups, so never repacked
    return repacked


def _guessed_parameters(weights_bytes: int) -> int:
    return weights_bytes * 8 // _USUAL_BITS


def _guessed_cache_bytes(parameters: int, context: int) -> int:
    """Estimate by the square root: 16 KiB per token at 0.1 billion parameters, 160 KiB at 10, 500 KiB at 100.

    Models with grouped-query attention have, in KiB: Llama 3.2 1B 32, Qwen3 4B 144, Llama 3.1 8B 128, Qwen3 32B 256,
    Llama 3.3 70B 320.
    """
    return context * math.isqrt(max(parameters, 1)) * _CACHE_PER_ROOT // _CACHE_ROOT_SHARE


def _guessed_compute_bytes(parameters: int, context: int, slots: int) -> int:
    """Assume a width of 1.3 times the cube root of the parameters, and a feed-forward of three times the width."""
    width = int(1.3 * max(parameters, 1) ** (1 / 3)) + 1
    numbers = (_MODEL_VECTORS + 3 * _FEED_FORWARD_VECTORS) * width
    return BATCH * (numbers * _F32_BYTES + context * _F16_BYTES) + slots * _USUAL_VOCABULARY * _F32_BYTES

"""How much memory a model takes, and whether a machine has it. Pure; sizes in bytes, contexts in tokens."""

import math

from gglib.core.kinds import ENCODERS, is_single_batch
from gglib.core.memory import Fit, MachineMemory, MemoryNeed
from gglib.core.models import GgufFacts
from gglib.library.fit.cache_size import BATCH, cache_bytes, mask_cells

_MIB = 1024**2
# Python, the engine's library and its threads, measured (bench/fit.py).
_PROCESS_BYTES = 26 * _MIB
# What the engine notes of each place in the cache: whose it is, and of what token.
_PLACE_BYTES = 128
# A token of the vocabulary, as the engine holds it: its text, twice, and what finds it by its text; and how two of them
# become one. Measured.
_TOKEN_BYTES = 250
_MERGE_BYTES = 200
# How many vectors as wide as the model, and as wide as its feed-forward or its state, a batch needs at a time: what the
# engine reserves for eight architectures is this to the percent (bench/fit.py).
_MODEL_VECTORS = 5
_FEED_FORWARD_VECTORS = 3
_STATE_VECTORS = 5
_F16_BYTES = 2
_F32_BYTES = 4
_PER_TOKEN_BYTES = 64
# Types of which every usual processor (AVX2, or ARM with dot products) gets the weights in another order
# (ggml_repack_get_optimal_repack_type in ggml-cpu/repack.cpp).
_REPACKED_TYPES = frozenset({"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"})
# How much of a file is of those types, where the tensors are not known; Q4_K_M mixes in Q6_K.
_REPACKED_SHARES = {
    "Q4_0": 0.85, "IQ4_NL": 0.85, "Q4_K_S": 0.85, "Q4_K_M": 0.6, "MXFP4": 0.85,
}  # fmt: skip


_USUAL_VOCABULARY = 128_000
# Of a weight, where only the size of a file is known: Q4_K_M has 4.8.
_USUAL_BITS = 5
# A token's cache in bytes, by the root of the parameter count: 1.6.
_CACHE_PER_ROOT = 8
_CACHE_ROOT_SHARE = 5
_MARGIN_SHARE = 10
_MARGIN_BYTES = 256 * _MIB
# What the system itself leaves to programs of a machine's memory.
_USABLE_TENTHS = 8


def estimate(
    facts: GgufFacts | None,
    *,
    weights_bytes: int,
    context: int,
    slots: int,
    parameter_count: int | None = None,
) -> MemoryNeed:
    """Return what a model takes when gglib launches it with ``context`` tokens for each of ``slots`` requests.

    ``weights_bytes`` are all its files; ``facts`` have the capabilities and the pooling that it is launched for.
    Without them, or where they do not tell the shape, it is guessed from the parameter count, and that from the size.
    Not counted: what the engine keeps of earlier prompts in RAM. That grows with use only, at most to an eighth of the
    machine's memory, and is given up by a restart.
    """
    cache = cache_bytes(facts, context, slots) if facts else None
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
    """Return whether ``need`` goes into the memory that is free now.

    With graphics processors: it fits if all of it goes into their free memory together, for the engine spreads the
    layers over them; it is tight if a part has to stay in RAM, for the engine then offloads what fits. Else RAM alone.
    It fits with a tenth to spare; it is tight if it would go in with nothing to spare, or into a machine that had
    nothing else in its memory (other programs can be closed). What is not known never makes a model too large.
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
    """Return what a batch needs while it is computed, with flash attention, which the engine chooses by itself.

    A mask says for each token of the batch and each place in the cache whether the one sees the other (F16). Logits
    are computed for one token a slot; in a model that embeds or reranks, for each token of the batch, which is the
    whole context where an input is read whole. Encoders have no logits.
    """
    layers, width = facts.layers, facts.embedding_length
    if not width:
        return None
    feed_forward = layers.feed_forward_length or 0
    if layers.experts_used and layers.expert_feed_forward_length:
        feed_forward = max(feed_forward, layers.experts_used * layers.expert_feed_forward_length)
    inner = max(_FEED_FORWARD_VECTORS * feed_forward, _STATE_VECTORS * (layers.state_inner_size or 0))
    numbers = _MODEL_VECTORS * width + inner
    places = mask_cells(facts, context)
    batch, outputs = BATCH, slots
    if facts.capabilities.embedding or facts.capabilities.rerank:
        batch = context if is_single_batch(facts.capabilities, facts.pooling) else BATCH
        outputs = 0 if facts.architecture in ENCODERS else batch
    logits = outputs * (facts.vocabulary_size or 0) * _F32_BYTES
    return batch * (numbers * _F32_BYTES + places * _F16_BYTES + _PER_TOKEN_BYTES) + logits


def _overhead_bytes(facts: GgufFacts | None, places: int) -> int:
    vocabulary = (facts.vocabulary_size if facts else None) or _USUAL_VOCABULARY
    merges = (facts.merge_count if facts else None) or 0
    return _PROCESS_BYTES + vocabulary * _TOKEN_BYTES + merges * _MERGE_BYTES + places * _PLACE_BYTES


def _stored_twice_bytes(facts: GgufFacts) -> int:
    """Return what is used in both forms: an embedding that is looked up in as it is, and multiplied with anew."""
    is_twice = facts.embedding_type in _REPACKED_TYPES and not facts.has_output
    return (facts.embedding_bytes or 0) if is_twice else 0


def _repacked_bytes(facts: GgufFacts, weights_bytes: int) -> int:
    if not facts.type_bytes:
        return int(weights_bytes * _REPACKED_SHARES.get(facts.quantization or "", 0.0))
    repacked = sum(size for name, size in facts.type_bytes if name in _REPACKED_TYPES)
    if facts.has_output and facts.embedding_type in _REPACKED_TYPES:
        repacked -= facts.embedding_bytes or 0  # only looked up in, never multiplied with
    return repacked


def _guessed_parameters(weights_bytes: int) -> int:
    return weights_bytes * 8 // _USUAL_BITS


def _guessed_cache_bytes(parameters: int, context: int) -> int:
    """Grow with the root: 16 KiB a token at 0.1 billion parameters, 160 KiB at 10, 500 KiB at 100.

    Models with grouped heads have, in KiB: Llama 3.2 1B 32, Qwen3 4B 144, Llama 3.1 8B 128, Qwen3 32B 256, Llama 3.3
    70B 320.
    """
    return context * math.isqrt(max(parameters, 1)) * _CACHE_PER_ROOT // _CACHE_ROOT_SHARE


def _guessed_compute_bytes(parameters: int, context: int, slots: int) -> int:
    """Take a model's width for 1.3 times the cube root of its parameters, and its feed-forward for three times that."""
    width = int(1.3 * max(parameters, 1) ** (1 / 3)) + 1
    numbers = (_MODEL_VECTORS + 3 * _FEED_FORWARD_VECTORS) * width
    return BATCH * (numbers * _F32_BYTES + context * _F16_BYTES) + slots * _USUAL_VOCABULARY * _F32_BYTES

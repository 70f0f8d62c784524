"""The memory need of a model, part by part, and whether a machine has it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.memory import Fit, GpuMemory, MachineMemory, MemoryNeed
from gglib.core.models import GgufFacts, LayerFacts, ModelCapabilities, Pooling
from gglib.library.fit.estimate import estimate, judge_fit

MIB = 1024**2
GIB = 1024**3

LLAMA_8B = GgufFacts(
    architecture="llama",
    parameter_count=8_030_000_000,
    quantization="Q4_K_M",
    block_count=32,
    embedding_length=4096,
    head_count=32,
    head_count_kv=8,
    vocabulary_size=128_256,
    layers=LayerFacts(feed_forward_length=14_336),
)
FILE_8B = 4_920_000_000


def need_of(total_bytes: int, *, left_behind_bytes: int = 0) -> MemoryNeed:
    """Return a need of the given bytes."""
    return MemoryNeed(
        weights_bytes=total_bytes,
        kv_bytes=0,
        compute_bytes=0,
        overhead_bytes=0,
        left_behind_bytes=left_behind_bytes,
        is_exact=True,
    )


def machine(available: int | None = None, total: int | None = None, *gpus: int) -> MachineMemory:
    """Return a machine with the given GiB."""
    return MachineMemory(
        total_bytes=None if total is None else total * GIB,
        available_bytes=None if available is None else available * GIB,
        gpus=tuple(GpuMemory(name="gpu", total_bytes=24 * GIB, free_bytes=free * GIB) for free in gpus),
    )


def test_parts_of_a_usual_model() -> None:
    """Weights, cache, buffers and overhead of Llama 3.1 8B at 8192 tokens are those that the engine reports."""
    need = estimate(LLAMA_8B, weights_bytes=FILE_8B, context=8192, slots=1)

    assert need.is_exact
    assert need.weights_bytes == FILE_8B
    assert need.kv_bytes == 1024 * MIB
    assert need.compute_bytes == pytest.approx(
        512 * (4 * (5 * 4096 + 3 * 14_336) + 2 * 8192) + 4 * 128_256, rel=0.01
    )
    assert 22 * MIB < need.overhead_bytes < 80 * MIB
    assert need.total_bytes == sum(
        (need.weights_bytes, need.kv_bytes, need.compute_bytes, need.overhead_bytes)
    )


def test_a_slot_adds_its_cache_positions_and_logits() -> None:
    """Two more slots take two more caches, position tables and logits; weights and masks are allocated once."""
    single, three = (estimate(LLAMA_8B, weights_bytes=FILE_8B, context=8192, slots=slots) for slots in (1, 3))

    assert three.weights_bytes == single.weights_bytes
    assert three.kv_bytes == 3 * single.kv_bytes
    assert three.compute_bytes - single.compute_bytes == 2 * 4 * 128_256
    assert three.overhead_bytes - single.overhead_bytes == 2 * 8192 * 128


QWEN_MOE = GgufFacts(
    architecture="qwen3moe",
    block_count=8,
    embedding_length=512,
    head_count=16,
    head_count_kv=4,
    key_length=64,
    value_length=64,
    vocabulary_size=32_000,
    layers=LayerFacts(feed_forward_length=512, experts_used=4, expert_feed_forward_length=512),
)
TINY = replace(
    QWEN_MOE,
    architecture="llama",
    embedding_length=64,
    vocabulary_size=354,
    layers=LayerFacts(feed_forward_length=128),
)


@pytest.mark.parametrize(
    ("facts", "pooling", "context", "measured_mib"),
    [
        (QWEN_MOE, "mean", 2048, 278.09),
        (QWEN_MOE, "mean", 4096, 572.17),
        (QWEN_MOE, "last", 2048, 69.52),
        (TINY, "mean", 8192, 146.34),
        (TINY, "rank", 8192, 146.31),
        (TINY, "last", 8192, 9.14),
        (replace(TINY, architecture="bert"), "mean", 8192, 142.22),
        (replace(TINY, architecture="bert"), "mean", 2048, 11.55),
    ],
)
def test_buffers_of_embedding_and_reranking_models(
    facts: GgufFacts, pooling: Pooling, context: int, measured_mib: float
) -> None:
    """Each input is one batch, with a logit for each of its tokens: the wheel's (b11549) figures, and a margin."""
    is_reranker = pooling == "rank"
    launched = replace(
        facts, capabilities=ModelCapabilities(embedding=not is_reranker, rerank=is_reranker), pooling=pooling
    )
    found = estimate(launched, weights_bytes=1, context=context, slots=4).compute_bytes / MIB
    assert measured_mib < found < measured_mib * 1.2


def test_experts_in_use_count_for_the_buffers() -> None:
    """A batch needs room for each expert that a token uses."""
    dense = LayerFacts(feed_forward_length=1024)
    sparse = LayerFacts(feed_forward_length=1024, experts_used=8, expert_feed_forward_length=768)
    sizes = [
        estimate(GgufFacts(architecture="qwen3moe", block_count=1, embedding_length=64, head_count=1, layers=layers),
                 weights_bytes=1, context=512, slots=1).compute_bytes
        for layers in (dense, sparse)
    ]  # fmt: skip

    assert sizes[1] - sizes[0] == 512 * 4 * 3 * (8 * 768 - 1024)


def test_a_state_counts_for_the_buffers() -> None:
    """A layer with a state needs room for a batch as wide as the state's inner size, if that is the larger one."""
    layers = LayerFacts(state_inner_size=512, state_size=16)
    mamba = GgufFacts(architecture="mamba", block_count=1, embedding_length=256, layers=layers)

    assert estimate(mamba, weights_bytes=1, context=512, slots=1).compute_bytes == 512 * (
        4 * 5 * (256 + 512) + 64
    )


def test_repacked_weights_are_counted_separately() -> None:
    """Repacked weights leave their first form behind; an embedding that is used in both forms is stored twice."""
    usual = {"architecture": "llama", "block_count": 1, "embedding_length": 64, "head_count": 1}
    tensors = {"type_bytes": (("F32", 5), ("Q4_K", 700), ("Q6_K", 200)), "embedding_bytes": 100}

    def parts(**more: object) -> tuple[int, int]:
        need = estimate(GgufFacts(**usual, **tensors, **more), weights_bytes=905, context=256, slots=1)  # type: ignore[arg-type]
        return need.weights_bytes, need.left_behind_bytes

    assert parts(embedding_type="Q6_K", has_output=False) == (905, 700)
    assert parts(embedding_type="Q4_K", has_output=True) == (905, 600)
    assert parts(embedding_type="Q4_K", has_output=False) == (1005, 600)


def test_repacked_share_is_guessed_from_the_quantization() -> None:
    """Of a remote file only the quantization is known: the repacked share is guessed from it."""
    assert estimate(LLAMA_8B, weights_bytes=1000, context=256, slots=1).left_behind_bytes == 600
    other = GgufFacts(architecture="llama", quantization="Q8_0")
    assert estimate(other, weights_bytes=1000, context=256, slots=1).left_behind_bytes == 0


def test_merges_and_vocabulary_take_memory() -> None:
    """A larger vocabulary, and one with merges, takes more of the process's memory."""
    small, large, merged = (
        estimate(
            GgufFacts(architecture="llama", vocabulary_size=size, merge_count=merges),
            weights_bytes=1,
            context=1,
            slots=1,
        )
        for size, merges in ((1000, None), (100_000, None), (100_000, 100_000))
    )

    assert small.overhead_bytes < large.overhead_bytes < merged.overhead_bytes


@pytest.mark.parametrize(
    ("facts", "file_bytes", "parameters"),
    [
        (LLAMA_8B, FILE_8B, 8_030_000_000),
        (
            GgufFacts(architecture="llama", block_count=16, embedding_length=2048, head_count=32, head_count_kv=8,
                      vocabulary_size=128_256, layers=LayerFacts(feed_forward_length=8192)),
            808_000_000, 1_240_000_000,
        ),
        (
            GgufFacts(architecture="qwen2", block_count=64, embedding_length=5120, head_count=40, head_count_kv=8,
                      vocabulary_size=152_064, layers=LayerFacts(feed_forward_length=27_648)),
            19_850_000_000, 32_800_000_000,
        ),
        (
            GgufFacts(architecture="llama", block_count=80, embedding_length=8192, head_count=64, head_count_kv=8,
                      vocabulary_size=128_256, layers=LayerFacts(feed_forward_length=28_672)),
            42_500_000_000, 70_600_000_000,
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("context", [4096, 8192])
def test_guess_is_near_the_estimate_of_usual_models(
    facts: GgufFacts, file_bytes: int, parameters: int, context: int
) -> None:
    """Without a header the guess is within a fifth of the estimate with one, with and without the parameter count."""
    exact = estimate(facts, weights_bytes=file_bytes, context=context, slots=1)
    for count in (parameters, None):
        guess = estimate(None, weights_bytes=file_bytes, context=context, parameter_count=count, slots=1)

        assert not guess.is_exact
        assert guess.total_bytes == pytest.approx(exact.total_bytes, rel=0.2)
        more = estimate(None, weights_bytes=file_bytes, context=context, slots=4, parameter_count=count)
        assert more.kv_bytes == 4 * guess.kv_bytes


def test_header_without_the_shape_is_a_guess_too() -> None:
    """A header without the shape gives a guess, from the fields that it has."""
    need = estimate(GgufFacts(architecture="llama"), weights_bytes=FILE_8B, context=8192, slots=1)

    assert not need.is_exact
    assert need == estimate(None, weights_bytes=FILE_8B, context=8192, slots=1)


@pytest.mark.parametrize(
    ("need_gib", "memory", "expected"),
    [
        # RAM alone: a tenth to spare, nothing to spare, what other programs have, and beyond.
        (4, machine(8, 16), Fit.FITS),
        (7, machine(8, 16), Fit.FITS),
        (7.5, machine(8, 16), Fit.TIGHT),
        (8, machine(8, 16), Fit.TIGHT),
        (12, machine(8, 16), Fit.TIGHT),
        (13, machine(8, 16), Fit.TOO_LARGE),
        (9, machine(8, None), Fit.TOO_LARGE),
        # All of it on the processors, together; then a part of it; then not at all.
        (10, machine(8, 16, 12), Fit.FITS),
        (20, machine(8, 16, 12, 12), Fit.FITS),
        (20, machine(16, 32, 12), Fit.TIGHT),
        (6, machine(16, 32, 4), Fit.TIGHT),
        (60, machine(16, 32, 12), Fit.TOO_LARGE),
        # Not known: never too large without ground, and never promised where the processors are too small.
        (500, machine(None, None), Fit.FITS),
        (12, machine(None, 16), Fit.TIGHT),
        (17, machine(None, 16), Fit.TOO_LARGE),
        (500, machine(None, None, 8), Fit.TIGHT),
        (4, machine(None, None, 8), Fit.FITS),
    ],
)
def test_verdicts(need_gib: float, memory: MachineMemory, expected: Fit) -> None:
    """Each need on each machine has its verdict."""
    assert judge_fit(need_of(int(need_gib * GIB)), memory) is expected


def test_small_models_need_a_margin_in_bytes() -> None:
    """A tenth of a small model is not enough of a margin."""
    memory = MachineMemory(total_bytes=GIB, available_bytes=500 * MIB)

    assert judge_fit(need_of(200 * MIB), memory) is Fit.FITS
    assert judge_fit(need_of(300 * MIB), memory) is Fit.TIGHT


def test_reclaimable_pages_do_not_count() -> None:
    """Pages that the engine never reads again leave the memory when others need it."""
    assert judge_fit(need_of(4 * GIB, left_behind_bytes=40 * GIB), machine(8, 16)) is Fit.FITS


ORDER = [Fit.FITS, Fit.TIGHT, Fit.TOO_LARGE]
SIZES = st.integers(0, 64 * GIB)


@given(
    smaller=SIZES,
    more=SIZES,
    available=st.none() | SIZES,
    total=st.none() | SIZES,
    free=st.lists(SIZES, max_size=3),
)
def test_a_larger_need_is_never_judged_better(
    smaller: int, more: int, available: int | None, total: int | None, free: list[int]
) -> None:
    """On the same machine a larger need is never judged better than a smaller one."""
    gpus = tuple(GpuMemory(name="gpu", total_bytes=size, free_bytes=size) for size in free)
    memory = MachineMemory(total_bytes=total, available_bytes=available, gpus=gpus)
    verdicts = [judge_fit(need_of(size), memory) for size in (smaller, smaller + more)]

    assert ORDER.index(verdicts[0]) <= ORDER.index(verdicts[1])

"""One header applies to all models of a repository."""

from dataclasses import replace

import pytest

from gglib.core.context import FALLBACK_TRAINED_CONTEXT, UNLIMITED_CONTEXT
from gglib.core.hub.repository import HubFile
from gglib.core.hub.variants import Variants
from gglib.core.kinds import MAX_SINGLE_BATCH_CONTEXT
from gglib.core.memory import Fit, MachineMemory, MemoryNeed
from gglib.core.models import GgufFacts, ModelCapabilities
from gglib.library.fit.estimate import estimate
from gglib.library.variants.find import find_variants
from gglib.library.variants.fits import context_to_judge, fits_of

GB = 10**9
FACTS = GgufFacts(
    architecture="llama",
    quantization="Q4_0",
    block_count=16,
    embedding_length=2048,
    head_count=32,
    head_count_kv=8,
    vocabulary_size=128_256,
    type_bytes=(("Q4_0", GB),),
    embedding_type="Q4_0",
    embedding_bytes=GB // 10,
)


def needs_of(
    variants: Variants, facts: GgufFacts | None, *, parameter_count: int | None
) -> dict[str, MemoryNeed]:
    """Return the needs at 4,096 tokens with two slots, on a machine that has room for anything."""
    fits = fits_of(
        variants,
        facts,
        context=4096,
        slots=2,
        memory=MachineMemory(total_bytes=None, available_bytes=1000 * GB),
        parameter_count=parameter_count,
    )
    assert {fit.slots for fit in fits.values()} == {2}
    return {name: fit.need for name, fit in fits.items()}


def of(sizes: dict[str, int]) -> Variants:
    """Return the variants of a repository with files of these sizes."""
    return find_variants(HubFile(name=name, size_bytes=size) for name, size in sizes.items())


def test_quantizations_share_the_shape_and_have_their_own_types() -> None:
    """One file may have its embedding in a repacked type, another one not."""
    needs = needs_of(of({"m-Q4_0.gguf": GB, "m-Q8_0.gguf": 2 * GB}), FACTS, parameter_count=None)
    small, large = needs["m-Q4_0.gguf"], needs["m-Q8_0.gguf"]
    assert small == estimate(FACTS, weights_bytes=GB, context=4096, slots=2)
    assert small.weights_bytes > GB
    assert large.weights_bytes == 2 * GB
    assert large.kv_bytes == small.kv_bytes
    assert large.is_exact
    own = replace(FACTS, quantization="Q8_0", type_bytes=(), embedding_type=None, embedding_bytes=None)
    assert large == estimate(own, weights_bytes=2 * GB, context=4096, slots=2)


def test_of_several_models_only_the_read_one_is_known() -> None:
    """The hub's parameter count may belong to any of them."""
    variants = of({"1B-Q8_0.gguf": GB, "9B-Q8_0.gguf": 9 * GB})
    needs = needs_of(variants, FACTS, parameter_count=GB)
    assert needs["1B-Q8_0.gguf"].is_exact
    assert needs["9B-Q8_0.gguf"] == estimate(None, weights_bytes=9 * GB, context=4096, slots=2)


def test_without_a_header_the_metadata_of_the_hub_counts() -> None:
    """As far as the hub has any."""
    needs = needs_of(of({"m-Q8_0.gguf": GB}), None, parameter_count=2 * GB)
    assert needs == {
        "m-Q8_0.gguf": estimate(None, weights_bytes=GB, context=4096, slots=2, parameter_count=2 * GB)
    }


def test_model_that_fits_with_one_slot_fits() -> None:
    """Slots are reduced before a model is judged tight; companion files count."""
    variants = of({"m-Q4_0.gguf": GB})
    single = estimate(FACTS, weights_bytes=GB, context=65_536, slots=1).total_bytes

    def fit(free_bytes: int, more_bytes: int = 0) -> tuple[int, Fit]:
        memory = MachineMemory(total_bytes=free_bytes, available_bytes=free_bytes)
        (found,) = fits_of(
            variants,
            FACTS,
            context=65_536,
            slots=4,
            memory=memory,
            parameter_count=None,
            more_bytes=more_bytes,
        ).values()
        return found.slots, found.fit

    assert fit(single * 5 // 4) == (1, Fit.FITS)
    assert fit(single * 4) == (4, Fit.FITS)
    assert fit(single) == (1, Fit.TIGHT)
    assert fit(single * 4, more_bytes=single) == (3, Fit.FITS)
    assert fit(single // 2) == (1, Fit.TOO_LARGE)


@pytest.mark.parametrize(
    ("default", "in_header", "trained", "judged"),
    [
        (8192, None, None, 8192),
        (8192, 4096, None, 4096),
        (8192, 4096, 2048, 4096),
        (8192, None, 2048, 2048),
        (8192, 32_768, None, 8192),
        (UNLIMITED_CONTEXT, 32_768, None, 32_768),
        (UNLIMITED_CONTEXT, None, None, FALLBACK_TRAINED_CONTEXT),
    ],
)
def test_memory_is_judged_for_the_context_of_a_launch(
    default: int, in_header: int | None, trained: int | None, judged: int
) -> None:
    """The default, but no more than the trained context; also without a header."""
    assert context_to_judge(default, replace(FACTS, trained_context=in_header), trained) == judged
    if in_header is None:
        assert context_to_judge(default, None, trained) == judged


def test_pooling_model_is_judged_with_its_launch_configuration() -> None:
    """Its context is bounded by more than the trained one, and so are the buffers of an input."""
    embedding = replace(
        FACTS, trained_context=131_072, capabilities=ModelCapabilities(embedding=True), pooling="mean"
    )
    assert context_to_judge(UNLIMITED_CONTEXT, embedding, None) == MAX_SINGLE_BATCH_CONTEXT
    assert context_to_judge(UNLIMITED_CONTEXT, replace(embedding, pooling="last"), None) == 131_072

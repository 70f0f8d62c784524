"""What would fit instead of a model that is too large."""

import pytest

from gglib.core.models import ModelCapabilities, ModelSource, ModelSummary
from gglib.library.fit.advice import advice_text, smaller_contexts, smaller_quantizations


@pytest.mark.parametrize(
    ("context", "smaller"),
    [
        (16_384, [8192, 4096, 2048]),
        (10_000, [8192, 4096, 2048]),
        (2049, [2048]),
        (2048, []),
        (1, []),
    ],
)
def test_smaller_contexts_are_powers_of_two(context: int, smaller: list[int]) -> None:
    """As a request's context is rounded at a launch, down to 2048."""
    assert list(smaller_contexts(context)) == smaller


def model(number: int, name: str, size: int | None, repo: str | None = None, **can: bool) -> ModelSummary:
    """Return a model."""
    return ModelSummary(
        id=number,
        name=name,
        size_bytes=size,
        source=ModelSource(repo=repo),
        capabilities=ModelCapabilities(**can),
    )


def test_smaller_quantizations_of_the_same_model() -> None:
    """From the same repository, or with the same name but for the label; the largest first."""
    large = model(1, "Qwen/Qwen3-8B:Q8_0", 8, "Qwen/Qwen3-8B-GGUF")
    others = [
        large,
        model(2, "qwen/qwen3-8b-q4_k_m", 4),
        model(3, "mine", 5, "Qwen/Qwen3-8B-GGUF"),
        model(4, "Qwen/Qwen3-8B:F16", 16, "Qwen/Qwen3-8B-GGUF"),
        model(5, "Qwen/Qwen3-4B:Q8_0", 4),
        model(6, "Qwen/Qwen3-8B:Q6_K", None),
        model(7, "Qwen/Qwen3-8B:Q6_K", 6, embedding=True),
        model(8, "Qwen/Qwen3-8B", 3),
    ]
    assert [other.id for other in smaller_quantizations(large, others)] == [3, 2]


def test_advice_names_commands() -> None:
    """One sentence, whose commands can be typed as they are."""
    assert advice_text("m 1", context=4096, other="m:Q4_0") == (
        "A context of 4096 tokens would fit (\"gglib set --ctx 4096 'm 1'\"), and the smaller quantization "
        "'m:Q4_0' would fit ('gglib load m:Q4_0')."
    )
    assert advice_text("m", context=None, other="n") == (
        "The smaller quantization 'n' would fit ('gglib load n')."
    )
    assert advice_text("m", context=None, other=None) == ""

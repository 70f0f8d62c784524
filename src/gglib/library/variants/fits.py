"""Judges which variants of a repository fit a machine, given the header of only one of them. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from gglib.core.context import ContextRequest
from gglib.core.hub.variants import Variant, Variants
from gglib.core.kinds import context_ceiling
from gglib.core.memory import MachineMemory
from gglib.core.models import GgufFacts
from gglib.library.fit.slots import SlotFit, model_fit


def context_to_judge(default: int, facts: GgufFacts | None, trained: int | None) -> int:
    """Return the context in tokens that a model is launched with by default.

    ``trained`` is the trained context according to the hub; the header takes precedence.
    """
    if facts is not None:
        trained = context_ceiling(facts.trained_context or trained, facts.capabilities, facts.pooling)
    return ContextRequest(requested=None, model_setting=None, default=default, trained=trained).needed


def fits_of(  # noqa: PLR0913 - what a fit depends on
    variants: Variants,
    facts: GgufFacts | None,
    *,
    context: int,
    slots: int,
    memory: MachineMemory,
    parameter_count: int | None,
    more_bytes: int = 0,
) -> Mapping[str, SlotFit]:
    """Return how each variant fits, by the name of its first file; ``facts`` are those of the smallest variant.

    ``slots`` is the requested number; ``more_bytes`` is loaded in addition to each variant, such as a projector.

    All quantizations of one model share its shape, but not its tensor types. If a repository has several models, the
    header and the hub's ``parameter_count`` do not apply to the others.
    """
    is_one_model = all(variant.is_unique for variant in variants.models)
    return {
        variant.first.name: model_fit(
            _facts_of(variant, facts, is_one_model=is_one_model, is_read=index == 0) if facts else None,
            weights_bytes=variant.size_bytes + more_bytes,
            context=context,
            slots=slots,
            memory=memory,
            parameter_count=parameter_count if is_one_model else None,
        )
        for index, variant in enumerate(variants.models)
    }


def _facts_of(variant: Variant, facts: GgufFacts, *, is_one_model: bool, is_read: bool) -> GgufFacts | None:
    if is_read:
        return facts
    if not is_one_model:
        return None
    return replace(
        facts, quantization=variant.quantization, type_bytes=(), embedding_type=None, embedding_bytes=None
    )

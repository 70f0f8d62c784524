"""Combinations of engine arguments that the engine would refuse at the load. Pure."""

from collections.abc import Mapping, Sequence

from gglib.core.errors import EngineArgumentError
from gglib.core.models import GgufFacts
from gglib.runtime.engines.llama_cpp.options.parsing import final_values

_PLAIN_TYPES = ("f32", "f16", "bf16")
_BLOCK = 32
"""Elements in a block of every quantized type of the cache."""


def check_combinations(arguments: Sequence[str]) -> None:
    """Raise ``EngineArgumentError`` for options that exclude each other. Raises like ``parse_engine_args``, too.

    Seen in llama.cpp b11549: a quantized cache of values without flash attention ends the load.
    """
    values = final_values(arguments)
    if is_quantized(values, "--cache-type-v") and values.get("--flash-attn") == "off":
        raise EngineArgumentError(
            f"'--cache-type-v {values['--cache-type-v']}' needs flash attention: leave out '--flash-attn off'."
        )
    if "--chat-template" in values and "--chat-template-file" in values:
        raise EngineArgumentError(
            "'--chat-template' and '--chat-template-file' exclude each other: leave one out."
        )
    if "--spec-type" in values and "draft-simple" in values["--spec-type"] and "--model-draft" not in values:
        raise EngineArgumentError("'--spec-type draft-simple' needs a draft model: add '--model-draft FILE'.")
    if "--reasoning-budget-message" in values and "--reasoning-budget" not in values:
        raise EngineArgumentError("'--reasoning-budget-message' needs '--reasoning-budget N' with a limit.")


def check_for_model(arguments: Sequence[str], facts: GgufFacts) -> None:
    """Raise ``EngineArgumentError`` for options that do not go with a model."""
    values = final_values(arguments)
    for name, own in (("--cache-type-k", facts.key_length), ("--cache-type-v", facts.value_length)):
        length = own or _head_length(facts)
        if is_quantized(values, name) and length is not None and length % _BLOCK:
            raise EngineArgumentError(
                f"'{name} {values[name]}' needs attention heads of a multiple of {_BLOCK} elements, but this model's "
                f"have {length}: use f16 or bf16."
            )


def is_quantized(values: Mapping[str, str], name: str) -> bool:
    """Whether a cache type is set to a quantized one."""
    return name in values and values[name] not in _PLAIN_TYPES


def _head_length(facts: GgufFacts) -> int | None:
    if not facts.embedding_length or not facts.head_count:
        return None
    return facts.embedding_length // facts.head_count

"""How far a model's engine arguments extend its context beyond the trained one. Pure.

With RoPE scaling (YaRN or linear), positions are scaled so that a model reads a multiple of the context that it was
trained for. The option names are those of llama.cpp.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress

_SCALING, _SCALE, _FREQUENCY_SCALE = "--rope-scaling", "--rope-scale", "--rope-freq-scale"
_ORIGINAL = "--yarn-orig-ctx"
_NAMES = (_SCALING, _SCALE, _FREQUENCY_SCALE, _ORIGINAL)
MAX_FACTOR = 1024
"""More is a mistake: no model is of use there."""


def extended_context(trained: int | None, engine_args: Sequence[str]) -> int | None:
    """Return the largest context in tokens with a model's engine arguments; ``trained`` unless they extend it."""
    factor = context_factor(engine_args)
    original = original_context(engine_args) or trained
    if original is None or factor <= 1:
        return trained
    return max(trained or 0, int(original * factor))


def context_factor(engine_args: Sequence[str]) -> float:
    """Return how many times the trained context is used: 1 unless the arguments scale positions."""
    factor, scaling = 1.0, None
    for name, text in _values(engine_args):
        if name == _SCALING:
            scaling = text
        elif name in {_SCALE, _FREQUENCY_SCALE}:
            factor = _factor(name, text)
    return factor if scaling != "none" and 1 < factor <= MAX_FACTOR else 1.0


def original_context(engine_args: Sequence[str]) -> int | None:
    """Return the trained context that ``--yarn-orig-ctx`` states; None: the header's."""
    stated = [text for name, text in _values(engine_args) if name == _ORIGINAL]
    return int(stated[-1]) if stated and stated[-1].isdecimal() and int(stated[-1]) > 0 else None


def _factor(name: str, text: str) -> float:
    with suppress(ValueError, ZeroDivisionError):
        value = float(text) if name == _SCALE else 1 / float(text)
        return value if math.isfinite(value) else 1.0
    return 1.0


def _values(engine_args: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the options of ``_NAMES`` with their texts, as ``NAME VALUE`` or ``NAME=VALUE``."""
    rest = iter(engine_args)
    for argument in rest:
        name, has_value, text = argument.partition("=")
        if name in _NAMES:
            yield name, text if has_value else next(rest, "")

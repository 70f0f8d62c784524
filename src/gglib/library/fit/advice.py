"""What would fit instead of a model that is too large: a smaller context, or another quantization. Pure."""

from collections.abc import Iterator

from gglib.core.hub.quantizations import label_of, without_label
from gglib.core.models import ModelSummary
from gglib.core.shell_quoting import quoted_command

MIN_CONTEXT = 2048
"""A chat with less context is of little use."""


def smaller_contexts(context: int) -> Iterator[int]:
    """Yield the powers of two below ``context``, largest first, down to ``MIN_CONTEXT``."""
    smaller = 1 << max(0, (context - 1).bit_length() - 1)
    while smaller >= MIN_CONTEXT:
        yield smaller
        smaller //= 2


def smaller_quantizations(model: ModelSummary, models: list[ModelSummary]) -> list[ModelSummary]:
    """Return the smaller models that are quantizations of the same base model, largest first.

    These come from the same repository, or differ in the quantization in their names only.
    """
    size = model.size_bytes or 0
    found = [other for other in models if 0 < (other.size_bytes or 0) < size and _is_same_base(model, other)]
    return sorted(found, key=lambda other: other.size_bytes or 0, reverse=True)


def advice_text(model_name: str, *, context: int | None, other: str | None) -> str:
    """Return one sentence for clients; empty if nothing fits."""
    parts = []
    if context is not None:
        command = quoted_command("set", "--ctx", str(context), model_name)
        parts.append(f"a context of {context} tokens would fit ({command})")
    if other is not None:
        parts.append(f"the smaller quantization '{other}' would fit ({quoted_command('load', other)})")
    text = ", and ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _is_same_base(model: ModelSummary, other: ModelSummary) -> bool:
    if other.id == model.id or other.capabilities != model.capabilities:
        return False
    if model.source.repo is not None and model.source.repo == other.source.repo:
        return True
    is_labelled = label_of(model.name) is not None and label_of(other.name) is not None
    return is_labelled and without_label(model.name).casefold() == without_label(other.name).casefold()

"""A model as ``list`` and ``show`` present it."""

from collections.abc import Iterator
from pathlib import Path

from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.models import ModelSummary
from gglib.usecases.verify_models import known_hashes


def source_of(model: ModelSummary) -> str | None:
    """Return where a model came from, in one word: its repository, else who brought it."""
    return model.source.repo or model.source.origin


def files_of(model: ModelSummary) -> Iterator[tuple[str, Path, str | None]]:
    """Return what each file is, where, and its hash where its source named one."""
    for path, sha256 in zip(model.paths, known_hashes(model), strict=True):
        yield "File", path, sha256
    if model.projector is not None:
        yield "Projector", model.projector, model.projector_sha256


def context_of(model: ModelSummary) -> str:
    """Return the model's context in words: its own, else what it was trained for."""
    own = model.settings.context
    trained = model.trained_context
    if own is None:
        return "-" if trained is None else f"{trained}"
    if own == UNLIMITED_CONTEXT:
        return "max" if trained is None else f"{trained} (max)"
    return f"{own} (set)"

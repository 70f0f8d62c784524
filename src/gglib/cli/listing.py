"""A model as ``list`` and ``show`` present it."""

from collections.abc import Iterator
from pathlib import Path

from gglib.cli import typed
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.kinds import longest_context
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
    trained = longest_context(model)
    if own is None:
        return "-" if trained is None else f"{trained}"
    if own == UNLIMITED_CONTEXT:
        return "max" if trained is None else f"{trained} (max)"
    return f"{own} (set)"


def how_to_use(model: ModelSummary) -> str:
    """Return what to do with a model that was added, as a sentence with something to type or to ask."""
    if model.capabilities.rerank:
        return f"It reranks: POST /v1/rerank ({_as_chat(model)})."
    if model.capabilities.embedding:
        return f"It embeds texts: POST /v1/embeddings ({_as_chat(model)})."
    return f"Talk to it: {typed.command('run', model.name)}"


def _as_chat(model: ModelSummary) -> str:
    return f"{typed.said('set', '--chat', model.name)} serves it as a chat model"


def kind_of(model: ModelSummary) -> str:
    """Return what a model can do, in words, and whether that is the user's word."""
    names = ", ".join(model.capabilities.names())
    return names if model.settings.kind is None else f"{names} (set)"

"""A model as ``list`` and ``show`` present it."""

from collections.abc import Iterator
from pathlib import Path

from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.models import ModelSummary
from gglib.usecases.verify_models import known_hashes


def as_json(model: ModelSummary, state: str | None) -> dict[str, object]:
    """Return a model for programs. ``state`` is None when no server runs or the model is not in memory."""
    return {
        "id": model.id,
        "name": model.name,
        "aliases": list(model.aliases),
        "description": model.description,
        "architecture": model.architecture,
        "parameter_count": model.parameter_count,
        "quantization": model.quantization,
        "size_bytes": model.size_bytes,
        "trained_context": model.trained_context,
        "context": model.settings.context,
        "idle_ttl_s": model.settings.idle_ttl_s,
        "capabilities": list(model.capabilities.names()),
        "tags": list(model.tags),
        "state": state,
        "paths": [str(path) for path in model.paths],
        "hashes": list(model.hashes),
        "source": {
            "origin": model.source.origin,
            "repo": model.source.repo,
            "revision": model.source.revision,
            "file": model.source.file,
            "sha256": model.source.sha256,
        },
        "projector": None if model.projector is None else str(model.projector),
        "projector_sha256": model.projector_sha256,
        "is_downloaded": model.is_downloaded,
        "chat_template_sha256": model.chat_template_sha256,
        "added_at": model.added_at,
        "last_used_at": model.last_used_at,
    }


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

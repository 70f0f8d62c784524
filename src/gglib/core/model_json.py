"""A model of the catalogue, for programs: the shape that ``gglib list --json`` and the HTTP interface share. Pure."""

from gglib.core.models import ModelSummary
from gglib.core.shown_source import shown_url


def model_json(model: ModelSummary, state: str | None, *, shows_paths: bool = True) -> dict[str, object]:
    """Return a model. ``state`` is None when no server runs or the model is not in memory.

    Without ``shows_paths`` no place of a file is shown: ``paths`` and ``projector`` are null. The address that it
    came from is without its query, which may be a signature.
    """
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
        "kind": model.settings.kind,
        "capabilities": list(model.capabilities.names()),
        "tags": list(model.tags),
        "state": state,
        "paths": [str(path) for path in model.paths] if shows_paths else None,
        "hashes": list(model.hashes),
        "source": {
            "origin": model.source.origin,
            "repo": model.source.repo,
            "revision": model.source.revision,
            "asked_revision": model.source.asked_revision,
            "url": shown_url(model.source),
            "file": model.source.file,
            "sha256": model.source.sha256,
        },
        "projector": str(model.projector) if shows_paths and model.projector is not None else None,
        "projector_sha256": model.projector_sha256,
        "is_downloaded": model.is_downloaded,
        "chat_template_sha256": model.chat_template_sha256,
        "added_at": model.added_at,
        "last_used_at": model.last_used_at,
    }

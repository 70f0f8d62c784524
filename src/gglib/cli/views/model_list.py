"""Formats the fields of a model for ``list`` and ``show``."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gglib.cli.views import render
from gglib.core import shell_quoting
from gglib.core.backends import CommandBackend, UrlBackend
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.kinds import max_context
from gglib.core.models import ModelSummary
from gglib.core.versions import Version
from gglib.library.verify import known_hashes

SHORT_COMMIT_CHARACTERS = 7
"""Length of an abbreviated commit hash, as in git."""


def format_source(model: ModelSummary) -> str | None:
    """Return the source of a model in one word: its server, its repository and commit, or its origin."""
    source = model.source
    if isinstance(model.backend, UrlBackend):
        return urlsplit(model.backend.base_url).netloc or "url"
    if isinstance(model.backend, CommandBackend):
        return "command"
    if source.repo is None:
        return source.origin
    at = source.asked_revision or (source.revision or "")[:SHORT_COMMIT_CHARACTERS]
    return f"{source.repo}@{at}" if at else source.repo


def format_model_size(model: ModelSummary) -> str:
    """Return the size of a model's files; ``-`` for a model without files."""
    return "-" if model.backend is not None and not model.size_bytes else render.size(model.size_bytes)


def format_version(version: Version | None) -> str | None:
    """Return a model's version: the name of its directory, and the number and size of its files."""
    if version is None:
        return None
    count = len(version.files)
    size = sum(file.identity.size_bytes for file in version.files)
    what = f"{count} file{'' if count == 1 else 's'}, {render.size(size)}"
    return what if version.directory is None else f"{version.directory.name} ({what})"


def labelled_files(model: ModelSummary) -> Iterator[tuple[str, Path, str | None]]:
    """Return the label, path and expected hash of each file; none if a remote server does not show paths."""
    for path, sha256 in zip(model.paths, known_hashes(model)[: len(model.paths)], strict=True):
        yield "File", path, sha256
    if model.projector is not None:
        yield "Projector", model.projector, model.projector_sha256


def format_context(model: ModelSummary) -> str:
    """Return the model's context as text: its setting, else the trained context."""
    own = model.settings.context
    trained = max_context(model)
    if own is None:
        return "-" if trained is None else f"{trained}"
    if own == UNLIMITED_CONTEXT:
        return "max" if trained is None else f"{trained} (max)"
    return f"{own} (set)"


def shown_state(model: Mapping[str, Any]) -> str | None:
    """Return the state of a model as a server lists it: on its own machine, else on the node where it is ready."""
    states = [copy["state"] for copy in model.get("nodes") or () if copy["state"] is not None]
    found: str | None = model["state"] or ("ready" if "ready" in states else next(iter(states), None))
    return found


def usage_hint(model: ModelSummary) -> str:
    """Return how to use an added model: a command or a route."""
    if model.capabilities.rerank:
        return f"It is a reranker: POST /v1/rerank ({_serve_as_chat_hint(model)})."
    if model.capabilities.embedding:
        return f"It is an embedding model: POST /v1/embeddings ({_serve_as_chat_hint(model)})."
    return f"Chat with it: {shell_quoting.shell_command('run', model.name)}"


def _serve_as_chat_hint(model: ModelSummary) -> str:
    return f"{shell_quoting.quoted_command('set', '--chat', model.name)} serves it as a chat model"


def format_kind(model: ModelSummary) -> str:
    """Return a model's capabilities as text, and whether the user has set them."""
    names = ", ".join(model.capabilities.names())
    return names if model.settings.kind is None else f"{names} (set)"

"""A model as ``list`` and ``show`` present it."""

from collections.abc import Iterator
from pathlib import Path

from gglib.cli.views import render
from gglib.core import shell_quoting
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.kinds import max_context
from gglib.core.models import ModelSummary
from gglib.core.versions import Version
from gglib.library.verify import known_hashes

SHORT_COMMIT_CHARACTERS = 7
"""Of a commit, as git shows it."""


def format_source(model: ModelSummary) -> str | None:
    """Return where a model came from, in one word: its repository at its commit, else what brought it."""
    source = model.source
    if source.repo is None:
        return source.origin
    at = source.asked_revision or (source.revision or "")[:SHORT_COMMIT_CHARACTERS]
    return f"{source.repo}@{at}" if at else source.repo


def format_version(version: Version | None) -> str | None:
    """Return which version of its files a model has: the name of its directory, and how many files of what size."""
    if version is None:
        return None
    count = len(version.files)
    size = sum(file.identity.size_bytes for file in version.files)
    what = f"{count} file{'' if count == 1 else 's'}, {render.size(size)}"
    return what if version.directory is None else f"{version.directory.name} ({what})"


def labelled_files(model: ModelSummary) -> Iterator[tuple[str, Path, str | None]]:
    """Return what each file is, where, and its hash where its source named one."""
    for path, sha256 in zip(model.paths, known_hashes(model), strict=True):
        yield "File", path, sha256
    if model.projector is not None:
        yield "Projector", model.projector, model.projector_sha256


def format_context(model: ModelSummary) -> str:
    """Return the model's context in words: its own, else what it was trained for."""
    own = model.settings.context
    trained = max_context(model)
    if own is None:
        return "-" if trained is None else f"{trained}"
    if own == UNLIMITED_CONTEXT:
        return "max" if trained is None else f"{trained} (max)"
    return f"{own} (set)"


def usage_hint(model: ModelSummary) -> str:
    """Return what to do with a model that was added, as a sentence with something to type or to ask."""
    if model.capabilities.rerank:
        return f"It is a reranker: POST /v1/rerank ({_serve_as_chat_hint(model)})."
    if model.capabilities.embedding:
        return f"It is an embedding model: POST /v1/embeddings ({_serve_as_chat_hint(model)})."
    return f"Chat to it: {shell_quoting.shell_command('run', model.name)}"


def _serve_as_chat_hint(model: ModelSummary) -> str:
    return f"{shell_quoting.quoted_command('set', '--chat', model.name)} serves it as a chat model"


def format_kind(model: ModelSummary) -> str:
    """Return what a model can do, in words, and whether that is the user's word."""
    names = ", ".join(model.capabilities.names())
    return names if model.settings.kind is None else f"{names} (set)"

"""Adds a GGUF file to the catalogue: derives its name, finds its shards and projector, and rejects unusable files.

The header reader and the store are passed in.
"""

import asyncio
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from gglib.core.errors import InvalidGgufError, InvalidSettingError, ModelExistsError
from gglib.core.file_names import is_unicode
from gglib.core.models import GgufFacts, ModelSettings, ModelSource, ModelSummary, NewModel
from gglib.core.name_rules import normalized_name, slugify, truncate_name
from gglib.core.plain_text import escape_line
from gglib.core.ports.store import HomeStorePort
from gglib.core.versions import FileRole, Version
from gglib.library.file_uses import entry_of
from gglib.library.projector_files import (
    FactsReader,
    checked_projector,
    is_projector,
    projector_beside,
)
from gglib.library.versions.layout import INCOMING_NAME
from gglib.library.versions.locks import shared
from gglib.library.versions.ownership import is_own

NAME_LIMIT = 100
"""Users type names; a longer one has to be set with --name."""
SHARD_SUFFIX = re.compile(r"-\d{5}-of-\d{5}$")
QUANTIZATION = re.compile(r"\.(?=(?:i?q\d|tq\d|bf16|f16|f32|fp16|mxfp4)[^.]*$)", re.IGNORECASE)
"""The dot before a quantization label at the end of a file name, as in ``model.Q4_K_M``."""


class ModelFiles(Protocol):
    """The result of the header reader: the facts of a model and all of its files, in shard order."""

    @property
    def facts(self) -> GgufFacts:
        """The facts from the headers."""
        ...

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files in shard order."""
        ...

    @property
    def size_bytes(self) -> int:
        """Sum over all files."""
        ...


ModelReader = Callable[[Path], ModelFiles]
"""Raises ``InvalidGgufError`` with the reason as a phrase, without the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRequest:
    """What the user specified; without a name, it is derived from the file name."""

    path: Path
    name: str | None = None
    aliases: tuple[str, ...] = ()
    description: str = ""
    settings: ModelSettings = field(default_factory=ModelSettings)
    source: ModelSource = field(default_factory=ModelSource)
    hashes: tuple[str | None, ...] = ()
    is_downloaded: bool = False
    projector: Path | None = None
    """None: the projector in the same directory, if it belongs to the model."""
    has_projector: bool = True
    """False: the model gets no projector."""


async def add_model(
    request: AddRequest, store: HomeStorePort, read_model: ModelReader, models_dir: Path | None = None
) -> ModelSummary:
    """Read the file's header, find its shards and store the model; the file is not moved.

    ``request.path`` may be any shard. If the files are a version that gglib downloaded and no model has, the model gets
    that version and its source. All other files belong to the user, even below ``models_dir``. Raises
    ``InvalidGgufError`` and the store's errors.
    """
    model = await asyncio.to_thread(model_to_add, request, read_model)
    _reject_incoming(model, models_dir)
    try:
        return await adopted_or_added(model, store)
    except ModelExistsError as error:
        raise await _explain_conflict(error, model, store) from error


async def adopted_or_added(model: NewModel, store: HomeStorePort) -> ModelSummary:
    """Store a model; if its files are a downloaded version without a model, the model gets that version.

    Raises the store's errors.
    """
    models = await store.list_models()
    has_model = {known.version_id for known in models}
    taken = {spelling.casefold() for known in models for spelling in (known.name, *known.aliases)}
    is_free = taken.isdisjoint(name.casefold() for name in (model.name, *model.aliases))
    for version in await store.list_versions() if is_free else ():
        if version.id in has_model or not await asyncio.to_thread(_is_of, model, version):
            continue
        with shared(version.hold_path) as is_held:
            # The lock keeps other gglib processes from deleting the files before the version has a model again.
            if is_held and await asyncio.to_thread(_are_own, version):
                return (await store.install_version(version, _adopted(model, version))).model
    return await store.add_model(model)


def default_name(path: Path) -> str:
    """Return a name derived from the file name: without suffix, shard number and unusual characters."""
    stem = path.name[: -len(".gguf")] if path.name.lower().endswith(".gguf") else path.name
    stem = QUANTIZATION.sub("-", SHARD_SUFFIX.sub("", stem))
    return truncate_name(slugify(stem).strip("-._:+"), NAME_LIMIT)


def _derived_name(path: Path) -> str:
    """Return the default name. Raises ``InvalidSettingError`` if it is empty, or would be read as an id."""
    name = default_name(path)
    if not name or name.isdecimal():
        what = (
            f"as '{name}', which would be taken for an id"
            if name
            else "under its own name, which has no letter"
        )
        raise InvalidSettingError(
            f"{path.name} cannot be added {what}: choose another name with --name NAME."
        )
    return name


def usable_name(name: str) -> str:
    """Return ``name``, prefixed with ``model`` if it is empty or would be read as an id."""
    return f"model-{name}".rstrip("-") if not name or name.isdecimal() else name


def why_no_model(facts: GgufFacts) -> str | None:
    """Return why a GGUF file cannot be served as a model, as a phrase; None if it can.

    (``general.type`` is in ggml's ``docs/gguf.md``; LoRA adapters name the architecture of their model.)
    """
    if is_projector(facts):
        return "it is a projector (mmproj), which goes with a vision model"
    if facts.kind == "adapter":
        return "it is an adapter (LoRA), which goes with the model that it was made for"
    return None


def absolute_path(path: Path) -> Path:
    """Return a path as the catalogue stores it.

    Not resolved: caches keep files with readable names as links to files named by their hash.
    """
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111 - no error for an unknown user


def model_to_add(request: AddRequest, read_model: ModelReader) -> NewModel:
    """Return the row of a file, as ``add_model`` stores it. Blocks; raises ``InvalidGgufError`` for no usable file."""
    path = absolute_path(request.path)
    _require_utf8(path)
    _require_regular_file(path)
    try:
        files = read_model(path)
    except InvalidGgufError as error:
        raise InvalidGgufError(f"{path.name} cannot be added: {error}.") from error
    for file in files.paths:
        _require_utf8(file)
    reason = why_no_model(files.facts)
    if reason is not None:
        raise InvalidGgufError(f"{path.name} cannot be added: {reason}; add that model's own file.")
    projector = _projector(request, path, lambda file: read_model(file).facts)
    return NewModel(
        name=normalized_name(request.name or _derived_name(path)),
        paths=files.paths,
        size_bytes=files.size_bytes,
        aliases=tuple(map(normalized_name, request.aliases)),
        description=request.description,
        facts=files.facts if projector is None else files.facts.with_vision(),
        projector=projector,
        settings=request.settings,
        source=request.source,
        hashes=request.hashes,
        is_downloaded=request.is_downloaded,
    )


def _projector(request: AddRequest, path: Path, read_facts: FactsReader) -> Path | None:
    """Return the projector of a model. Raises ``InvalidGgufError`` if the user named an unusable file."""
    if not request.has_projector:
        return None
    if request.projector is not None:
        return checked_projector(request.projector, read_facts)
    found = projector_beside(path)
    try:
        return None if found is None else checked_projector(found, read_facts)
    except InvalidGgufError:  # an unusable file in the directory must not prevent adding the model
        return None


def _is_of(model: NewModel, version: Version) -> bool:
    """Whether a model's files are those of a version, through any path; the projector may differ."""
    own = [entry_of(file.path) for file in version.files if file.role is FileRole.MODEL]
    return None not in own and [entry_of(path) for path in model.paths] == own


def _are_own(version: Version) -> bool:
    return all(is_own(file) for file in version.files if file.role is FileRole.MODEL)


def _adopted(model: NewModel, version: Version) -> NewModel:
    """Return the model with the paths, source and hashes of a version."""
    own = [file for file in version.files if file.role is FileRole.MODEL]
    hashes = tuple(file.sha256 for file in own)
    projector = next(
        (
            file
            for file in version.files
            if file.role is FileRole.PROJECTOR
            and model.projector is not None
            and entry_of(file.path) == entry_of(model.projector)
        ),
        None,
    )
    return replace(
        model,
        paths=tuple(file.path for file in own),
        is_downloaded=True,
        source=version.source,
        hashes=hashes if any(hashes) else model.hashes,
        projector=model.projector if projector is None else projector.path,
        projector_sha256=model.projector_sha256 if projector is None else projector.sha256,
    )


def _reject_incoming(model: NewModel, models_dir: Path | None) -> None:
    """Reject a file of an unfinished pull: it is moved or deleted when the pull ends."""
    if models_dir is None:
        return
    root = Path(os.path.realpath(models_dir))
    for path in (*model.paths, *(() if model.projector is None else (model.projector,))):
        real = Path(os.path.realpath(path))
        if real.is_relative_to(root) and real.relative_to(root).parts[0].startswith(INCOMING_NAME):
            raise InvalidGgufError(
                f"{path.name} cannot be added: it is in {real.parent}, where pulls keep incomplete files; "
                "copy it to another directory and add the copy."
            )


def _require_utf8(path: Path) -> None:
    """Reject a path that is not valid in requests, JSON and engine arguments."""
    if not is_unicode(str(path)):
        raise InvalidGgufError(
            f"{escape_line(str(path))} cannot be added: its name is not UTF-8; rename the file or its directory."
        )


def _require_regular_file(path: Path) -> None:
    try:
        is_directory = path.is_dir()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidGgufError(f"The file {escape_line(str(path))} does not exist.") from None
    except OSError as error:
        raise InvalidGgufError(f"{path} cannot be added: {error.strerror or error}.") from error
    except ValueError as error:  # a NUL
        raise InvalidGgufError(
            f"{escape_line(str(path))} cannot be added: no file can have this name."
        ) from error
    if is_directory:
        raise InvalidGgufError(f"{path} is a directory: name the .gguf file in it.")
    if not path.is_file():  # opening a pipe would block until a writer opens it
        raise InvalidGgufError(f"{path} is not a regular file: name a .gguf file.")


async def _explain_conflict(
    error: ModelExistsError, model: NewModel, store: HomeStorePort
) -> ModelExistsError:
    """Return a more specific error if the same file is already in the catalogue."""
    for known in await store.list_models():
        if set(known.paths) & set(model.paths):
            return ModelExistsError(f"{model.paths[0].name} is already in the catalogue as '{known.name}'.")
    return ModelExistsError(f"{error} Choose another name with --name, or another alias with --alias.")

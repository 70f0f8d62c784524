"""Puts a GGUF file into the catalogue: what it is called, what belongs to it, what is refused.

Knows the core only; what reads the headers and what stores a row are passed in.
"""

import asyncio
import os
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from gglib.core.errors import InvalidGgufError, ModelExistsError
from gglib.core.file_names import is_unicode
from gglib.core.models import GgufFacts, ModelSettings, ModelSource, ModelSummary, NewModel
from gglib.core.naming import composed, cut_name, slug_of
from gglib.core.plain_text import escape_line
from gglib.core.ports import ModelStorePort
from gglib.usecases.own_files import OwnFiles, adopted
from gglib.usecases.projector_files import FactsReader, checked_projector, is_projector, projector_beside

NAME_LIMIT = 100
"""A name is typed: a longer one is for --name."""
SHARD_SUFFIX = re.compile(r"-\d{5}-of-\d{5}$")
QUANTIZATION = re.compile(r"\.(?=(?:i?q\d|tq\d|bf16|f16|f32|fp16|mxfp4)[^.]*$)", re.IGNORECASE)
"""The dot in front of a quantization label at the end of a file's name, as in ``model.Q4_K_M``."""


class ModelFiles(Protocol):
    """What the reader of headers says: the facts of a whole model and all of its files, in shard order."""

    @property
    def facts(self) -> GgufFacts:
        """What the headers say."""
        ...

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files, the first shard first."""
        ...

    @property
    def size_bytes(self) -> int:
        """All files together."""
        ...


ModelReader = Callable[[Path], ModelFiles]
"""Raises ``InvalidGgufError`` with a phrase that says why, without the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRequest:
    """What the user said of the file; a name of None is made from the file's own."""

    path: Path
    name: str | None = None
    aliases: tuple[str, ...] = ()
    description: str = ""
    settings: ModelSettings = field(default_factory=ModelSettings)
    source: ModelSource = field(default_factory=ModelSource)
    hashes: tuple[str | None, ...] = ()
    is_downloaded: bool = False
    projector: Path | None = None
    """None: the one beside the file, if there is one that is its own."""
    has_projector: bool = True
    """False: none is looked for."""


async def add_model(
    request: AddRequest, store: ModelStorePort, read_model: ModelReader, own: OwnFiles | None = None
) -> ModelSummary:
    """Read the file's header, find its shards and store the model; the file stays where it is.

    Any shard may be named. A model all of whose files gglib wrote, by ``own``, is one that it downloaded, from where
    its files came. Raises ``InvalidGgufError`` and the store's own errors.
    """
    async with nullcontext() if own is None else own.changing():
        return await _add(request, store, read_model, own)


async def _add(
    request: AddRequest, store: ModelStorePort, read_model: ModelReader, own: OwnFiles | None
) -> ModelSummary:
    model = await asyncio.to_thread(_read, request, read_model)
    if own is not None and not model.is_downloaded:
        model = await asyncio.to_thread(_adopted, model, own)
    try:
        return await store.add_model(model)
    except ModelExistsError as error:
        raise await _explained(error, model, store) from error


def default_name(path: Path) -> str:
    """Return a name that can be typed: the file's, without its ending, shard number and odd characters."""
    stem = path.name[: -len(".gguf")] if path.name.lower().endswith(".gguf") else path.name
    stem = QUANTIZATION.sub("-", SHARD_SUFFIX.sub("", stem))
    return cut_name(slug_of(stem).strip("-._:+"), NAME_LIMIT)


def usable_name(wish: str) -> str:
    """Return a name like ``wish``, which may be nothing to type, or what would be taken for an id."""
    return f"model-{wish}".rstrip("-") if not wish or wish.isdecimal() else wish


def why_no_model(facts: GgufFacts) -> str | None:
    """Return why a GGUF file is no model that answers, as a phrase; None for one that is.

    (``general.type`` is in ggml's ``docs/gguf.md``; LoRA adapters name the architecture of their model.)
    """
    if is_projector(facts):
        return "it is a projector (mmproj), which goes with a vision model"
    if facts.kind == "adapter":
        return "it is an adapter (LoRA), which goes with the model that it was made for"
    return None


def _read(request: AddRequest, read_model: ModelReader) -> NewModel:
    # Not resolve(): caches keep files with readable names as links to files named by their hash.
    path = request.path.expanduser().absolute()
    path = Path(os.path.normpath(path))
    _refuse_what_is_no_name(path)
    _refuse_what_is_no_file(path)
    try:
        files = read_model(path)
    except InvalidGgufError as error:
        raise InvalidGgufError(f"{path.name} cannot be added: {error}.") from error
    for file in files.paths:
        _refuse_what_is_no_name(file)
    reason = why_no_model(files.facts)
    if reason is not None:
        raise InvalidGgufError(f"{path.name} cannot be added: {reason}; add that model's own file.")
    projector = _projector(request, path, lambda file: read_model(file).facts)
    return NewModel(
        name=composed(request.name or default_name(path)),
        paths=files.paths,
        size_bytes=files.size_bytes,
        aliases=tuple(map(composed, request.aliases)),
        description=request.description,
        facts=files.facts if projector is None else files.facts.with_vision(),
        projector=projector,
        settings=request.settings,
        source=request.source,
        hashes=request.hashes,
        is_downloaded=request.is_downloaded,
    )


def _projector(request: AddRequest, path: Path, read_facts: FactsReader) -> Path | None:
    """Return the projector that is taken with a model. Raises ``InvalidGgufError`` for one that the user named."""
    if not request.has_projector:
        return None
    if request.projector is not None:
        return checked_projector(request.projector, read_facts)
    found = projector_beside(path)
    try:
        return None if found is None else checked_projector(found, read_facts)
    except InvalidGgufError:  # a neighbour that is none keeps the model from loading, not from being added
        return None


def _adopted(model: NewModel, own: OwnFiles) -> NewModel:
    files = adopted(model.paths if model.projector is None else (*model.paths, model.projector), own)
    if files is None:
        return model
    hashes = tuple(file.sha256 for file in files)
    return replace(
        model, is_downloaded=True, source=files[0].source, hashes=hashes if any(hashes) else model.hashes
    )


def _refuse_what_is_no_name(path: Path) -> None:
    """Refuse a path that no request, no JSON and no engine could name."""
    if not is_unicode(str(path)):
        raise InvalidGgufError(
            f"{escape_line(str(path))} cannot be added: its name is not UTF-8; rename the file or its directory."
        )


def _refuse_what_is_no_file(path: Path) -> None:
    try:
        is_directory = path.is_dir()
        path.stat()
    except OSError as error:
        raise InvalidGgufError(f"{path} cannot be added: {error.strerror or error}.") from error
    except ValueError as error:  # a NUL
        raise InvalidGgufError(
            f"{escape_line(str(path))} cannot be added: no file can have this name."
        ) from error
    if is_directory:
        raise InvalidGgufError(f"{path} is a directory: name the .gguf file in it.")
    if not path.is_file():  # to open a pipe would wait for whoever writes into it
        raise InvalidGgufError(f"{path} is no file: name a .gguf file.")


async def _explained(error: ModelExistsError, model: NewModel, store: ModelStorePort) -> ModelExistsError:
    """Return the refusal in words that fit: the same file again is not just a name that is taken."""
    for known in await store.list_models():
        if set(known.paths) & set(model.paths):
            return ModelExistsError(f"{model.paths[0].name} is in the catalogue already, as '{known.name}'.")
    return ModelExistsError(f"{error} Use --name and --alias to say how.")

"""Classifies the files of a repository by name: models, shards, projectors and other kinds. Pure.

The rules and their sources:

- a sidecar file starts with its kind: ``mmproj-``, ``mtp-`` (ggml, ``docs/gguf.md``), in llama.cpp also ``eagle3-``,
  ``dflash-`` and ``dspark-`` (``common/download.cpp``, ``gguf_filename_is_model``). ``mmproj`` anywhere is a projector,
  as in llama.cpp: ``model.mmproj-Q8_0.gguf``, ``ggml-model-mmproj-f16.gguf``. ``MTP`` elsewhere is part of a model's
  name (``Ornith-1.5-9B-MTP-IQ2_M.gguf`` is the whole model; huggingface.js, issue 2400);
- ``imatrix`` is an importance matrix (``Model.imatrix.gguf``, ``imatrix_unsloth.gguf``); next to a quantization it only
  says how the model was quantized (``Model-IQ4_XS-imatrix.gguf``);
- ``LoRA`` and ``vocab`` are types in ggml's naming rule and come last; ``ggml-vocab-`` are llama.cpp's own files;
- shards end with ``-00001-of-00003.gguf`` (``llama_split_path``); byte-split pieces (``.gguf.part1of2``,
  ``.gguf-split-a``, ``-chunk-001-of-018.gguf``) must be joined before an engine can load them.
"""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

from gglib.core.hub.quantizations import label_of

_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf", re.DOTALL)
_PIECE = re.compile(
    r"\.gguf[.-]?(?:part-?\d+(?:of\d+)?|split-?[a-z0-9]+|[a-z]{1,2}|\d{1,3})$|-chunk-\d+-of-\d+\.gguf$",
    re.IGNORECASE,
)
_DRAFT = re.compile(r"(?:mtp|eagle3|dflash|dspark)-", re.IGNORECASE)
_ADAPTER = re.compile(r"(?:^|[-_.])(?:lora|adapter)(?=[-_.]|$)", re.IGNORECASE)
_TYPE_LORA = re.compile(r"[-_.]lora$", re.IGNORECASE)
_VOCABULARY = re.compile(r"^ggml-vocab-|[-_.]vocab$", re.IGNORECASE)
_UNQUANTIZED = frozenset((None, "F32", "F16", "BF16"))
"""An importance matrix is not used for these; adapters mostly have one of them."""


class FileKind(Enum):
    """The kind of a file in a repository."""

    MODEL = "model"
    SHARD = "shard"
    PROJECTOR = "mmproj"
    DRAFT = "draft"
    """A draft model for speculative decoding; not usable alone."""
    ADAPTER = "adapter"
    IMATRIX = "imatrix"
    VOCABULARY = "vocabulary"
    PIECE = "piece"
    """A byte-split piece of a model; the pieces have to be joined."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Shard:
    """The position of a shard in its model."""

    stem: str
    """The path without ``-00001-of-00003.gguf``."""
    number: int
    """From 1."""
    count: int


def kind_of(name: str) -> FileKind:
    """Return the kind of a file, by its path inside the repository."""
    file = PurePosixPath(name).name
    if _PIECE.search(file):
        return FileKind.PIECE
    if not file.lower().endswith(".gguf"):
        return FileKind.OTHER
    return _companion_kind(stem_of(file)) or (FileKind.SHARD if shard_of(name) else FileKind.MODEL)


def shard_of(name: str) -> Shard | None:
    """Return the shard that a file name denotes, or None."""
    match = _SHARD.fullmatch(name)
    if match is None:
        return None
    return Shard(match["stem"], int(match["number"]), int(match["count"]))


def stem_of(name: str) -> str:
    """Return a path without shard number and ``.gguf``."""
    shard = shard_of(name)
    if shard is not None:
        return shard.stem
    return name[: -len(".gguf")] if name.lower().endswith(".gguf") else name


def _companion_kind(stem: str) -> FileKind | None:
    label = label_of(stem)
    if "mmproj" in stem.lower():
        return FileKind.PROJECTOR
    if _DRAFT.match(stem):
        return FileKind.DRAFT
    if "imatrix" in stem.lower() and label in {*_UNQUANTIZED, "Q8_0"}:
        return FileKind.IMATRIX
    if _VOCABULARY.search(stem):
        return FileKind.VOCABULARY
    if _TYPE_LORA.search(stem) or (_ADAPTER.search(stem) and label in _UNQUANTIZED):
        return FileKind.ADAPTER
    return None

"""Opens a GGUF file, reads its header and returns its facts: the only module here that does I/O.

Synchronous, and fast (milliseconds): run it in a worker thread. It never blocks on a pipe or a device: both are
rejected without being read.
"""

import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from gglib.core.errors import InvalidGgufError, UnreadableFileError
from gglib.core.models import GgufFacts
from gglib.gguf.facts import interpret, is_wanted, read_alignment
from gglib.gguf.foreign import HEAD_BYTES, describe_foreign
from gglib.gguf.metadata import Value, read_metadata
from gglib.gguf.shards import find_shards
from gglib.gguf.stream import HeaderStream, PastEndError
from gglib.gguf.tensors import TensorTotals, add_totals, read_tensors

_MAGIC = b"GGUF"
# The versions that llama.cpp loads; version 1 (summer 2023) had 32-bit lengths.
_VERSIONS = (2, 3)
# Missing on Windows, where opening a pipe does not block.
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufModel:
    """A whole model: the facts of its first file, with the counts of all files."""

    facts: GgufFacts
    paths: tuple[Path, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    metadata: Mapping[str, Value]
    tensors: TensorTotals
    file_size_bytes: int


def read_gguf(path: Path) -> GgufFacts:
    """Return what the header of one file says.

    A later shard of a split model says only which shard it is: its architecture is then the empty string. Raises only
    InvalidGgufError: for a file that is not regular, not readable, not GGUF version 2 or 3 in this machine's byte
    order, broken, shorter than its tensors need, or has a wanted key of the wrong type.
    """
    header = _read_header(path)
    return interpret(header.metadata, header.tensors)


def read_model(path: Path) -> GgufModel:
    """Return the model that a file belongs to; the file may be any of its shards.

    Raises InvalidGgufError as ``read_gguf`` does, for any of its files, and for a missing shard.
    """
    header = _read_header(path)
    paths = find_shards(path, interpret(header.metadata, header.tensors))
    headers = [
        header if shard == path else _read_shard(shard, index, len(paths), shard.name)
        for index, shard in enumerate(paths)
    ]
    return _whole(headers, paths)


def read_files(paths: Sequence[Path], names: Sequence[str]) -> GgufModel:
    """Return the model of these files, in shard order, whatever their names on this disk.

    ``names`` are their original names, for errors. Raises InvalidGgufError as ``read_model`` does.
    """
    if len(paths) == 1:
        headers = [_read_header(paths[0])]
        facts = interpret(headers[0].metadata, headers[0].tensors)
        if (facts.split_count or 1) > 1:
            raise InvalidGgufError(f"it is one of {facts.split_count} shards, and the others are not with it")
    else:
        headers = [
            _read_shard(path, index, len(paths), name)
            for index, (path, name) in enumerate(zip(paths, names, strict=True))
        ]
    return _whole(headers, tuple(paths))


def read_partial_facts(start: bytes) -> GgufFacts:
    """Return the facts in the first bytes of a file, such as a range of a remote file.

    What follows the cut is unknown, and so None; a quarter of a megabyte usually reaches into the vocabulary, whose
    size is then known. Raises InvalidGgufError as ``read_gguf`` does, but not for the cut itself, and if the bytes do
    not include the architecture.
    """
    stream = HeaderStream(BytesIO(start), len(start))
    _check_preamble(stream)
    tensor_count, pair_count = stream.u64(), stream.u64()
    metadata = read_metadata(stream, pair_count, is_wanted, allows_truncation=True)
    tensors = TensorTotals()
    if metadata.is_complete:
        with suppress(PastEndError):
            tensors = read_tensors(stream, tensor_count)
    return interpret(metadata.values, tensors)


def _whole(headers: Sequence[_Header], paths: tuple[Path, ...]) -> GgufModel:
    tensors = add_totals(header.tensors for header in headers)
    return GgufModel(
        facts=interpret(headers[0].metadata, tensors, is_whole=True),
        paths=paths,
        size_bytes=sum(header.file_size_bytes for header in headers),
    )


def _read_shard(path: Path, index: int, count: int, name: str) -> _Header:
    try:
        header = _read_header(path)
        facts = interpret(header.metadata, header.tensors)
    except InvalidGgufError as error:
        raise type(error)(f"its shard {name!r} cannot be used: {error}") from error
    if (facts.split_index, facts.split_count) != (index, count):
        raise InvalidGgufError(f"its shard {name!r} is not shard {index + 1} of {count}")
    return header


def _read_header(path: Path) -> _Header:
    with _opened(path) as file:
        stream = HeaderStream(file, _regular_size_bytes(file))
        _check_preamble(stream)
        tensor_count, pair_count = stream.u64(), stream.u64()
        metadata = read_metadata(stream, pair_count, is_wanted).values
        tensors = read_tensors(stream, tensor_count)
        _check_tensor_data(stream, tensors, read_alignment(metadata))
        return _Header(metadata=metadata, tensors=tensors, file_size_bytes=stream.size_bytes)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with _open(path) as file:
            yield file
    except OSError as error:
        raise UnreadableFileError(f"cannot be read: {error.strerror or type(error).__name__}") from error


def _open(path: Path) -> BinaryIO:
    try:
        return open(path, "rb", opener=_open_nonblocking)
    except ValueError as error:  # a NUL, or a character that the file system cannot name
        raise InvalidGgufError("cannot be read: no file can have this name") from error


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | _NONBLOCK)


def _regular_size_bytes(file: BinaryIO) -> int:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise InvalidGgufError("cannot be read: it is not a regular file")
    return status.st_size


def _check_preamble(stream: HeaderStream) -> None:
    if stream.size_bytes == 0:
        raise InvalidGgufError("not a GGUF file: it is empty")
    magic = stream.take(min(stream.size_bytes, len(_MAGIC)))
    if magic != _MAGIC:
        head = magic + stream.take(min(stream.size_bytes, HEAD_BYTES) - len(magic))
        what = describe_foreign(head)
        start = f"it starts with {_printable(magic)}"
        raise InvalidGgufError(f"not a GGUF file: {start if what is None else f'it is {what}'}")
    version = stream.u32()
    if version in _VERSIONS:
        return
    if int.from_bytes(version.to_bytes(4, "big"), "little") in _VERSIONS:
        raise InvalidGgufError(f"its numbers are not {sys.byteorder}-endian, as this machine's are")
    raise InvalidGgufError(f"GGUF version {version}, of which only 2 and 3 can be used")


def _printable(magic: bytes) -> str:
    """Return bytes for a message: as text if printable, else in hexadecimal."""
    text = magic.decode("latin-1")
    return f"'{text}'" if text.isascii() and text.isprintable() else f"the bytes {magic.hex(' ')}"


def _check_tensor_data(stream: HeaderStream, tensors: TensorTotals, alignment_bytes: int) -> None:
    """Detect a truncated download here, not when the engine loads it."""
    start = -(-stream.position // alignment_bytes) * alignment_bytes
    needed = start + tensors.end_offset_bytes
    if tensors.end_offset_bytes and needed > stream.size_bytes:
        raise InvalidGgufError(f"incomplete: it has {stream.size_bytes} of the {needed} bytes that it needs")

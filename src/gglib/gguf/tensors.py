"""Reads the tensor list of a GGUF header and sums it up; the tensors themselves are never read."""

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from gglib.core.errors import InvalidGgufError
from gglib.gguf.quantization import TENSOR_TYPES
from gglib.gguf.stream import HeaderStream

# The largest models have a few thousand; this limits the time for a hostile list.
_MAX_TENSORS = 32 * 1024
_MAX_DIMENSIONS = 4
# ggml's limit for a name, with its terminator.
_MAX_NAME_BYTES = 64
_EMBEDDING = b"token_embd.weight"
_OUTPUT = b"output.weight"
_CLASSIFIER_OUTPUT = b"cls.output."
_CLASSIFIER = b"cls."
# ggml counts elements in a signed 64-bit number, and so does the catalogue.
_MAX_ELEMENTS = 2**63 - 1

_TYPE_AND_OFFSET = struct.Struct("=IQ")
# A nameless tensor without dimensions: name length, dimension count, type and offset.
_MIN_TENSOR_BYTES = 8 + 4 + _TYPE_AND_OFFSET.size


class ClassifierHead(IntEnum):
    """The classifier of a model, by its tensors: rerankers have one (``LLM_TENSOR_CLS…`` of llama.cpp)."""

    NONE = 0
    INNER = 1
    """``cls`` or ``cls.norm``: a layer before an output, or (Jina) the output itself."""
    OUTPUT = 2
    """``cls.output``: converts a text into scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorTotals:
    """All tensors of one file, or of all shards of a model."""

    element_count: int = 0
    bytes_by_type: dict[int, int] = field(default_factory=dict)
    """Size in bytes by tensor type, for the types whose size is known."""
    embedding: tuple[int, int] | None = None
    """Type and size in bytes of the tensor that converts tokens into vectors."""
    has_output: bool = False
    """Whether another tensor converts them back; else the embedding does both."""
    head: ClassifierHead = ClassifierHead.NONE
    end_offset_bytes: int = 0
    """The end of the last tensor, from the start of the tensor data of its file."""


def read_tensors(stream: HeaderStream, count: int) -> TensorTotals:
    """Return the totals of the next ``count`` tensors. Raises InvalidGgufError."""
    if count > _MAX_TENSORS:
        raise InvalidGgufError(f"its header claims {count} tensors, more than any model has")
    stream.require(count * _MIN_TENSOR_BYTES)
    elements, end_offset_bytes = 0, 0
    bytes_by_type: dict[int, int] = {}
    embedding, has_output, head = None, False, ClassifierHead.NONE
    for _ in range(count):
        name = _read_name(stream)
        tensor_elements = _read_element_count(stream)
        kind, offset_bytes = _TYPE_AND_OFFSET.unpack(stream.take(_TYPE_AND_OFFSET.size))
        elements += tensor_elements
        size_bytes = _size_bytes(kind, tensor_elements)
        if size_bytes is not None:
            bytes_by_type[kind] = bytes_by_type.get(kind, 0) + size_bytes
            end_offset_bytes = max(end_offset_bytes, offset_bytes + size_bytes)
            if name == _EMBEDDING:
                embedding = (kind, size_bytes)
        has_output = has_output or name == _OUTPUT
        if name.startswith(_CLASSIFIER):
            head = max(head, _head(name))
    return TensorTotals(
        element_count=_checked(elements),
        bytes_by_type=bytes_by_type,
        embedding=embedding,
        has_output=has_output,
        head=head,
        end_offset_bytes=end_offset_bytes,
    )


def add_totals(parts: Iterable[TensorTotals]) -> TensorTotals:
    """Return the totals of the shards of one model; they share no tensor data, so there is no end offset."""
    elements = 0
    bytes_by_type: dict[int, int] = {}
    embedding, has_output, head = None, False, ClassifierHead.NONE
    for part in parts:
        elements += part.element_count
        embedding = embedding or part.embedding
        has_output = has_output or part.has_output
        head = max(head, part.head)
        for kind, size_bytes in part.bytes_by_type.items():
            bytes_by_type[kind] = bytes_by_type.get(kind, 0) + size_bytes
    return TensorTotals(
        element_count=_checked(elements),
        bytes_by_type=bytes_by_type,
        embedding=embedding,
        has_output=has_output,
        head=head,
    )


def _read_name(stream: HeaderStream) -> bytes:
    """Skip a name; return it if it is as short as ggml's names are."""
    length = stream.u64()
    if length < _MAX_NAME_BYTES:
        return stream.take(length)
    stream.skip(length)
    return b""


def _head(name: bytes) -> ClassifierHead:
    return ClassifierHead.OUTPUT if name.startswith(_CLASSIFIER_OUTPUT) else ClassifierHead.INNER


def _read_element_count(stream: HeaderStream) -> int:
    dimensions = stream.u32()
    if dimensions > _MAX_DIMENSIONS:
        raise InvalidGgufError(f"its header holds a tensor of {dimensions} dimensions")
    return _checked(math.prod(stream.u64() for _ in range(dimensions)))


def _size_bytes(kind: int, elements: int) -> int | None:
    layout = TENSOR_TYPES.get(kind)
    return None if layout is None else elements // layout.block_elements * layout.block_bytes


def _checked(elements: int) -> int:
    if elements > _MAX_ELEMENTS:
        raise InvalidGgufError("its header claims more weights than can be counted")
    return elements

"""OpenAI's embeddings: requests with many inputs in batches, and vectors with fewer dimensions. Pure.

llama-server computes all inputs of a request before it takes another request, and sends nothing until the last: with
SmolLM2 as an embedding model and 256 short texts, another request waited for 36 s of 36 s, with batches of 64 for 12 s.
2,048 long texts exceed ``first_byte_s``. It ignores ``dimensions`` (tested with xllamacpp 2026.10.11549).
"""

import base64
import math
import struct
from collections.abc import Iterator

import msgspec

from gglib.proxy.dialects.base import BatchedExchange
from gglib.proxy.envelope import apply_edits
from gglib.proxy.errors import BadRequestError
from gglib.proxy.json_scan import JsonRefusedError, RootScanner

EMBEDDINGS_PATH = "/v1/embeddings"
MAX_INPUTS = 2048
"""OpenAI's limit."""
BATCH_INPUTS = 64
_SCANNER = RootScanner(("input", "dimensions"))
_NULL = b"null"
_FLOAT = struct.Struct("<f")
"""The encoding of a number in base64."""
_OPENING_BRACKET, _QUOTE = b'["'
_Entry = dict[str, msgspec.Raw]


class _Batch(msgspec.Struct):
    """A response of the engine."""

    data: list[_Entry]
    usage: dict[str, int]
    model: msgspec.Raw = msgspec.Raw(b'""')


class EmbeddingsRequest(msgspec.Struct, frozen=True):
    """What a request asks for beyond the engine's dialect."""

    dimensions: int | None
    inputs: int
    """The number of inputs."""

    @property
    def needs_translation(self) -> bool:
        """Whether the engine cannot serve the request as it is."""
        return self.dimensions is not None or self.inputs > BATCH_INPUTS


def read_embeddings_request(body: bytes) -> EmbeddingsRequest:
    """Return what a request asks for.

    Raises ``BadRequestError`` for too many inputs and for invalid ``dimensions``. A body that is not valid JSON has no
    inputs: it is refused when it is forwarded.
    """
    try:
        members = {name: (start, end) for name, start, end in _SCANNER.scan(body)}
    except JsonRefusedError:
        return EmbeddingsRequest(None, 0)
    dimensions = members.get("dimensions")
    return EmbeddingsRequest(
        None if dimensions is None else _read_dimensions(body[slice(*dimensions)]),
        _count_inputs(body, members.get("input")),
    )


class EmbeddingsExchange(BatchedExchange):
    """One request for embeddings, sent in batches. The vectors of all are one response."""

    def __init__(self, body: bytes, dimensions: int | None) -> None:
        super().__init__(EMBEDDINGS_PATH, body)
        self._dimensions = dimensions
        self.begin()

    def begin(self) -> None:
        """Forget all vectors."""
        self._entries: list[_Entry] = []
        self._usage: dict[str, int] = {}
        self._model = msgspec.Raw(_NULL)

    def batches(self, body: bytes) -> Iterator[bytes]:
        """Yield the requests: ``body`` with some of its inputs each."""
        (span,) = [(start, end) for name, start, end in _SCANNER.scan(body) if name == "input"][-1:]
        if body[span[0]] != _OPENING_BRACKET:
            yield body
            return
        inputs = msgspec.json.decode(body[slice(*span)], type=list[msgspec.Raw])
        if not _is_list_of_inputs(inputs):
            yield body
            return
        for first in range(0, len(inputs), BATCH_INPUTS):
            some = b",".join(bytes(item) for item in inputs[first : first + BATCH_INPUTS])
            yield apply_edits(body, ((*span, b"[%b]" % some),))

    def add_batch(self, body: bytes) -> None:
        """Add the vectors of one response. Raises ``BadRequestError`` if they have too few dimensions."""
        batch = msgspec.json.decode(body, type=_Batch)
        first = len(self._entries)
        for offset, entry in enumerate(batch.data):
            if self._dimensions is not None and "embedding" in entry:
                entry["embedding"] = msgspec.Raw(_cut(bytes(entry["embedding"]), self._dimensions))
            entry["index"] = msgspec.Raw(b"%d" % (first + offset))
            self._entries.append(entry)
        for name, count in batch.usage.items():
            self._usage[name] = self._usage.get(name, 0) + count
        self._model = batch.model

    def finish(self) -> bytes:
        """Return the response."""
        return msgspec.json.encode(
            {"model": self._model, "object": "list", "usage": self._usage, "data": self._entries}
        )


def _read_dimensions(value: bytes) -> int | None:
    if value == _NULL:
        return None
    if not value.isdigit() or len(value) > 9 or int(value) == 0:
        raise BadRequestError("'dimensions' must be a positive integer.", "dimensions")
    return int(value)


def _count_inputs(body: bytes, span: tuple[int, int] | None) -> int:
    """Return the number of inputs; not exactly if they fit into one batch."""
    if span is None or body[span[0]] != _OPENING_BRACKET:
        return 1
    bound = body.count(b",", *span) + 1
    if bound <= BATCH_INPUTS:
        return bound
    inputs = msgspec.json.decode(body[slice(*span)], type=list[msgspec.Raw])
    if not _is_list_of_inputs(inputs):
        return 1
    if len(inputs) > MAX_INPUTS:
        raise BadRequestError(
            f"'input' has {len(inputs)} items: send at most {MAX_INPUTS} with one request.", "input"
        )
    return len(inputs)


def _is_list_of_inputs(items: list[msgspec.Raw]) -> bool:
    """Whether an array has texts or arrays of tokens, and is not one input of tokens itself."""
    return bool(items) and bytes(items[0])[:1] in {b'"', b"[", b"{"}


def _cut(embedding: bytes, dimensions: int) -> bytes:
    """Return a vector, as JSON, with its first ``dimensions`` numbers, normalized; in its own encoding."""
    if embedding[0] == _QUOTE:
        packed = base64.b64decode(embedding[1:-1])
        values = _normalized([value for (value,) in _FLOAT.iter_unpack(packed)], dimensions)
        if values is None:
            return embedding
        return b'"%b"' % base64.b64encode(b"".join(map(_FLOAT.pack, values)))
    shorter = _normalized(msgspec.json.decode(embedding, type=list[float]), dimensions)
    return embedding if shorter is None else msgspec.json.encode(shorter)


def _normalized(vector: list[float], dimensions: int) -> list[float] | None:
    """Return the beginning of a vector with length 1; None if nothing is cut."""
    if dimensions > len(vector):
        raise BadRequestError(
            f"'dimensions' is {dimensions}, but the vectors of this model have {len(vector)}.", "dimensions"
        )
    if dimensions == len(vector):
        return None
    cut = vector[:dimensions]
    norm = math.sqrt(math.fsum(value * value for value in cut))
    return cut if norm == 0 else [value / norm for value in cut]

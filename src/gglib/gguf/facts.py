"""What the keys of a GGUF header mean, for the few that gglib uses. Pure: values in, facts out.

A wanted key with a value of the wrong type makes the file invalid: llama.cpp refuses to load it too. Zero means
unknown: converters write it where a count does not apply.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from gglib.core.errors import InvalidGgufError
from gglib.core.models import GgufFacts
from gglib.gguf.capabilities import find_capabilities, find_pooling
from gglib.gguf.layers import LAYER_SUFFIXES, read_layers
from gglib.gguf.metadata import ArraySummary, Value, quoted
from gglib.gguf.quantization import TENSOR_TYPES, quantization_name
from gglib.gguf.tensors import TensorTotals

_Read = TypeVar("_Read")

_ARCHITECTURE = "general.architecture"
_NAME = "general.name"
_TYPE = "general.type"
_FILE_TYPE = "general.file_type"
_PARAMETER_COUNT = "general.parameter_count"
_ALIGNMENT = "general.alignment"
_TOKENS = "tokenizer.ggml.tokens"
_MERGES = "tokenizer.ggml.merges"
_TEMPLATE = "tokenizer.chat_template"
# A second template, which llama.cpp uses for requests with tools.
_TOOL_TEMPLATE = "tokenizer.chat_template.tool_use"
_SPLIT_INDEX = "split.no"
_SPLIT_COUNT = "split.count"
_KEYS = frozenset(
    {
        _ARCHITECTURE,
        _NAME,
        _TYPE,
        _FILE_TYPE,
        _PARAMETER_COUNT,
        _ALIGNMENT,
        _TOKENS,
        _MERGES,
        _TEMPLATE,
        _TOOL_TEMPLATE,
        _SPLIT_INDEX,
        _SPLIT_COUNT,
    }
)
# These follow the architecture's name, which may come after them in the file.
_SUFFIXES = (
    ".context_length",
    ".block_count",
    ".embedding_length",
    ".attention.head_count",
    ".attention.head_count_kv",
    ".attention.key_length",
    ".attention.value_length",
    ".vocab_size",
    ".pooling_type",
    *LAYER_SUFFIXES,
)

_DEFAULT_ALIGNMENT_BYTES = 32
# llama.cpp stores these counts in 32 bits, and the catalogue its numbers in 63.
_MAX_COUNT = 2**32 - 1
_MAX_PARAMETERS = 2**63 - 1
# llama.cpp writes the shard numbers in 16 bits.
_MAX_SHARDS = 2**16 - 1
_MAX_NAME_CHARACTERS = 256
_MAX_ARCHITECTURE_CHARACTERS = 64


def is_wanted(key: str) -> bool:
    """Return whether the facts use this key."""
    return key in _KEYS or key.endswith(_SUFFIXES)


def read_alignment(metadata: Mapping[str, Value]) -> int:
    """Return the alignment of tensor data in bytes. Raises InvalidGgufError unless it is a power of two."""
    alignment = _count(metadata, _ALIGNMENT)
    if alignment is None:
        return _DEFAULT_ALIGNMENT_BYTES
    if alignment.bit_count() != 1:
        raise InvalidGgufError(f"its alignment of {alignment} bytes is not a power of two")
    return alignment


def interpret(metadata: Mapping[str, Value], tensors: TensorTotals, *, is_whole: bool = False) -> GgufFacts:
    """Return the facts of a model. ``is_whole`` says that ``tensors`` counts all shards of a split model.

    Raises InvalidGgufError for a wanted key of the wrong type, and for a file without an architecture.
    """
    split_index, split_count = _split(metadata)
    architecture = _architecture(metadata, is_later_shard=bool(split_index))
    template, tool_template = _text(metadata, _TEMPLATE), _text(metadata, _TOOL_TEMPLATE)

    def count(name: str) -> int | None:
        return _count(metadata, f"{architecture}.{name}")

    pooling_type = count("pooling_type")
    capabilities = find_capabilities(
        architecture=architecture,
        pooling_type=pooling_type,
        head=tensors.head,
        template=template,
        tool_template=tool_template,
    )
    has_all_tensors = is_whole or split_index is None
    return GgufFacts(
        architecture=architecture,
        name=_display_name(metadata),
        kind=_text(metadata, _TYPE) or None,
        parameter_count=(has_all_tensors and tensors.element_count) or _count(metadata, _PARAMETER_COUNT),
        quantization=quantization_name(_number(metadata, _FILE_TYPE), tensors.bytes_by_type),
        trained_context=count("context_length"),
        block_count=count("block_count"),
        embedding_length=count("embedding_length"),
        head_count=count("attention.head_count"),
        head_count_kv=count("attention.head_count_kv"),
        key_length=count("attention.key_length"),
        value_length=count("attention.value_length"),
        vocabulary_size=_length(metadata, _TOKENS) or count("vocab_size"),
        merge_count=_optional(_length, metadata, _MERGES) or None,
        layers=read_layers(
            number=lambda name: _optional(_number, metadata, f"{architecture}.{name}"),
            numbers=lambda name: _optional(_numbers, metadata, f"{architecture}.{name}") or (),
        ),
        type_bytes=tuple(
            (TENSOR_TYPES[kind].name, size) for kind, size in sorted(tensors.bytes_by_type.items())
        ),
        embedding_type=None if tensors.embedding is None else TENSOR_TYPES[tensors.embedding[0]].name,
        embedding_bytes=None if tensors.embedding is None else tensors.embedding[1],
        has_output=tensors.has_output,
        chat_template=template or None,
        capabilities=capabilities,
        pooling=find_pooling(architecture, pooling_type, tensors.head),
        split_index=split_index,
        split_count=split_count,
    )


def _split(metadata: Mapping[str, Value]) -> tuple[int | None, int | None]:
    count = _number(metadata, _SPLIT_COUNT) or 0
    if count <= 1:  # llama.cpp treats a split into one file as a model in one file
        return None, None
    index = _number(metadata, _SPLIT_INDEX)
    if index is None or index >= count or count > _MAX_SHARDS:
        raise InvalidGgufError("its header does not say which shard of the split model it is")
    return index, count


def _architecture(metadata: Mapping[str, Value], *, is_later_shard: bool) -> str:
    architecture = _text(metadata, _ARCHITECTURE)
    if not architecture and is_later_shard:
        return ""
    if not architecture:
        raise InvalidGgufError("its header does not name the model's architecture")
    is_plain = architecture.isascii() and architecture.isprintable() and " " not in architecture
    if not is_plain or len(architecture) > _MAX_ARCHITECTURE_CHARACTERS:
        raise InvalidGgufError(f"its architecture {quoted(architecture)} is not a name")
    return architecture


def _display_name(metadata: Mapping[str, Value]) -> str | None:
    """Return the name as one line that is safe on a terminal, truncated to a sensible length."""
    words = (_text(metadata, _NAME) or "").split()
    line = "".join(character for character in " ".join(words) if character.isprintable())
    return line[:_MAX_NAME_CHARACTERS] or None


def _text(metadata: Mapping[str, Value], key: str) -> str | None:
    value = metadata.get(key)
    if value is None or isinstance(value, str):
        return value
    raise _wrong_type(key, "text")


def _length(metadata: Mapping[str, Value], key: str) -> int | None:
    value = metadata.get(key)
    if value is None:
        return None
    if isinstance(value, ArraySummary):
        return value.count
    raise _wrong_type(key, "a list")


def _count(metadata: Mapping[str, Value], key: str) -> int | None:
    return _number(metadata, key) or None


def _number(metadata: Mapping[str, Value], key: str) -> int | None:
    """Return a whole number; of a list with one per layer, the largest."""
    value = metadata.get(key)
    if isinstance(value, ArraySummary) and not value.is_boolean and (value.numbers or not value.count):
        value = max(value.numbers, default=None)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(key, "a whole number")
    return _checked(key, value)


def _numbers(metadata: Mapping[str, Value], key: str) -> tuple[int, ...]:
    """Return the numbers of a list, with booleans as 0 and 1; empty if the value is no list."""
    value = metadata.get(key)
    if not isinstance(value, ArraySummary):
        return ()
    return tuple(_checked(key, number) for number in value.numbers)


def _optional(
    read: Callable[[Mapping[str, Value], str], _Read], metadata: Mapping[str, Value], key: str
) -> _Read | None:
    """Return what ``read`` finds, or None if it rejects the value: for keys that only estimates use.

    Not every architecture reads these keys, so the engine may load a file with an invalid value in one.
    """
    try:
        return read(metadata, key)
    except InvalidGgufError:
        return None


def _checked(key: str, value: int) -> int:
    if not 0 <= value <= (_MAX_PARAMETERS if key == _PARAMETER_COUNT else _MAX_COUNT):
        raise InvalidGgufError(f"its key {quoted(key)} has a value that no model can have: {value}")
    return value


def _wrong_type(key: str, expected: str) -> InvalidGgufError:
    return InvalidGgufError(f"its key {quoted(key)} does not hold {expected}")

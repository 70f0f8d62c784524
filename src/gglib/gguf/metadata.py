"""Reads the key-value pairs of a GGUF header: keeps the few that are wanted, hops over the rest.

Knows how values are written, not what any key means. What llama.cpp refuses is refused here too: a key given
twice, an array of arrays, an unknown type of value.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gglib.core.errors import InvalidGgufError
from gglib.gguf.stream import HeaderStream

# Models have 20 to 60 pairs, with keys of at most some 60 bytes. The seen keys are held to find doubles, so
# these two bound the memory: 16 MiB.
_MAX_PAIRS = 16 * 1024
_MAX_KEY_BYTES = 1024
# The longest chat templates in use have some 20 KiB.
MAX_STRING_BYTES = 1024 * 1024
# Arrays with one number a layer are wanted; vocabularies, which are longer, are only counted.
_MAX_LAYERS = 4096

_STRING = 8
_ARRAY = 9
_SCALARS: Mapping[int, struct.Struct] = {
    0: struct.Struct("=B"),
    1: struct.Struct("=b"),
    2: struct.Struct("=H"),
    3: struct.Struct("=h"),
    4: struct.Struct("=I"),
    5: struct.Struct("=i"),
    6: struct.Struct("=f"),
    7: struct.Struct("=?"),
    10: struct.Struct("=Q"),
    11: struct.Struct("=q"),
    12: struct.Struct("=d"),
}
_WHOLE_NUMBERS = frozenset({0, 1, 2, 3, 4, 5, 10, 11})


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySummary:
    """What is kept of an array: how long it is and, for one number a layer, the largest."""

    count: int
    largest: int | None = None


Value = int | float | bool | str | ArraySummary


def read_metadata(stream: HeaderStream, count: int, is_wanted: Callable[[str], bool]) -> dict[str, Value]:
    """Return the wanted ones of the next ``count`` pairs; the stream is left behind the last of them.

    Text that is not UTF-8 has its bad bytes replaced. Raises InvalidGgufError.
    """
    if count > _MAX_PAIRS:
        raise InvalidGgufError(f"its header claims {count} metadata values, more than any model has")
    seen: set[str] = set()
    wanted: dict[str, Value] = {}
    for _ in range(count):
        key = _read_text(stream, limit_bytes=_MAX_KEY_BYTES, what="a metadata key")
        if key in seen:
            raise InvalidGgufError(f"its header gives the key {shown(key)} twice")
        seen.add(key)
        kind = stream.u32()
        if is_wanted(key):
            wanted[key] = _read_value(stream, kind, key)
        else:
            _skip_value(stream, kind)
    return wanted


def shown(key: str) -> str:
    """Return a key as a message may show it: quoted, escaped and short."""
    return ascii(key if len(key) <= 64 else key[:61] + "...")


def _read_value(stream: HeaderStream, kind: int, key: str) -> Value:
    if kind == _STRING:
        return _read_text(stream, limit_bytes=MAX_STRING_BYTES, what=f"the value of {shown(key)}")
    if kind == _ARRAY:
        return _read_array(stream)
    layout = _scalar(kind)
    value: int | float | bool
    (value,) = layout.unpack(stream.take(layout.size))
    return value


def _skip_value(stream: HeaderStream, kind: int) -> None:
    if kind == _STRING:
        stream.skip_strings(1)
    elif kind == _ARRAY:
        _read_array(stream)
    else:
        stream.skip(_scalar(kind).size)


def _read_array(stream: HeaderStream) -> ArraySummary:
    kind, count = stream.u32(), stream.u64()
    if kind == _STRING:
        stream.skip_strings(count)
        return ArraySummary(count=count)
    layout = _scalar(kind)
    if kind not in _WHOLE_NUMBERS or not 0 < count <= _MAX_LAYERS:
        stream.skip(count * layout.size)
        return ArraySummary(count=count)
    numbers = layout.iter_unpack(stream.take(count * layout.size))
    return ArraySummary(count=count, largest=max(number for (number,) in numbers))


def _scalar(kind: int) -> struct.Struct:
    layout = _SCALARS.get(kind)
    if layout is None:
        what = "an array of arrays" if kind == _ARRAY else f"a value of the unknown type {kind}"
        raise InvalidGgufError(f"its header holds {what}")
    return layout


def _read_text(stream: HeaderStream, *, limit_bytes: int, what: str) -> str:
    length = stream.u64()
    stream.require(length)
    if length > limit_bytes:
        raise InvalidGgufError(f"{what} has {length} bytes, more than the {limit_bytes} that a model may use")
    return stream.take(length).decode("utf-8", errors="replace")

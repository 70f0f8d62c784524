"""Reads the key-value pairs of a GGUF header: keeps the wanted ones and skips the rest.

Knows how values are encoded, not what any key means. What llama.cpp rejects is rejected here too: a duplicate key, an
array of arrays, an unknown value type.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gglib.core.errors import InvalidGgufError
from gglib.gguf.stream import MAX_STRINGS, HeaderStream, PastEndError

# Models have 20 to 60 pairs, with keys of at most about 60 bytes. Keys are kept to detect duplicates, as bytes
# (as text, one character of four bytes would widen them all), so these two bound the memory: 16 MiB.
_MAX_PAIRS = 16 * 1024
_MAX_KEY_BYTES = 1024
# The longest chat templates in use have about 20 KiB.
MAX_STRING_BYTES = 1024 * 1024
# Arrays with one number per layer are kept; vocabularies, which are longer, are only counted.
_MAX_LAYERS = 4096
# All wanted values together, in bytes of the file: the longest templates and a few lists. It bounds the memory
# for a file with endless wanted keys: text takes at most four times its bytes, and so do numbers here.
_MAX_KEPT_BYTES = 4 * 1024 * 1024
_NUMBER_BYTES = 10

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
_BOOL = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySummary:
    """What is kept of an array: its length and, for one number or boolean per layer, the values."""

    count: int
    numbers: tuple[int, ...] = ()
    is_boolean: bool = False


Value = int | float | bool | str | ArraySummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The wanted pairs of a header, as far as the bytes go."""

    values: Mapping[str, Value]
    is_complete: bool = True
    """Whether all pairs were read."""


def read_metadata(
    stream: HeaderStream, count: int, is_wanted: Callable[[str], bool], *, allows_truncation: bool = False
) -> Metadata:
    """Return the wanted ones among the next ``count`` pairs; the stream is then positioned after them.

    Invalid UTF-8 in text is replaced. Raises InvalidGgufError. With ``allows_truncation`` the end of the bytes is no
    error: pairs after the cut are missing, and an array that it cuts has its length only.
    """
    if count > _MAX_PAIRS:
        raise InvalidGgufError(f"its header claims {count} metadata values, more than any model has")
    reader = _PairReader(stream, is_wanted)
    try:
        for _ in range(count):
            reader.read_pair()
    except PastEndError:
        if not allows_truncation:
            raise
        return Metadata(values=reader.wanted, is_complete=False)
    return Metadata(values=reader.wanted)


def quoted(key: str) -> str:
    """Return a key for a message: quoted, escaped and short."""
    return ascii(key if len(key) <= 64 else key[:61] + "...")


class _PairReader:
    """Reads pair after pair; ``wanted`` holds the values kept so far."""

    def __init__(self, stream: HeaderStream, is_wanted: Callable[[str], bool]) -> None:
        self.wanted: dict[str, Value] = {}
        self._stream = stream
        self._is_wanted = is_wanted
        self._seen: set[bytes] = set()
        self._kept_bytes = 0

    def read_pair(self) -> None:
        """Read one pair. Raises InvalidGgufError."""
        raw = self._take_text(_MAX_KEY_BYTES, "a metadata key")
        key = _decoded(raw)
        if raw in self._seen:
            raise InvalidGgufError(f"its header gives the key {quoted(key)} twice")
        self._seen.add(raw)
        kind = self._stream.u32()
        if not self._is_wanted(key):
            self._skip_value(kind)
        elif kind == _ARRAY:
            self._read_array(key)
        else:
            self.wanted[key] = self._read_value(kind, key)

    def _read_value(self, kind: int, key: str) -> Value:
        if kind == _STRING:
            raw = self._take_text(MAX_STRING_BYTES, f"the value of {quoted(key)}")
            self._keep(len(raw))
            return _decoded(raw)
        layout = _scalar(kind)
        value: int | float | bool
        (value,) = layout.unpack(self._stream.take(layout.size))
        return value

    def _read_array(self, key: str) -> None:
        kind, count = self._stream.u32(), self._stream.u64()
        if kind == _STRING:
            if count <= MAX_STRINGS:  # known even if the bytes end inside the array
                self.wanted[key] = ArraySummary(count=count)
            self._stream.skip_strings(count)
            return
        layout = _scalar(kind)
        if (kind not in _WHOLE_NUMBERS and kind != _BOOL) or count > _MAX_LAYERS:
            self._stream.skip(count * layout.size)
            self.wanted[key] = ArraySummary(count=count)
            return
        self._keep(count * _NUMBER_BYTES)
        numbers = layout.iter_unpack(self._stream.take(count * layout.size))
        self.wanted[key] = ArraySummary(
            count=count, numbers=tuple(int(number) for (number,) in numbers), is_boolean=kind == _BOOL
        )

    def _skip_value(self, kind: int) -> None:
        if kind == _STRING:
            self._stream.skip_strings(1)
        elif kind == _ARRAY:
            self._skip_array()
        else:
            self._stream.skip(_scalar(kind).size)

    def _skip_array(self) -> None:
        kind, count = self._stream.u32(), self._stream.u64()
        if kind == _STRING:
            self._stream.skip_strings(count)
        else:
            self._stream.skip(count * _scalar(kind).size)

    def _take_text(self, limit_bytes: int, what: str) -> bytes:
        length = self._stream.u64()
        self._stream.require(length)
        if length > limit_bytes:
            raise InvalidGgufError(
                f"{what} has {length} bytes, more than the {limit_bytes} that a model may use"
            )
        return self._stream.take(length)

    def _keep(self, size_bytes: int) -> None:
        self._kept_bytes += size_bytes
        if self._kept_bytes > _MAX_KEPT_BYTES:
            raise InvalidGgufError("its header has more metadata than any model needs")


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")


def _scalar(kind: int) -> struct.Struct:
    layout = _SCALARS.get(kind)
    if layout is None:
        what = "an array of arrays" if kind == _ARRAY else f"a value of the unknown type {kind}"
        raise InvalidGgufError(f"its header holds {what}")
    return layout

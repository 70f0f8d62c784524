"""Mutated requests: valid requests with a few random faults, reproducible by seed. Pure."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from .representatives import REPRESENTATIVES

MAX_ACCIDENTS = 3
MAX_PARTS = 4
_TELLING = b"\r\n\t :;,/\x00\x0b+-0123456789aAfFxX\x7f\x80\xff"
"""Bytes with a meaning in HTTP: half of the flips insert one of these."""
_NUMBERS = (
    b"0",
    b"1",
    b"-1",
    b"+5",
    b"0x5",
    b"00",
    b"999",
    b"4294967301",
    b"18446744073709551617",
    b"9" * 40,
)
_TOKENS = (
    b"chunked",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 3\r\n",
    b"Host: evil.example\r\n",
    b"Connection: close\r\n",
    b"Content-Type: a/b\r\n",
    b"X-Request-Id: r\r\n",
    b"1\r\nx\r\n" * 300,
    b"Expect: 100-continue\r\n",
    b"0\r\n\r\n",
    b"\r\n\r\n",
    b"\r\n",
    b"\n",
    b" ",
    b"HTTP/1.0",
    b"HTTP/2.0",
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """The writes of one connection."""

    seed: int
    parts: tuple[bytes, ...]

    @property
    def raw(self) -> bytes:
        """All bytes of the mutant."""
        return b"".join(self.parts)


def mutant(seed: int) -> Mutant:
    """Return the mutant of a seed."""
    rng = random.Random(seed)  # noqa: S311 - the same seed must generate the same bytes
    raw = rng.choice(REPRESENTATIVES).raw
    for _ in range(rng.randint(1, MAX_ACCIDENTS)):
        raw = rng.choice(_ACCIDENTS)(raw, rng)
    return Mutant(seed, _cut(raw, rng))


def _cut(raw: bytes, rng: random.Random) -> tuple[bytes, ...]:
    ends = sorted(rng.randint(0, len(raw)) for _ in range(rng.randint(0, MAX_PARTS - 1)))
    parts = [raw[start:end] for start, end in zip([0, *ends], [*ends, len(raw)], strict=True)]
    return tuple(part for part in parts if part)


def _span(raw: bytes, rng: random.Random, longest: int) -> tuple[int, int]:
    start = rng.randrange(len(raw) or 1)
    return start, min(len(raw), start + rng.randint(1, longest))


def _flip(raw: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(raw) or 1)
    byte = rng.choice(_TELLING) if rng.random() < 0.5 else rng.randrange(256)
    return raw[:at] + bytes([byte]) + raw[at + 1 :]


def _delete(raw: bytes, rng: random.Random) -> bytes:
    start, end = _span(raw, rng, 12)
    return raw[:start] + raw[end:]


def _duplicate(raw: bytes, rng: random.Random) -> bytes:
    start, end = _span(raw, rng, 60)
    return raw[:end] + raw[start:end] + raw[end:]


def _insert(raw: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(raw) + 1)
    return raw[:at] + rng.choice(_TOKENS) + raw[at:]


def _swap_lines(raw: bytes, rng: random.Random) -> bytes:
    lines = raw.split(b"\r\n")
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\r\n".join(lines)


def _duplicate_line(raw: bytes, rng: random.Random) -> bytes:
    lines = raw.split(b"\r\n")
    at = rng.randrange(len(lines))
    return b"\r\n".join((*lines[: at + 1], *lines[at:]))


def _truncate(raw: bytes, rng: random.Random) -> bytes:
    return raw[: rng.randrange(1, len(raw) + 1)] if raw else raw


def _splice(raw: bytes, rng: random.Random) -> bytes:
    other = rng.choice(REPRESENTATIVES).raw
    return raw[: rng.randrange(len(raw) + 1)] + other[rng.randrange(len(other)) :]


def _change_number(raw: bytes, rng: random.Random) -> bytes:
    numbers = list(re.finditer(rb"\d+", raw))
    if not numbers:
        return raw
    found = rng.choice(numbers)
    near = b"%d" % max(0, int(found[0][:18]) + rng.choice((-2, -1, 1, 2)))
    return raw[: found.start()] + rng.choice((near, near, *_NUMBERS)) + raw[found.end() :]


_ACCIDENTS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _delete,
    _duplicate,
    _insert,
    _swap_lines,
    _duplicate_line,
    _truncate,
    _splice,
    _change_number,
)

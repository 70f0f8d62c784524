"""Reads mutated headers of real models, and worst cases: ``python -m bench.gguf_mutations``.

Every mutation is derived from a number, so that a failure is reproducible. Prints the slowest read and the peak memory
of the process; readers may raise only their documented error.
"""

import argparse
import os
import random
import resource
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.headers import REAL_HEADERS, write_header

from gglib.core.errors import InvalidGgufError
from gglib.gguf import read_gguf, read_model, read_partial_facts
from gglib.gguf.stream import MAX_STRINGS

START_BYTES = 256 * 1024
_INTERESTING = (
    0,
    1,
    2,
    7,
    8,
    9,
    12,
    13,
    255,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
_HEADER_MIB = 128
_TYPES = 13

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], bytes]


def mutated(number: int, headers: Sequence[bytes]) -> bytes:
    """Return one of ``headers``, mutated by ``number``."""
    chance = random.Random(number)
    content = bytearray(headers[number % len(headers)])
    mutation = MUTATIONS[number // len(headers) % len(MUTATIONS)]
    return mutation(chance, content, headers)


def _flip_bits(chance: random.Random, content: bytearray, _: Sequence[bytes]) -> bytes:
    for _unused in range(chance.randint(1, 16)):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)


def _flip_early_bits(chance: random.Random, content: bytearray, _: Sequence[bytes]) -> bytes:
    """Flip bits in the keys before the vocabulary, which is most of a header."""
    for _unused in range(chance.randint(1, 8)):
        content[chance.randrange(min(1500, len(content)))] ^= 1 << chance.randrange(8)
    return bytes(content)


def _truncate(chance: random.Random, content: bytearray, _: Sequence[bytes]) -> bytes:
    return bytes(content[: chance.randrange(len(content))])


def _set_length(chance: random.Random, content: bytearray, _: Sequence[bytes]) -> bytes:
    """Replace a small number (a length, a count or a dimension) by a boundary value."""
    places = [at for at in range(8, min(6000, len(content) - 8)) if 0 < _u64(content, at) < 2**20]
    at = chance.choice(places)
    content[at : at + 8] = struct.pack(
        "=Q", chance.choice((*_INTERESTING, _u64(content, at) + 1, _u64(content, at) - 1))
    )
    return bytes(content)


def _set_count(chance: random.Random, content: bytearray, _: Sequence[bytes]) -> bytes:
    at = chance.choice((8, 16))
    near = (_u64(content, at) + chance.randint(-3, 3)) % 2**64
    content[at : at + 8] = struct.pack("=Q", chance.choice((*_INTERESTING, near)))
    return bytes(content)


def _set_type(chance: random.Random, content: bytearray, _: Sequence[bytes]) -> bytes:
    """Replace the type of a value by a known or an unknown type."""
    small = (at for at in range(24, min(6000, len(content) - 4)) if content[at + 1 : at + 4] == bytes(3))
    content[chance.choice([at for at in small if content[at] < _TYPES])] = chance.randrange(_TYPES + 3)
    return bytes(content)


def _splice(chance: random.Random, content: bytearray, headers: Sequence[bytes]) -> bytes:
    """Insert a piece of another header in the middle of this one."""
    other = chance.choice(headers)
    at, start = chance.randrange(min(4000, len(content))), chance.randrange(min(4000, len(other)))
    return bytes(content[:at] + other[start : start + chance.randrange(8000)] + content[at:])


def _remove(chance: random.Random, content: bytearray, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(min(4000, len(content)))
    del content[at : at + chance.randint(1, 64)]
    return bytes(content)


def _u64(content: bytearray, at: int) -> int:
    value: int = struct.unpack_from("=Q", content, at)[0]
    return value


MUTATIONS: tuple[Mutation, ...] = (
    _flip_bits, _flip_early_bits, _truncate, _set_length, _set_count, _set_type, _splice, _remove,
)  # fmt: skip


def read_all(path: Path, content: bytes, size_bytes: int) -> Iterator[Callable[[], object]]:
    """Write bytes into a sparse file of this size, and yield each way to read them."""
    path.write_bytes(content)
    os.truncate(path, max(size_bytes, len(content)))
    yield lambda: read_gguf(path)
    yield lambda: read_model(path)
    yield lambda: read_partial_facts(content[:START_BYTES])


def worst_headers() -> Iterator[tuple[str, bytes, int]]:
    """Yield headers that cost as much time or memory as a reader allows: name, bytes, size of the sparse file."""
    size = _HEADER_MIB * 1024**2

    def text(raw: bytes) -> bytes:
        return struct.pack("=Q", len(raw)) + raw

    def file(pairs: Sequence[bytes], tensors: int = 0, *, count: int | None = None) -> bytes:
        return (
            b"GGUF"
            + struct.pack("=IQQ", 3, tensors, len(pairs) if count is None else count)
            + b"".join(pairs)
        )

    name = text(b"general.architecture") + struct.pack("=I", 8) + text(b"llama")
    for words, told_as in ((size // 8 - 64, "16 million"), (MAX_STRINGS, "4 million")):
        empty = text(b"tokenizer.ggml.tokens") + struct.pack("=IIQ", 9, 8, words)
        yield f"{told_as} empty words", file([name, empty]), size
    astral = "\U0001f600".encode()
    wide = [text(b"%08d" % at + astral + b"k" * 1000) + struct.pack("=IB", 0, 0) for at in range(16_000)]
    yield "16,000 keys of 1 KiB with one character of four bytes", file([name, *wide]), 0
    templates = [
        text(b"%d.block_count" % at) + struct.pack("=I", 8) + text(astral * 2**18) for at in range(16)
    ]
    yield "texts of 1 MiB under wanted keys", file([name, *templates]), 0
    key = b"%d.attention.head_count_kv"
    numbers = struct.pack("=IIQ", 9, 10, 4096) + bytes(8 * 4096)
    lists = [text(key % at) + numbers for at in range(3000)]
    yield "3,000 lists of 4,096 numbers under wanted keys", file([name, *lists]), 0
    tensor = text(b"w" * 63) + struct.pack("=I4QIQ", 4, 1, 1, 1, 1, 0, 0)
    yield "32,768 tensors", file([name], 32_768) + tensor * 32_768, 0


def main() -> None:
    """Read all headers and print time and memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.gguf"
        headers, sizes = [], []
        for header in REAL_HEADERS:
            sizes.append(write_header(path, header).stat().st_size)
            with path.open("rb") as file:
                headers.append(file.read(4 * 1024**2))
        before_mib = _peak_mib()
        slowest_ms, accepted, refused = 0.0, 0, 0
        for number in range(options.count):
            content = mutated(number, headers)
            for read in read_all(path, content, sizes[number % len(headers)]):
                took_ms, was_read = _timed(read)
                slowest_ms = max(slowest_ms, took_ms)
                accepted, refused = accepted + was_read, refused + (not was_read)
        print(f"{options.count} mutated headers, three readers: {accepted} read, {refused} refused")
        print(
            f"  slowest {slowest_ms:.0f} ms; peak of the process {_peak_mib():.0f} MiB, {before_mib:.0f} before"
        )
        for name, content, size_bytes in worst_headers():
            _measure_worst(path, name, content, size_bytes)


def _measure_worst(path: Path, name: str, content: bytes, size_bytes: int) -> None:
    """Read the file in a child process: the peak memory of a process never falls."""
    path.write_bytes(content)
    os.truncate(path, max(size_bytes, len(content)))
    del content
    pid = os.fork()
    if pid == 0:
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the current resident size
        before_mib = _peak_mib()
        took_ms, was_read = _timed(lambda: read_gguf(path))
        outcome = "read" if was_read else "refused"
        print(f"{name}: {outcome}, {took_ms:.0f} ms, {_peak_mib() - before_mib:.0f} MiB", flush=True)
        os._exit(0)
    os.waitpid(pid, 0)


def _timed(read: Callable[[], object]) -> tuple[float, bool]:
    started = time.perf_counter()
    try:
        read()
    except InvalidGgufError:
        return (time.perf_counter() - started) * 1000, False
    return (time.perf_counter() - started) * 1000, True


def _peak_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

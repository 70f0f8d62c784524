"""Two thousand mutated headers of real models: read or refused with the one error, in bounded memory and work."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from bench.gguf_mutations import MUTATIONS, mutated, read_all, worst_headers
from bench.headers import REAL_HEADERS, write_header

from gglib.core.errors import InvalidGgufError
from gglib.core.models import GgufFacts
from gglib.gguf import reader
from gglib.gguf.reader import GgufModel
from gglib.gguf.stream import HeaderStream
from gglib.library.fit.cache_size import cache_bytes
from gglib.library.fit.estimate import estimate

_COUNT = 2000
_PARTS = 20
_PEAK_BYTES = 50_000_000
_WORDS = 40
_WINDOW_BYTES = 512 * 1024


class CountingStream(HeaderStream):
    """Counts the bytes that are read through it."""

    read_bytes = 0

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        super().__init__(file, size_bytes)
        read = file.read

        def counted(size: int) -> bytes:
            content = read(size)
            CountingStream.read_bytes += len(content)
            return content

        self._file: Any = type("Counted", (), {"read": staticmethod(counted), "seek": file.seek})


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], list[int]]:
    """Give the bytes of each header, with a short vocabulary, and the size of its file."""
    path = tmp_path_factory.mktemp("headers") / "model.gguf"
    contents, sizes = [], []
    for header in REAL_HEADERS:
        sizes.append(write_header(path, header, most_words=_WORDS).stat().st_size)
        with path.open("rb") as file:
            contents.append(file.read(32_768))
    return contents, sizes


def test_unmodified_headers_are_read(headers: tuple[list[bytes], list[int]], tmp_path: Path) -> None:
    """The headers before mutation are read by all three readers."""
    for content, size_bytes in zip(*headers, strict=True):
        for read in read_all(tmp_path / "model.gguf", content, size_bytes):
            assert read()


def test_mutations_differ(headers: tuple[list[bytes], list[int]]) -> None:
    """Each mutation of each header is a different file, and reproducible."""
    contents, _ = headers
    seen = {mutated(number, contents) for number in range(_COUNT)}

    assert len(seen) > _COUNT * 0.8
    assert 8 * len(REAL_HEADERS) * len(MUTATIONS) <= _COUNT
    assert mutated(77, contents) == mutated(77, contents)


@contextmanager
def _traced() -> Iterator[None]:
    """Trace the allocations."""
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("part", range(_PARTS))
def test_mutated_headers_are_read_or_refused(
    part: int,
    headers: tuple[list[bytes], list[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A mutated header is read or refused with the one error, in less than 50 MB, reading at most its size."""
    monkeypatch.setattr(reader, "HeaderStream", CountingStream)
    contents, sizes = headers
    drawn = [(number, mutated(number, contents)) for number in range(part, _COUNT, _PARTS)]
    with _traced():
        for number, content in drawn:
            size_bytes = max(len(content), sizes[number % len(sizes)])
            for read in read_all(tmp_path / "model.gguf", content, size_bytes):
                tracemalloc.reset_peak()
                CountingStream.read_bytes = 0
                _read(read, number)
                # A window may be read twice where a text lies across its end.
                assert CountingStream.read_bytes <= 2 * size_bytes + _WINDOW_BYTES, number
                assert tracemalloc.get_traced_memory()[1] < _PEAK_BYTES, number


def test_worst_headers_stay_in_bounds(tmp_path: Path) -> None:
    """Headers made to take as much memory as possible take less than 50 MB, read or refused."""
    for name, content, size_bytes in worst_headers():
        if "4 million" in name:  # takes time, not memory: the bench has it
            continue
        read = next(read_all(tmp_path / "model.gguf", content, size_bytes))
        with _traced():
            _read(read, 0)
            assert tracemalloc.get_traced_memory()[1] < _PEAK_BYTES, name


def _read(read: Any, number: int) -> None:
    try:
        found = read()
    except InvalidGgufError as error:
        refusal = str(error)
    else:
        _check_found(found)
        return
    assert refusal.isprintable(), number


def _check_found(found: object) -> None:
    facts = found.facts if isinstance(found, GgufModel) else found
    assert isinstance(facts, GgufFacts)
    assert estimate(facts, weights_bytes=10**9, context=8192, slots=1).total_bytes > 0
    size = cache_bytes(facts, 8192, 1)
    assert size is None or size >= 0

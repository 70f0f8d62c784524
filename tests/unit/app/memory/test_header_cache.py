"""The cache of file headers."""

from pathlib import Path

import pytest

from gglib.app.memory.header_cache import HeaderCache
from gglib.core.errors import UnreadableFileError
from gglib.core.models import GgufFacts

FACTS = GgufFacts(architecture="llama")


def test_each_state_of_a_file_is_read_once() -> None:
    """Also a header that no engine can use; a changed file is read again."""
    read: list[Path] = []

    def reads(path: Path) -> GgufFacts | None:
        read.append(path)
        return None if path.name == "bad" else FACTS

    cache, good, bad = HeaderCache(reads), Path("good"), Path("bad")
    assert not cache.has(good, 1, 1)
    assert [cache(good, 1, 1), cache(good, 1, 1), cache(bad, 1, 1), cache(bad, 1, 1)] == [
        FACTS,
        FACTS,
        None,
        None,
    ]
    assert read == [good, bad]
    assert cache.has(bad, 1, 1)
    cache(good, 1, 2)
    assert read == [good, bad, good]


def test_an_error_is_not_cached() -> None:
    """The file may be readable the next time."""
    results: list[Exception | None] = [UnreadableFileError("too many open files"), None]

    def reads(_: Path) -> GgufFacts | None:
        error = results.pop(0)
        if error is not None:
            raise error
        return FACTS

    cache = HeaderCache(reads)
    with pytest.raises(UnreadableFileError):
        cache(Path("a"), 1, 1)
    assert cache(Path("a"), 1, 1) is FACTS


def test_the_oldest_entries_are_dropped() -> None:
    """The cache is bounded."""
    cache = HeaderCache(lambda _: FACTS, max_files=2)
    for name in "abc":
        cache(Path(name), 1, 1)
    assert [cache.has(Path(name), 1, 1) for name in "abc"] == [False, True, True]

"""Whether a write-ahead log belongs to a database file, by the stamps of its transactions."""

import struct

import pytest

from gglib.db.wal_identity import (
    NO_COMMIT,
    CommitStamp,
    DatabaseFile,
    FileKind,
    WalContent,
    WalOrigin,
    current_of,
    origin_of,
    parse_stamp,
    parse_wal,
)

PAGE_BYTES = 512
A, B, C, X = ("A" * 16, "B" * 16, "C" * 16, "F" * 16)


def file_of(commit_id: str) -> DatabaseFile:
    """Return a readable database file of 9 pages."""
    return DatabaseFile(FileKind.READABLE, commit_id, 9)


def log_of(*stamps: tuple[str, str], commits: int | None = None, has_image: bool = False) -> WalContent:
    """Return a write-ahead log of transactions with and without stamps."""
    return WalContent(
        len(stamps) if commits is None else commits,
        11,
        tuple(CommitStamp(*each) for each in stamps),
        has_image,
    )


@pytest.mark.parametrize(
    ("log", "file", "origin"),
    [
        (log_of(), file_of(X), WalOrigin.OWN),
        (log_of((B, A)), file_of(A), WalOrigin.OWN),
        (log_of((B, A)), file_of(B), WalOrigin.OWN),
        (log_of((B, A), (C, B)), file_of(B), WalOrigin.OWN),
        (log_of((B, A), (C, B)), file_of(X), WalOrigin.FOREIGN),
        (log_of((B, A), commits=3), file_of(A), WalOrigin.OWN),
        (log_of((B, A), commits=3), file_of(X), WalOrigin.FOREIGN),
        (log_of((A, NO_COMMIT)), file_of(NO_COMMIT), WalOrigin.OWN),
        (log_of((B, A)), file_of(NO_COMMIT), WalOrigin.FOREIGN),
        (log_of(commits=2), file_of(X), WalOrigin.UNKNOWN),
        (log_of((B, A), has_image=True), file_of(X), WalOrigin.OWN),
        (log_of((B, A)), DatabaseFile(FileKind.TORN), WalOrigin.OWN),
        (log_of((B, A)), DatabaseFile(FileKind.EMPTY), WalOrigin.OWN),
    ],
)
def test_log_is_foreign_only_if_proven(log: WalContent, file: DatabaseFile, origin: WalOrigin) -> None:
    """A file's own log names its commit; a torn file, an image and missing stamps prove nothing."""
    assert origin_of(log, file) is origin


def test_state_that_a_reader_sees() -> None:
    """The last transaction of the log counts, else the file."""
    assert current_of(log_of(), file_of(A)) == (A, 9)
    assert current_of(log_of((B, A), (C, B)), file_of(A)) == (C, 11)
    assert current_of(log_of(commits=1), file_of(A)) == (A, 11)


@pytest.mark.parametrize(
    "text", ["", "gglib-commit", f"gglib-commit {A} {B} ", f"gglib-commit {A} b", None, 7, b"x"]
)
def test_missing_stamp(text: object) -> None:
    """A page that gglib did not write has no stamp."""
    assert parse_stamp(text) is None


def page_of(stamp: str | None) -> bytes:
    """Return a page of a table with one row; with a stamp, or of another table."""
    text = b"nothing" if stamp is None else f"gglib-commit {stamp}".encode()
    cell = bytes([len(text) + 2, 1, 2, 13 + 2 * len(text)]) + text
    start = PAGE_BYTES - len(cell)
    head = struct.pack(">BHHHBH", 0x0D, 0, 1, start, 0, start)
    return head.ljust(start, b"\0") + cell


def frame(number: int, page: bytes, *, size: int = 0, salts: tuple[int, int] = (7, 8)) -> bytes:
    """Return a frame; one with a size ends a transaction."""
    return struct.pack(">6I", number, size, *salts, 0, 0) + page


HEADER = struct.pack(">8I", 0x377F0682, 3007000, PAGE_BYTES, 0, 7, 8, 0, 0)


def test_log_is_read_up_to_its_last_commit() -> None:
    """Frames without a commit, truncated frames, and frames from before a log restart do not count."""
    first = frame(5, page_of(None)) + frame(3, page_of(f"{B} {A}"), size=9)
    second = frame(3, page_of(f"{C} {B}")) + frame(9, page_of(None), size=10)
    open_end = frame(3, page_of(f"{X} {C}"))
    older = frame(3, page_of(f"{X} {C}"), size=12, salts=(6, 8))
    whole = WalContent(2, 10, (CommitStamp(B, A), CommitStamp(C, B)))
    assert parse_wal(HEADER + first + second) == whole
    for end in (
        open_end,
        frame(3, bytes(PAGE_BYTES)),
        older,
        open_end[:100],
        frame(3, page_of(f"{X} {C}"), size=12)[:-1],
    ):
        assert parse_wal(HEADER + first + second + end) == whole
    assert parse_wal(HEADER + first) == WalContent(1, 9, (CommitStamp(B, A),))


def test_transaction_of_every_page_is_an_image() -> None:
    """A stamped transaction that wrote all pages of the database does not depend on the file's content."""
    pages = [frame(1, page_of(None)), frame(2, page_of(f"{B} {A}"))]
    assert parse_wal(HEADER + pages[0] + pages[1] + frame(3, page_of(None), size=3)).has_image
    assert not parse_wal(HEADER + pages[0] + pages[1] + frame(4, page_of(None), size=4)).has_image
    assert not parse_wal(HEADER + frame(1, page_of(None), size=1)).has_image


@pytest.mark.parametrize("content", [b"", HEADER[:31], HEADER, b"\0" * 4096, b"\xff" * 4096])
def test_invalid_log(content: bytes) -> None:
    """An empty, a zeroed and a foreign file hold no transactions."""
    assert parse_wal(content) == WalContent()

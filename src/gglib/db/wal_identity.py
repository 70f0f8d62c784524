"""Whether a write-ahead log belongs to the database file beside it. Pure.

Every transaction of gglib writes a stamp into the table ``state``: its own random id, and the id of the previous
commit. Each log therefore names the commits that its database file may have: the one before its first transaction, and
each of its own, as far as a checkpoint has copied them. A file with another id was replaced by another program, for
example by a backup, and the log would corrupt it or silently undo the restore.

Losing an acknowledged row is worse than that, so a log is foreign only if that is proven; undecided cases are decided
by the content (see ``wal_repair``). A transaction of another program leaves the stamp unchanged, but writes its page if
it changes a model.
"""

import re
import struct
from dataclasses import dataclass
from enum import Enum, auto

NO_COMMIT = "0" * 16
"""The id of a database without stamps, from an older gglib."""

STAMP_PREFIX = "gglib-commit "
STAMP_PATTERN = re.compile(rf"{STAMP_PREFIX}([0-9A-F]{{16}}) ([0-9A-F]{{16}})")

MAX_WAL_BYTES = 64 * 1024 * 1024
"""A longer log is not read: gglib's logs have about 100 KB."""

_HEADER = struct.Struct(">IIIIIIII")
_FRAME = struct.Struct(">IIIIII")
_MAGICS = (0x377F0682, 0x377F0683)
_MAX_PAGE_BYTES = 65_536
_LEAF_TABLE = 0x0D
_MAX_CELL_START_BYTES = 16
"""Bytes of a cell before its first column: two lengths and a short record header."""


@dataclass(frozen=True, slots=True)
class CommitStamp:
    """What a transaction wrote into ``state``."""

    commit_id: str
    previous_id: str


@dataclass(frozen=True, slots=True)
class WalContent:
    """The committed transactions of a log."""

    commits: int = 0
    pages: int = 0
    """Pages of the database after the last transaction."""
    stamps: tuple[CommitStamp, ...] = ()
    has_image: bool = False
    """Whether a transaction wrote every page, and a stamp: a backup that a program copied into the open database. The
    content of the database file does not matter then."""


class FileKind(Enum):
    """The state of a database file without its log."""

    EMPTY = auto()
    """Missing, or of zero bytes."""
    READABLE = auto()
    TORN = auto()
    """Not readable alone: an interrupted checkpoint, an unfinished copy, or damage."""


@dataclass(frozen=True, slots=True)
class DatabaseFile:
    """A database file without its log."""

    kind: FileKind
    commit_id: str = NO_COMMIT
    pages: int = 0


class WalOrigin(Enum):
    """Whether a log belongs to a database file."""

    OWN = auto()
    FOREIGN = auto()
    UNKNOWN = auto()


def parse_stamp(text: object) -> CommitStamp | None:
    """Return the stamp, or None if the text is not one."""
    found = STAMP_PATTERN.fullmatch(text) if isinstance(text, str) else None
    return None if found is None else CommitStamp(found[1], found[2])


def origin_of(log: WalContent, file: DatabaseFile) -> WalOrigin:
    """Return whether ``log`` belongs to ``file``."""
    if log.commits == 0 or log.has_image or file.kind is not FileKind.READABLE:
        return WalOrigin.OWN
    if not log.stamps:
        return WalOrigin.UNKNOWN
    known = {each for stamp in log.stamps for each in (stamp.commit_id, stamp.previous_id)}
    return WalOrigin.OWN if file.commit_id in known else WalOrigin.FOREIGN


def current_of(log: WalContent, file: DatabaseFile) -> tuple[str, int]:
    """Return the commit and the number of pages that a reader of both sees; for a readable file and its own log."""
    if log.commits == 0:
        return file.commit_id, file.pages
    return (log.stamps[-1].commit_id if log.stamps else file.commit_id), log.pages


def parse_wal(content: bytes) -> WalContent:
    """Parse a log (https://sqlite.org/fileformat2.html#the_write_ahead_log).

    Checksums are not verified: frames that SQLite would reject, from a power cut, make more ids known, which is the
    safe direction.
    """
    if len(content) < _HEADER.size:
        return WalContent()
    magic, _, page_size, _, *salts, _, _ = _HEADER.unpack_from(content)
    page_size = _MAX_PAGE_BYTES if page_size == 1 else page_size
    if magic not in _MAGICS or page_size < 512:
        return WalContent()
    commits, pages, has_image = 0, 0, False
    stamps: list[CommitStamp] = []
    written: set[int] = set()
    pending: CommitStamp | None = None
    for start in range(_HEADER.size, len(content) - _FRAME.size - page_size + 1, _FRAME.size + page_size):
        number, size, *frame_salts, _, _ = _FRAME.unpack_from(content, start)
        if frame_salts != salts:  # from before the log was restarted
            break
        written.add(number)
        pending = _stamp_in(content[start + _FRAME.size : start + _FRAME.size + page_size]) or pending
        if size:
            commits, pages = commits + 1, size
            if pending is not None:
                stamps.append(pending)
                has_image = has_image or len(written) >= size
            written, pending = set(), None
    return WalContent(commits, pages, tuple(stamps), has_image)


def _stamp_in(page: bytes) -> CommitStamp | None:
    """Return the stamp of a page of the table ``state``: a leaf with one row, which begins with the stamp."""
    if page[0] != _LEAF_TABLE or page[3:5] != b"\x00\x01":
        return None
    start = int.from_bytes(page[8:10], "big")
    at = page.find(STAMP_PREFIX.encode(), start, start + _MAX_CELL_START_BYTES + len(STAMP_PREFIX))
    if at < 0:
        return None
    return parse_stamp(page[at : at + len(STAMP_PREFIX) + 33].decode("ascii", errors="replace"))

"""A file is gglib's own if its identity is the recorded one, or its content where the identity means nothing."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.library.versions.world import hash_of as sha256_of

from gglib.core.versions import FileIdentity, FileRole, OwnFile
from gglib.library.versions import ownership
from gglib.library.versions.ownership import (
    hash_of,
    identity_of,
    is_own,
    is_same,
)
from gglib.system.files.small_files import open_regular

CONTENT = b"what gglib wrote"


@pytest.fixture
def file(tmp_path: Path) -> OwnFile:
    """Return a file as recorded when it was written."""
    path = tmp_path / "m.gguf"
    path.write_bytes(CONTENT)
    identity = identity_of(path)
    assert identity is not None
    return OwnFile(
        path=path, role=FileRole.MODEL, name="m.gguf", identity=identity, sha256=sha256_of(CONTENT)
    )


def moved(file: OwnFile, **unknown: None) -> OwnFile:
    """Return a record without the values that mean nothing in another place."""
    fields = unknown or {"device": None, "inode": None}
    return replace(file, identity=replace(file.identity, **fields))  # type: ignore[arg-type]


def test_unchanged_file_is_own_and_is_not_read(file: OwnFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Device, inode, size and date are enough."""
    monkeypatch.setattr(ownership, "open_regular", lambda *_: pytest.fail("it was read"))
    assert is_own(file)


def test_replaced_file_of_the_same_size_and_date_is_not_own(file: OwnFile) -> None:
    """A replacement has another inode, even with the same size, date and content."""
    status = file.path.stat()
    other = file.path.with_name("other")
    other.write_bytes(CONTENT)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file.path)
    assert not is_own(file)


def test_modified_file_is_not_own(file: OwnFile) -> None:
    """The same inode with another date or size is the user's file."""
    status = file.path.stat()
    with file.path.open("r+b") as opened:
        opened.write(b"W")
    os.utime(file.path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert not is_own(file)


@pytest.mark.parametrize("fields", [{"device": 0}, {"inode": 0}, {"size_bytes": 0}, {"modified_ns": 0}])
def test_each_field_of_an_identity_decides(file: OwnFile, fields: dict[str, int]) -> None:
    """A record that differs in one field alone is of another file."""
    other = replace(file, identity=replace(file.identity, **fields))
    assert not is_own(other)
    assert not is_same(other.identity, file.path.stat())
    assert is_same(file.identity, file.path.stat())


def test_links_and_special_files_are_not_own(file: OwnFile) -> None:
    """A link is not own even if it leads to the very file; a directory, a FIFO and a missing path are not either."""
    target = file.path.rename(file.path.with_name("elsewhere"))
    assert not is_own(file)
    assert identity_of(file.path) is None
    file.path.symlink_to(target)
    assert not is_own(file)
    assert not is_own(moved(file))
    assert identity_of(file.path) is None
    file.path.unlink()
    os.mkfifo(file.path)
    assert not is_own(file)
    assert not is_own(moved(file))
    file.path.unlink()
    file.path.mkdir()
    assert not is_own(file)
    assert not is_own(replace(file, path=Path("no\0name")))


@pytest.mark.parametrize("unknown", [{"device": None}, {"inode": None}, {"modified_ns": None}, {}])
def test_without_an_identity_the_content_decides(file: OwnFile, unknown: dict[str, None]) -> None:
    """In a copied home a file is own by size and hash, with any inode and date."""
    os.utime(file.path, ns=(1, 1))
    record = moved(file, **unknown)
    assert is_own(record)
    assert is_own(replace(record, sha256=sha256_of(CONTENT).upper()))
    assert not is_own(replace(record, sha256=sha256_of(b"other")))
    assert not is_own(replace(record, sha256=None))
    assert not is_own(replace(record, identity=replace(record.identity, size_bytes=1)))
    file.path.write_bytes(CONTENT.swapcase())
    assert not is_own(record)


def test_file_is_hashed_once_while_unchanged(file: OwnFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash of a settled file is cached while its identity is the same; one that has just changed is read again."""
    reads = []
    real = open_regular

    def counted(path: Path) -> int:
        reads.append(path)
        return real(path)

    monkeypatch.setattr(ownership, "open_regular", counted)
    assert [is_own(moved(file)), is_own(moved(file)), len(reads)] == [True, True, 2]
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 10**12)
    assert [is_own(moved(file)), is_own(moved(file)), len(reads)] == [True, True, 3]
    _write_keeping_date(file.path, CONTENT.swapcase())
    assert [is_own(moved(file)), is_own(moved(file)), len(reads)] == [False, False, 4]


def _write_keeping_date(path: Path, content: bytes) -> None:
    """Change a file and put its date back, until the system's clock for files has ticked."""
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_file_replaced_during_the_read_has_no_hash(file: OwnFile) -> None:
    """The hash is of the checked file, or there is none."""
    status = file.path.lstat()
    other = file.path.with_name("other")
    other.write_bytes(b"x" * len(CONTENT))
    other.replace(file.path)
    assert hash_of(file.path, status) is None
    file.path.unlink()
    assert hash_of(file.path, status) is None


def test_file_changed_during_the_read_has_no_hash(file: OwnFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write during the read makes it another file."""

    def changed(*_: object) -> str:
        file.path.write_bytes(b"longer than it was before")
        return sha256_of(CONTENT)

    monkeypatch.setattr(ownership, "hash_stream", changed)
    assert not is_own(moved(file))


def test_cache_of_hashes_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some thousand files the hashes are dropped, and computed again when needed."""
    monkeypatch.setattr(ownership, "_MAX_HASHES", 2)
    monkeypatch.setattr(ownership, "_hashes", {})
    monkeypatch.setattr(ownership, "_SETTLED_NS", 0)
    for number in range(5):
        path = tmp_path / str(number)
        path.write_bytes(b"%d" % number)
        assert hash_of(path, path.lstat()) == sha256_of(b"%d" % number)
    assert len(ownership._hashes) <= 2


def test_identity_is_that_of_lstat(file: OwnFile) -> None:
    """Device, inode, size and date in nanoseconds."""
    status = file.path.lstat()
    assert identity_of(file.path) == FileIdentity(
        device=status.st_dev,
        inode=status.st_ino,
        size_bytes=len(CONTENT),
        modified_ns=status.st_mtime_ns,
    )

"""A file gets a second path by a link, a clone or a copy; nothing is replaced, and no partial file is left."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.library.versions.world import hash_of, names_in

from gglib.core.errors import GglibError
from gglib.core.versions import FileRole, OwnFile
from gglib.library.versions import sharing
from gglib.library.versions.ownership import identity_of
from gglib.library.versions.sharing import (
    COPY_SUFFIX,
    SourceError,
    link_or_copy,
    link_or_move,
    share,
)

CONTENT = bytes(range(256)) * 5000


def refuse(number: int) -> Callable[..., Any]:
    """Return a system call that fails."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a file to be shared."""
    path = tmp_path / "source.gguf"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return a path in another directory."""
    (tmp_path / "there").mkdir()
    return tmp_path / "there" / "target.gguf"


def own(path: Path) -> OwnFile:
    """Return the record of a file as it is now."""
    identity = identity_of(path)
    assert identity is not None
    return OwnFile(
        path=path, role=FileRole.MODEL, name=path.name, identity=identity, sha256=hash_of(path.read_bytes())
    )


def test_link_takes_no_space(source: Path, target: Path) -> None:
    """Where the file system can, both names mean one file."""
    assert link_or_copy(source, target) == "linked"
    assert target.samefile(source)
    assert names_in(target.parent) == ["target.gguf"]


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP])
@pytest.mark.parametrize("has_ranges", [True, False])
def test_without_links_the_file_is_copied(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, has_ranges: bool
) -> None:
    """A copy has the content, its own inode, and no write permission; it reports its progress."""
    monkeypatch.setattr(os, "link", refuse(number))
    monkeypatch.setattr(fcntl, "ioctl", refuse(errno.EOPNOTSUPP))
    if not has_ranges:
        monkeypatch.setattr(os, "copy_file_range", refuse(errno.EXDEV))
    progress: list[int] = []
    assert link_or_copy(source, target, on_copied=progress.append) == "copied"
    assert target.read_bytes() == CONTENT
    assert not target.samefile(source)
    assert stat.S_IMODE(target.stat().st_mode) == 0o444
    assert progress[-1] == len(CONTENT)
    assert names_in(target.parent) == ["target.gguf"]


def test_without_copy_file_range_the_file_is_copied_in_pieces(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system without ``copy_file_range`` (macOS) copies through memory, a piece at a time."""
    monkeypatch.setattr(os, "link", refuse(errno.EXDEV))
    monkeypatch.setattr(fcntl, "ioctl", refuse(errno.ENOTTY))
    monkeypatch.delattr(os, "copy_file_range")
    progress: list[int] = []
    assert link_or_copy(source, target, on_copied=progress.append) == "copied"
    assert target.read_bytes() == CONTENT
    assert progress == [1024 * 1024, len(CONTENT)]


def test_clone_copies_no_bytes(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system shares blocks, the bytes are not copied."""

    def clone(descriptor: int, request: int, other: int) -> int:
        assert request == 0x40049409
        return os.pwrite(descriptor, os.pread(other, len(CONTENT), 0), 0)

    monkeypatch.setattr(os, "link", refuse(errno.EXDEV))
    monkeypatch.setattr(fcntl, "ioctl", clone)
    monkeypatch.setattr(sharing, "_copy_bytes", lambda *_: pytest.fail("it was copied"))
    assert link_or_copy(source, target) == "cloned"
    assert target.read_bytes() == CONTENT


@pytest.mark.skipif(
    not os.access("/dev/shm", os.W_OK) or Path("/dev/shm").stat().st_dev == Path("/tmp").stat().st_dev,  # noqa: S108
    reason="needs a second file system",
)
def test_between_two_disks_the_file_is_copied(source: Path, tmp_path: Path) -> None:
    """No link leads from one file system to another."""
    target = Path("/dev/shm") / f"gglib-{os.getpid()}-{tmp_path.name}"  # noqa: S108
    try:
        assert link_or_copy(source, target) == "copied"
        assert target.read_bytes() == CONTENT
        back = tmp_path / "back"
        assert link_or_copy(target, back) == "copied"
        assert back.read_bytes() == CONTENT
    finally:
        target.unlink(missing_ok=True)


@pytest.mark.parametrize("broken", ["copy_file_range", "pwrite", "fsync"])
def test_full_disk_leaves_nothing(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Wherever the space ends, no partial file is left, under any name."""
    monkeypatch.setattr(os, "link", refuse(errno.EXDEV))
    monkeypatch.setattr(fcntl, "ioctl", refuse(errno.EOPNOTSUPP))
    if broken == "pwrite":
        monkeypatch.delattr(os, "copy_file_range")
    monkeypatch.setattr(os, broken, refuse(errno.ENOSPC))
    with pytest.raises(OSError, match="No space") as caught:
        link_or_copy(source, target)
    assert caught.value.errno == errno.ENOSPC
    assert names_in(target.parent) == []


def test_cancelled_copy_leaves_nothing(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The progress callback may end the copy."""
    monkeypatch.setattr(os, "link", refuse(errno.EXDEV))
    monkeypatch.setattr(fcntl, "ioctl", refuse(errno.EOPNOTSUPP))

    def stop(_: int) -> None:
        raise GglibError

    with pytest.raises(GglibError):
        link_or_copy(source, target, on_copied=stop)
    assert names_in(target.parent) == []


@pytest.mark.parametrize("is_linked", [True, False])
def test_nothing_is_replaced(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, *, is_linked: bool
) -> None:
    """A user's file in the place stays, and so does a dangling link."""
    if not is_linked:
        monkeypatch.setattr(os, "link", refuse(errno.EXDEV))
    target.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        link_or_copy(source, target)
    assert target.read_bytes() == b"mine"
    target.unlink()
    target.symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        link_or_copy(source, target)
    assert target.readlink() == Path("nowhere")


def test_file_that_appears_during_the_copy_stays(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's file that appears during the copy is not replaced."""
    monkeypatch.setattr(os, "link", refuse(errno.EXDEV))
    monkeypatch.setattr(fcntl, "ioctl", refuse(errno.EOPNOTSUPP))

    def appear() -> None:
        target.write_bytes(b"mine")

    with pytest.raises(FileExistsError):
        link_or_copy(source, target, on_copied=lambda _: appear())
    assert names_in(target.parent) == ["target.gguf"]
    assert target.read_bytes() == b"mine"


def test_replaced_source_is_not_shared(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaced before it is opened or before it is linked, another file gets no second name."""
    record = own(source)
    other = source.with_name("other")
    other.write_bytes(CONTENT)
    real = os.link

    def replaced(*arguments: Any, **options: Any) -> None:
        other.replace(source)
        real(*arguments, **options)

    monkeypatch.setattr(os, "link", replaced)
    with pytest.raises(SourceError):
        link_or_copy(source, target, identity=record.identity)
    assert names_in(target.parent) == []
    with pytest.raises(SourceError):
        link_or_copy(source, target, identity=record.identity)
    assert share(record, target) is None
    assert source.stat().st_nlink == 1


def test_source_that_changes_during_the_copy_is_not_shared(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of a file that is being written is discarded."""
    monkeypatch.setattr(os, "link", refuse(errno.EXDEV))
    monkeypatch.setattr(fcntl, "ioctl", refuse(errno.EOPNOTSUPP))
    with pytest.raises(SourceError):
        link_or_copy(source, target, on_copied=lambda _: os.utime(source, ns=(1, 1)))
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0)
    monkeypatch.setattr(os, "pread", lambda *_: b"")
    with pytest.raises(SourceError):
        link_or_copy(source, target)
    assert names_in(target.parent) == []


def test_special_file_is_not_shared(source: Path, target: Path) -> None:
    """A link, a FIFO, a directory and a missing path are no sources."""
    record = own(source)
    kept = source.rename(source.with_name("kept"))
    makers: list[Callable[[], object]] = [
        lambda: source.symlink_to(kept),
        lambda: os.mkfifo(source),
        source.mkdir,
        lambda: None,
    ]
    for make in makers:
        make()
        assert share(record, target) is None
        with pytest.raises(SourceError):
            link_or_copy(source, target)
        if source.is_dir():
            source.rmdir()
        else:
            source.unlink(missing_ok=True)
    assert not target.exists()


def test_missing_directory_is_an_error(source: Path, target: Path) -> None:
    """A missing target directory is not reported as a fault of the source."""
    target.parent.rmdir()
    with pytest.raises(FileNotFoundError):
        share(own(source), target)


def test_source_deleted_at_the_last_moment_is_reported_as_gone(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that another process deletes meanwhile is fetched instead."""
    monkeypatch.setattr(os, "link", refuse(errno.ENOENT))
    assert share(own(source), target) is None


def test_name_of_a_copy_draft_has_its_target() -> None:
    """The sweep recognizes unfinished copies."""
    match = COPY_SUFFIX.fullmatch("a.gguf.copy-01234567")
    assert match is not None
    assert match["target"] == "a.gguf"
    assert COPY_SUFFIX.fullmatch("a.gguf.copy-0123456") is None


def test_file_is_taken_by_a_link_or_moved(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without links the file itself is moved; nothing is replaced, and another file than the expected one stays."""
    identity = own(source).identity
    assert link_or_move(source, target, identity=identity) == "linked"
    with pytest.raises(FileExistsError):
        link_or_move(source, target, identity=identity)
    target.unlink()
    monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    target.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        link_or_move(source, target, identity=identity)
    target.unlink()
    with pytest.raises(SourceError):
        link_or_move(source, target, identity=replace(identity, inode=1))
    assert link_or_move(source, target, identity=identity) == "moved"
    assert not source.exists()
    assert target.read_bytes() == CONTENT


def test_file_exchanged_during_the_move_is_put_back(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's file that was put in the place at the last moment is restored."""
    identity, real = own(source).identity, Path.rename
    monkeypatch.setattr(os, "link", refuse(errno.EPERM))

    def exchanged(self: Path, other: Path) -> Path:
        if self == source and not source.with_name("mine").exists():
            source.with_name("mine").write_bytes(b"mine")
            source.with_name("mine").replace(source)
        return real(self, other)

    monkeypatch.setattr(Path, "rename", exchanged)
    with pytest.raises(SourceError):
        link_or_move(source, target, identity=identity)
    assert source.read_bytes() == b"mine"
    assert not target.exists()

"""Reads the members of zip, wheel and tar.gz archives, in their order. The content decides, not the file's name."""

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from gglib.engine_store.member_rules import (
    MAX_LINK_BYTES,
    Member,
    MemberKind,
    RefusedArchiveError,
    UnpackBudget,
)

OpenedMember = tuple[Member, Callable[[], IO[bytes]]]
"""A member, and a function that opens its content; call it before the next member is read."""

_DAMAGED = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression that Python does not have
    ValueError,
    OverflowError,
)
_GZIP, _ZIP = b"\x1f\x8b", b"PK"
_MAX_HEADER_BYTES = 1024 * 1024
"""A tar archive's extended headers are read as a whole: one for long names has a few hundred bytes."""
_SKIP_BYTES = 256 * 1024
_TAR_KINDS = {
    tarfile.REGTYPE: MemberKind.FILE,
    tarfile.AREGTYPE: MemberKind.FILE,
    tarfile.DIRTYPE: MemberKind.DIRECTORY,
    tarfile.SYMTYPE: MemberKind.LINK,
    tarfile.LNKTYPE: MemberKind.HARD_LINK,
}


@contextmanager
def damage_is_refused() -> Iterator[None]:
    """Turn what the readers raise for damaged archives into ``RefusedArchiveError``."""
    try:
        yield
    except _DAMAGED as error:
        raise RefusedArchiveError(f"it is damaged ({str(error) or type(error).__name__})") from error


@contextmanager
def opened_archive(path: Path) -> Iterator[Iterator[OpenedMember]]:
    """Yield the members. Raises ``RefusedArchiveError`` for what is no archive, and ``OSError``."""
    with path.open("rb") as file:
        start = file.read(2)
        file.seek(0)
        if start == _ZIP:
            with damage_is_refused(), zipfile.ZipFile(file) as archive:
                yield _zip_members(archive)
        elif start == _GZIP:
            budget = UnpackBudget(path.stat().st_size)
            stream = _BoundedStream(gzip.GzipFile(fileobj=file), budget)
            with damage_is_refused(), tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:") as tar:
                yield _tar_members(tar)
                stream.read_to_end()
        else:
            raise RefusedArchiveError("it is neither a zip archive, nor a wheel, nor a tar.gz archive")


def _zip_members(archive: zipfile.ZipFile) -> Iterator[OpenedMember]:
    for info in archive.infolist():
        if info.flag_bits & 1:
            raise RefusedArchiveError("it is encrypted")
        mode = info.external_attr >> 16
        kind = _zip_kind(info, mode)
        target = ""
        if kind is MemberKind.LINK:
            with archive.open(info) as content:
                target = content.read(MAX_LINK_BYTES + 1).decode(errors="surrogateescape")
        # In zipfile, everything after a NUL is cut off the name.
        member = Member(name=info.orig_filename, kind=kind, mode=stat.S_IMODE(mode), target=target)
        yield member, lambda info=info: archive.open(info)  # type: ignore[misc]


def _zip_kind(info: zipfile.ZipInfo, mode: int) -> MemberKind:
    """Return what a member is. Archives that were made on Windows have no modes."""
    if info.is_dir():
        return MemberKind.DIRECTORY
    if stat.S_ISLNK(mode):
        return MemberKind.LINK
    return MemberKind.FILE if stat.S_IFMT(mode) in {0, stat.S_IFREG} else MemberKind.OTHER


def _tar_members(archive: tarfile.TarFile) -> Iterator[OpenedMember]:
    while (info := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]  # not kept: an archive may have millions of members
        kind = MemberKind.OTHER if info.issparse() else _TAR_KINDS.get(info.type, MemberKind.OTHER)
        member = Member(name=info.name, kind=kind, mode=info.mode, target=info.linkname)
        yield member, lambda info=info: _tar_content(archive, info)  # type: ignore[misc]


def _tar_content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(info)
    return io.BytesIO() if content is None else content


class _BoundedStream(io.RawIOBase):
    """A decompressed stream that is read forwards, within the budget, and never as one large piece.

    The size of a tar header is up to the archive: a few kilobytes may announce, and contain, gigabytes.
    """

    def __init__(self, stream: gzip.GzipFile, budget: UnpackBudget) -> None:
        self._stream = stream
        self._budget = budget
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_HEADER_BYTES:
            raise RefusedArchiveError("a header in it is too large")
        data = self._stream.read(size)
        self._position += len(data)
        self._budget.add_bytes(len(data))
        return data

    def read_to_end(self) -> None:
        """Read the rest, so that gzip compares its checksum: tarfile takes a damaged header for the end."""
        while self.read(_SKIP_BYTES):
            pass

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Skip forwards; the content of a member that nothing has read."""
        if whence != io.SEEK_SET or offset < self._position:
            raise RefusedArchiveError("its members are not in order")
        while (missing := offset - self._position) > 0 and self.read(min(missing, _SKIP_BYTES)):
            pass
        return self._position

"""Which members of an archive are unpacked, and where to. Pure.

An archive is not trusted: a member must not reach a file outside its directory, nor be more than a file, a directory or
a link within the archive. One bad member refuses the whole archive: names are never repaired.
"""

import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

from gglib.core.errors import UnsafeNameError
from gglib.core.file_names import safe_path, shown
from gglib.core.sizes import format_size

MAX_MEMBERS = 20_000
"""ROCm's libraries bring some thousand kernels as files."""
MAX_LINK_BYTES = 4096
_EXPANSION = 20
"""Programs and libraries are compressed to a fifth at most; the kernels of GPUs to a tenth."""
_ALLOWANCE_BYTES = 64 * 1024 * 1024
_SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
_EXECUTE_BITS = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


class RefusedArchiveError(Exception):
    """The archive is not unpacked; the message is a clause that completes "it is refused: "."""


class MemberKind(Enum):
    """What a member is."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    """Symbolic."""
    HARD_LINK = "hard link"
    OTHER = "special file"
    """A device, a FIFO, a socket, or a file with holes, which costs nothing in the archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of an archive, as the archive describes it."""

    name: str
    kind: MemberKind
    mode: int = 0
    target: str = ""
    """Of a link: relative to the link's directory; of a hard link: the name of another member."""


def checked_path(member: Member) -> PurePosixPath | None:
    """Return where to unpack a member, relative; None for the directory of the archive itself.

    Raises ``RefusedArchiveError``.
    """
    if member.kind is MemberKind.OTHER:
        raise RefusedArchiveError(f"'{shown(member.name)}' is a device or another special file")
    if member.mode & _SPECIAL_BITS:
        raise RefusedArchiveError(f"'{shown(member.name)}' would run with the rights of another user")
    return _relative(member.name)


def link_target(path: PurePosixPath, target: str) -> PurePosixPath:
    """Return where a symbolic link at ``path`` leads to, by its text alone. Raises ``RefusedArchiveError``.

    A link of the archive may lead through another one, so the caller checks the real place as well.
    """
    if not target or "\0" in target or len(target.encode(errors="surrogateescape")) > MAX_LINK_BYTES:
        raise RefusedArchiveError(f"the link '{shown(str(path))}' has no usable target")
    parts = list(path.parent.parts)
    if target.startswith("/"):
        raise _leaves(path)
    for part in target.split("/"):
        if part == ".." and not parts:
            raise _leaves(path)
        if part == "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return PurePosixPath(*parts)


def hard_link_target(path: PurePosixPath, target: str) -> PurePosixPath:
    """Return the member that a hard link refers to. Raises ``RefusedArchiveError``."""
    found = _relative(target)
    if found is None:
        raise _leaves(path)
    return found


def is_executable(member: Member) -> bool:
    """Whether the archive says that a file is a program."""
    return bool(member.mode & _EXECUTE_BITS)


def max_unpacked_bytes(archive_bytes: int) -> int:
    """Return how much an archive of this size may unpack to."""
    return archive_bytes * _EXPANSION + _ALLOWANCE_BYTES


class UnpackBudget:
    """What an archive may still unpack: bytes as they come out, not as the archive announces them."""

    def __init__(self, archive_bytes: int) -> None:
        self._limit_bytes = max_unpacked_bytes(archive_bytes)
        self._bytes = 0
        self._members = 0

    def add_member(self) -> None:
        """Count a member. Raises ``RefusedArchiveError`` beyond the limit."""
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise RefusedArchiveError(f"it has more than {MAX_MEMBERS:,} files")

    def add_bytes(self, count: int) -> None:
        """Count unpacked bytes. Raises ``RefusedArchiveError`` beyond the limit."""
        self._bytes += count
        if self._bytes > self._limit_bytes:
            raise RefusedArchiveError(
                f"it unpacks to more than {format_size(self._limit_bytes)}, far more than its size"
            )


def _relative(name: str) -> PurePosixPath | None:
    text = name.rstrip("/") if name.strip("/") else name
    while text.startswith("./"):
        text = text[2:].lstrip("/")
    if text in {"", "."}:
        return None
    try:
        return safe_path(text)
    except UnsafeNameError:
        raise RefusedArchiveError(f"the name '{shown(name)}' is unsafe") from None


def _leaves(path: PurePosixPath) -> RefusedArchiveError:
    return RefusedArchiveError(f"the link '{shown(str(path))}' leads out of the archive")

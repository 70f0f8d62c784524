"""Unpacks an archive into an empty directory, by the rules of ``member_rules``.

Links are made last, so that no file is written through one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from gglib.core.file_names import shown
from gglib.engine_store.archives import OpenedMember, damage_is_refused, opened_archive
from gglib.engine_store.member_rules import (
    Member,
    MemberKind,
    RefusedArchiveError,
    UnpackBudget,
    checked_path,
    hard_link_target,
    is_executable,
    link_target,
)
from gglib.system.files.durable import sync

BLOCK_BYTES = 256 * 1024
_FILE_MODE, _PROGRAM_MODE, _DIRECTORY_MODE = 0o644, 0o755, 0o755
_TWICE = (FileExistsError, NotADirectoryError, IsADirectoryError)


def unpack(archive: Path, directory: Path) -> None:
    """Unpack ``archive`` into ``directory``, which exists, and make it durable.

    Raises ``RefusedArchiveError``, and ``OSError`` if a file cannot be written. The caller deletes what was written.
    """
    job = _Unpacking(directory, UnpackBudget(archive.stat().st_size))
    with opened_archive(archive) as members:
        for opened in _each(members):
            job.add(opened)
    job.make_links()
    job.sync()


def _each(members: Iterator[OpenedMember]) -> Iterator[OpenedMember]:
    while True:
        with damage_is_refused():
            opened = next(members, None)
        if opened is None:
            return
        yield opened


class _Unpacking:
    """One archive on its way into a directory."""

    def __init__(self, directory: Path, budget: UnpackBudget) -> None:
        self._root = directory
        self._budget = budget
        self._files: set[PurePosixPath] = set()
        self._directories: set[PurePosixPath] = set()
        self._links: dict[PurePosixPath, str] = {}

    def add(self, opened: OpenedMember) -> None:
        """Unpack a member, or note a link."""
        member, open_content = opened
        self._budget.add_member()
        path = checked_path(member)
        if path is None:
            return
        with _named_twice(path):
            self._add_directory(path if member.kind is MemberKind.DIRECTORY else path.parent)
            if member.kind is MemberKind.LINK:
                self._note_link(path, member.target)
            elif member.kind is MemberKind.HARD_LINK:
                self._link_to_file(path, hard_link_target(path, member.target))
            elif member.kind is MemberKind.FILE:
                with damage_is_refused(), open_content() as content:
                    self._write(path, content, member)
                self._files.add(path)

    def make_links(self) -> None:
        """Make the symbolic links, and check where each of them really leads."""
        for path, target in self._links.items():
            with _named_twice(path):
                (self._root / path).symlink_to(target)
        root = self._root.resolve()
        for path in self._links:
            try:
                real = (self._root / path).resolve()
            except (OSError, RuntimeError):  # a loop: RuntimeError before Python 3.13
                raise RefusedArchiveError(f"the link '{shown(str(path))}' leads to itself") from None
            if not real.is_relative_to(root):
                raise RefusedArchiveError(f"the link '{shown(str(path))}' leads out of the archive")

    def sync(self) -> None:
        """Make the names durable; the content of the files is."""
        for path in self._directories:
            sync(self._root / path)
        sync(self._root)

    def _add_directory(self, path: PurePosixPath) -> None:
        for each in (*reversed(path.parents), path):
            if each.parts and each not in self._directories:
                (self._root / each).mkdir(_DIRECTORY_MODE)
                self._directories.add(each)

    def _note_link(self, path: PurePosixPath, target: str) -> None:
        if path in self._links:
            raise FileExistsError
        link_target(path, target)
        self._links[path] = target

    def _link_to_file(self, path: PurePosixPath, target: PurePosixPath) -> None:
        if target not in self._files:
            raise RefusedArchiveError(f"the link '{shown(str(path))}' leads to no file before it")
        os.link(self._root / target, self._root / path, follow_symlinks=False)
        self._files.add(path)

    def _write(self, path: PurePosixPath, content: IO[bytes], member: Member) -> None:
        mode = _PROGRAM_MODE if is_executable(member) else _FILE_MODE
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._root / path, flags, mode), "wb") as file:
            while block := content.read(BLOCK_BYTES):
                self._budget.add_bytes(len(block))
                file.write(block)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def _named_twice(path: PurePosixPath) -> Iterator[None]:
    try:
        yield
    except _TWICE:
        raise RefusedArchiveError(f"it has '{shown(str(path))}' twice") from None

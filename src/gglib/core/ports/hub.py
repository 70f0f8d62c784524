"""A place on the network that has models."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gglib.core.hub.repository import (
    FetchedFile,
    HubRepository,
    HubSort,
    RemoteFile,
)

OnFetchProgress = Callable[[int, int | None], None]
"""Told how many bytes of a file are here, and how many there will be (None: not known). From any thread, often."""


class ModelHubPort(Protocol):
    """Finds models and fetches their files. What goes wrong is a ``HubError``, one sentence that says what to do."""

    async def search(self, query: str, *, sort: HubSort, limit: int, skip: int = 0) -> list[HubRepository]:
        """Return repositories with GGUF files that ``query`` finds, best first, with their files.

        They are of the best ``limit``, without the first ``skip`` of these, which were asked for before.
        """
        ...

    async def repository(self, repo: str, revision: str | None = None) -> HubRepository:
        """Return a repository at a branch, tag or commit; None: as it is now.

        Raises ``RepositoryNotFoundError`` (also for a revision that is not there) and ``GatedRepositoryError``.
        """
        ...

    async def locate(self, url: str) -> RemoteFile:
        """Return the file at an address of the web, with the size, hash and validator that its server names.

        An address of the hub itself becomes the file of its repository.
        """
        ...

    async def read_start(self, file: RemoteFile, length_bytes: int) -> bytes:
        """Return the first bytes of a file: its header, mostly. Fewer where the file is shorter."""
        ...

    async def fetch(self, file: RemoteFile, target: Path, progress: OnFetchProgress) -> FetchedFile:
        """Bring a file to ``target``, whose directory exists; nothing is asked of the network when it is there.

        Until all of it has come and has the right hash it is only beside it (``target`` with ``.part`` behind its
        name, and a note of what came). Killed, cancelled or cut off at any moment, the next call with the same
        ``file`` goes on where this one ended; a file that changed on the hub is begun again. A file that is at
        ``target`` with the right size was put there whole: it is hashed, and fetched again if it differs.

        Raises ``DiskFullError``, ``HubUnreachableError``, ``DownloadCorruptError``, ``DownloadInProgressError`` when
        another process fetches to the same place, and what ``repository`` raises.
        """
        ...

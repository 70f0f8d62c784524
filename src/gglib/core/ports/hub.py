"""The port to a model hub."""

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
"""Called with the bytes present and the total (None: unknown), from any thread and often."""


class ModelHubPort(Protocol):
    """Searches models and downloads their files. Every failure is a ``HubError`` whose message says what to do."""

    async def search(self, query: str, *, sort: HubSort, limit: int, skip: int = 0) -> list[HubRepository]:
        """Return the repositories with GGUF files that match ``query``, best first, with their files.

        The result is the best ``limit`` repositories without the first ``skip``, which an earlier call returned.
        """
        ...

    async def repository(self, repo: str, revision: str | None = None) -> HubRepository:
        """Return a repository at a branch, tag or commit; None means the default branch.

        Raises ``RepositoryNotFoundError`` (also for a missing revision) and ``GatedRepositoryError``.
        """
        ...

    async def locate(self, url: str) -> RemoteFile:
        """Return the file at a URL, with the size, hash and validator that its server sends.

        A URL of the hub itself is resolved to the file of its repository.
        """
        ...

    async def read_start(self, file: RemoteFile, length_bytes: int) -> bytes:
        """Return the first ``length_bytes`` bytes of a file, usually its header; fewer if the file is shorter."""
        ...

    async def fetch(self, file: RemoteFile, target: Path, progress: OnFetchProgress) -> FetchedFile:
        """Download a file to ``target``, whose directory exists; no request is sent if the file is present.

        Until the file is complete and verified it is stored beside the target: a part file (``.part``) and a manifest
        of its byte ranges. After a kill, a cancellation or a lost connection the next call with the same ``file``
        resumes; a file that changed on the hub is downloaded from the start. A file at ``target`` with the right size
        is hashed, and downloaded again if the hash differs.

        Raises ``DiskFullError``, ``HubUnreachableError``, ``DownloadCorruptError``, the errors of ``repository``, and
        ``DownloadInProgressError`` if another process downloads to the same target.
        """
        ...

"""What a model hub has: repositories, their files, and how a file is fetched. Values only."""

from dataclasses import dataclass
from enum import Enum


class Gating(Enum):
    """What a hub asks of somebody who wants the files of a repository."""

    OPEN = "open"
    AUTOMATIC = "automatic"
    """Whoever accepts the terms may have them at once."""
    MANUAL = "manual"
    """The authors decide for each person."""


class HubSort(Enum):
    """What a search is sorted by, best first."""

    DOWNLOADS = "downloads"
    LIKES = "likes"
    UPDATED = "updated"
    TRENDING = "trending"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """One file of a repository."""

    name: str
    """Its path inside the repository, with ``/``; not to be trusted as a path on this machine."""
    size_bytes: int
    sha256: str | None = None
    """Of its content; None for small files, which a hub keeps without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file to fetch: of a repository at one commit, or at an address."""

    name: str
    """Its path inside the repository, or the last part of its address."""
    repo: str | None = None
    revision: str | None = None
    url: str | None = None
    """Set instead of ``repo`` and ``revision``."""
    size_bytes: int | None = None
    """None where only the server knows."""
    sha256: str | None = None
    """What its content must hash to; None where nobody says."""
    validator: str | None = None
    """What its server says to distinguish its versions (``ETag``, else ``Last-Modified``); of an address only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRepository:
    """A repository at one commit."""

    repo: str
    """``owner/name``."""
    revision: str
    """The commit."""
    files: tuple[HubFile, ...] = ()
    downloads: int = 0
    likes: int = 0
    updated_at: int | None = None
    """Unix time in seconds."""
    licence: str | None = None
    gate: Gating = Gating.OPEN
    tags: tuple[str, ...] = ()
    architecture: str | None = None
    parameter_count: int | None = None
    trained_context: int | None = None

    def remote(self, file: HubFile) -> RemoteFile:
        """Return how one of its files is fetched: as it is at this commit."""
        return RemoteFile(
            name=file.name,
            repo=self.repo,
            revision=self.revision,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """A file that arrived whole, was verified where a hash was known, and has its final name."""

    size_bytes: int
    sha256: str
    """Of what is on the disk."""
    validator: str | None = None
    """As of ``RemoteFile``, of the version that came; None where the server does not say, and where nothing was
    fetched because the file was there."""

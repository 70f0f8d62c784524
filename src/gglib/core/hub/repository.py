"""Repositories of a model hub, their files, and the address of a file. Values only."""

from dataclasses import dataclass
from enum import Enum


class Gating(Enum):
    """What a hub requires before a user may download the files of a repository."""

    OPEN = "open"
    AUTOMATIC = "automatic"
    """Access is granted as soon as the user accepts the terms."""
    MANUAL = "manual"
    """The authors approve each user."""


class HubSort(Enum):
    """The sort order of a search, best first."""

    DOWNLOADS = "downloads"
    LIKES = "likes"
    UPDATED = "updated"
    TRENDING = "trending"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """One file of a repository."""

    name: str
    """Its path inside the repository, with ``/``; untrusted as a path on this machine."""
    size_bytes: int
    sha256: str | None = None
    """Hash of its content; None for small files, for which a hub has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file to download: in a repository at one commit, or at a URL."""

    name: str
    """Its path inside the repository, or the last component of its URL."""
    repo: str | None = None
    revision: str | None = None
    url: str | None = None
    """Set instead of ``repo`` and ``revision``."""
    size_bytes: int | None = None
    """None if only the server knows it."""
    sha256: str | None = None
    """The expected hash; None if the source names none."""
    validator: str | None = None
    """The server's validator (``ETag``, else ``Last-Modified``); set for URLs only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRepository:
    """A repository at one commit."""

    repo: str
    """``owner/name``."""
    revision: str
    """The commit hash."""
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
        """Return the remote file at this commit for one of the repository's files."""
        return RemoteFile(
            name=file.name,
            repo=self.repo,
            revision=self.revision,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """A completely downloaded file under its final name, verified if its hash was known."""

    size_bytes: int
    sha256: str
    """Hash of the file on the disk."""
    validator: str | None = None
    """The validator of the downloaded version (see ``RemoteFile``); None if the server sends none, or if the file was
    already present and nothing was downloaded."""

"""A hub in memory: the hub port without a network. Knows nothing of HTTP."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gglib.core.errors import (
    DownloadCorruptError,
    DownloadInProgressError,
    GatedRepositoryError,
    HubError,
    HubUnreachableError,
    RepositoryNotFoundError,
)
from gglib.core.hub.repository import (
    FetchedFile,
    Gating,
    HubFile,
    HubRepository,
    HubSort,
    RemoteFile,
)
from gglib.core.part_names import part_path
from gglib.core.ports.hub import ModelHubPort, OnFetchProgress

BLOCK_BYTES = 1024
"""The size of a piece: small, so that small files arrive in more than one."""

_SORT_FIELDS = {
    HubSort.DOWNLOADS: "downloads",
    HubSort.LIKES: "likes",
    HubSort.UPDATED: "updated_at",
    HubSort.TRENDING: "likes",
}


@dataclass(frozen=True, slots=True)
class Fetch:
    """What one call of ``fetch`` downloaded."""

    name: str
    start_bytes: int
    end_bytes: int
    """The end of the downloaded range, which begins at ``start_bytes``."""


class FakeHub(ModelHubPort):
    """Keeps repositories and file contents. Writes the same files to disk as the real hub's adapter.

    ``fails_with``, if set, is raised by every method that uses the network. ``cuts[name]`` aborts the next fetch of a
    file after that many bytes; ``corrupted`` names files whose content is wrong; ``pauses[name]`` is an event that a
    fetch waits for at half of the file. ``has_access`` opens gated repositories. ``validators[url]`` replaces the ETag
    of an address, which is otherwise made of its content; None: no validator. ``fetches`` records the fetches,
    ``calls`` counts the calls of each method.
    """

    def __init__(self, *, fails_with: HubError | None = None) -> None:
        self.fails_with = fails_with
        self.cuts: dict[str, int] = {}
        self.corrupted: set[str] = set()
        self.pauses: dict[str, asyncio.Event] = {}
        self.has_access = False
        self.validators: dict[str, str | None] = {}
        self.fetches: list[Fetch] = []
        self.calls: dict[str, int] = defaultdict(int)
        self._commits: dict[str, list[HubRepository]] = {}
        self._renamed: dict[str, str] = {}
        self._contents: dict[tuple[str | None, str | None, str], bytes] = {}
        self._addresses: dict[str, bytes] = {}
        self._arriving: set[Path] = set()
        self._parts: dict[Path, str] = {}

    def add_repository(self, repo: str, files: Mapping[str, bytes | int], **fields: Any) -> HubRepository:  # noqa: ANN401 - fields of HubRepository
        """Add a repository, or a commit to it, with these files; a number is a size without content.

        ``fields`` are further fields of ``HubRepository``. Files ending in ``.gguf`` have a hash, as on the hub.
        """
        commits = self._commits.setdefault(repo, [])
        revision = hashlib.sha1(f"{repo} {len(commits)}".encode(), usedforsecurity=False).hexdigest()
        listed = tuple(_listed(name, content) for name, content in files.items())
        added = HubRepository(repo=repo, revision=revision, files=listed, **fields)
        commits.append(added)
        for name, content in files.items():
            if isinstance(content, bytes):
                self._contents[repo, revision, name] = content
        return added

    def rename_repository(self, old: str, new: str) -> None:
        """Rename a repository; the old name redirects."""
        self._renamed[old] = new
        self._commits[new] = [replace(commit, repo=new) for commit in self._commits.pop(old)]
        for (repo, revision, name), content in list(self._contents.items()):
            if repo == old:
                self._contents[new, revision, name] = content

    def add_address(self, url: str, content: bytes) -> None:
        """Add a file at a web address, or replace it."""
        self._addresses[url] = content

    def replace_in_place(self, repo: str, name: str, content: bytes) -> None:
        """Change the content of a file in every commit, but not the listing: a web server does this, a hub never."""
        for commit in self._commits[repo]:
            self._contents[repo, commit.revision, name] = content

    async def search(self, query: str, *, sort: HubSort, limit: int, skip: int = 0) -> list[HubRepository]:
        """Return the repositories with GGUF files whose name contains ``query``, best first."""
        self._record_call("search")
        newest = [commits[-1] for commits in self._commits.values()]
        found = [
            commit
            for commit in newest
            if query.lower() in commit.repo.lower()
            and any(file.name.endswith(".gguf") for file in commit.files)
        ]
        found.sort(key=lambda commit: getattr(commit, _SORT_FIELDS[sort]) or 0, reverse=True)
        return found[skip : max(0, limit)]

    async def repository(self, repo: str, revision: str | None = None) -> HubRepository:
        """Return a repository at a commit; ``main`` and None mean the newest one."""
        self._record_call("repository")
        repo = self._renamed.get(repo, repo)
        commits = self._commits.get(repo)
        if commits is None:
            raise RepositoryNotFoundError(f"The hub has no '{repo}': check the name.")
        if revision in (None, "main"):
            return commits[-1]
        at = next((commit for commit in commits if commit.revision == revision), None)
        if at is None:
            raise RepositoryNotFoundError(f"'{repo}' has no branch, tag or commit '{revision}'.")
        # Likes and gating belong to the repository, not to a commit.
        return replace(commits[-1], revision=at.revision, files=at.files)

    async def locate(self, url: str) -> RemoteFile:
        """Return the file at an address; its size and its validator are known, its hash is not."""
        self._record_call("locate")
        name = urlsplit(url).path.rpartition("/")[2]
        validator = self._validator_of(url)
        return RemoteFile(name=name, url=url, size_bytes=len(self._at(url)), validator=validator)

    async def read_start(self, file: RemoteFile, length_bytes: int) -> bytes:
        """Return the first bytes of a file."""
        self._record_call("read_start")
        return self._content(file)[:length_bytes]

    async def fetch(self, file: RemoteFile, target: Path, progress: OnFetchProgress) -> FetchedFile:
        """Download a file to ``target`` as the port describes, in small pieces and without a network."""
        here = _existing_file(file, target)
        if here is not None:
            progress(here.size_bytes, here.size_bytes)
            return here
        self._record_call("fetch")
        content = self._content(file)
        if target in self._arriving:
            raise DownloadInProgressError(f"Another gglib is downloading '{file.name}': wait for it.")
        self._arriving.add(target)
        try:
            await self._receive(file, content, target, progress)
        finally:
            self._arriving.discard(target)
        return self._finish(file, target)

    async def _receive(
        self, file: RemoteFile, content: bytes, target: Path, progress: OnFetchProgress
    ) -> None:
        part = part_path(target)
        version = hashlib.sha256(content).hexdigest()
        start = _size_of(part) if self._parts.get(part) == version else 0
        self._parts[part] = version
        _truncate(part, start)
        cut = self.cuts.pop(file.name, None)
        end = len(content) if cut is None else min(cut, len(content))
        sent = content if file.name not in self.corrupted else bytes(byte ^ 0xFF for byte in content)
        done = start
        try:
            progress(done, len(content))
            while done < end:
                hold = self.pauses.get(file.name)
                if hold is not None and 2 * done >= len(content):
                    await hold.wait()
                piece = sent[done : min(done + BLOCK_BYTES, end)]
                _append(part, piece)
                done += len(piece)
                progress(done, len(content))
                await asyncio.sleep(0)
        finally:
            self.fetches.append(Fetch(file.name, start, done))
        if end < len(content):
            raise HubUnreachableError(f"'{file.name}' was interrupted: try again to resume.")

    def _finish(self, file: RemoteFile, target: Path) -> FetchedFile:
        part = part_path(target)
        self._parts.pop(part, None)
        fetched = _read(part)
        if file.sha256 is not None and fetched.sha256 != file.sha256:
            part.unlink()
            raise DownloadCorruptError(f"'{file.name}' failed verification: try again later.")
        part.replace(target)
        return fetched if file.url is None else replace(fetched, validator=self._validator_of(file.url))

    def _record_call(self, method: str) -> None:
        self.calls[method] += 1
        if self.fails_with is not None:
            raise self.fails_with

    def _content(self, file: RemoteFile) -> bytes:
        if file.url is not None:
            return self._at(file.url)
        gating = self._commits[file.repo][-1].gate if file.repo in self._commits else Gating.OPEN
        if gating is not Gating.OPEN and not self.has_access:
            raise GatedRepositoryError(
                f"'{file.repo}' is gated: accept its terms on its page, then set HF_TOKEN."
            )
        content = self._contents.get((file.repo, file.revision, file.name))
        if content is None:
            raise RepositoryNotFoundError(f"'{file.repo}' has no file '{file.name}'.")
        return content

    def _validator_of(self, url: str) -> str | None:
        etag = f'"{hashlib.sha256(self._at(url)).hexdigest()[:16]}"'
        return self.validators.get(url, etag)

    def _at(self, url: str) -> bytes:
        if url not in self._addresses:
            raise RepositoryNotFoundError(f"There is no file at {url}: check the address.")
        return self._addresses[url]


def _listed(name: str, content: bytes | int) -> HubFile:
    if isinstance(content, int):
        return HubFile(name=name, size_bytes=content, sha256=hashlib.sha256(name.encode()).hexdigest())
    is_large = name.endswith(".gguf")
    return HubFile(
        name=name,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest() if is_large else None,
    )


def _existing_file(file: RemoteFile, target: Path) -> FetchedFile | None:
    """Return the existing file at the target if it is the requested one."""
    if not target.is_file() or file.size_bytes not in (None, _size_of(target)):
        return None
    here = _read(target)
    return here if file.sha256 in (None, here.sha256) else None


def _read(path: Path) -> FetchedFile:
    content = path.read_bytes() if path.exists() else b""
    return FetchedFile(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _truncate(path: Path, size_bytes: int) -> None:
    with path.open("ab") as file:
        file.truncate(size_bytes)


def _append(path: Path, piece: bytes) -> None:
    with path.open("ab") as file:
        file.write(piece)

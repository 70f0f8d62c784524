"""A hub in memory: the hub port without a network. It knows nothing of HTTP."""

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
"""What comes at once: small, so that tests with small files see more than one piece."""

_SORT_FIELDS = {
    HubSort.DOWNLOADS: "downloads",
    HubSort.LIKES: "likes",
    HubSort.UPDATED: "updated_at",
    HubSort.TRENDING: "likes",
}


@dataclass(frozen=True, slots=True)
class Fetch:
    """What one call of ``fetch`` took from the network."""

    name: str
    start_bytes: int
    end_bytes: int
    """It brought the bytes from ``start_bytes`` up to here."""


class FakeHub(ModelHubPort):
    """Keeps repositories and contents of files. What it writes to the disk is what the real hub's adapter writes.

    ``fails_with``, when set, is raised by every method that asks the network. ``cuts[name]`` ends the next fetch of a
    file after so many bytes; ``wrong`` names files that arrive otherwise than promised; ``holds[name]`` is an event
    that a fetch waits for when half of the file is there. ``is_let_in`` opens every gate. ``validators[url]`` is what
    the server of an address says of it instead of an ETag made of its content; None: nothing. ``fetches`` tells what
    was fetched, ``questions`` counts the calls of each method.
    """

    def __init__(self, *, fails_with: HubError | None = None) -> None:
        self.fails_with = fails_with
        self.cuts: dict[str, int] = {}
        self.wrong: set[str] = set()
        self.holds: dict[str, asyncio.Event] = {}
        self.is_let_in = False
        self.validators: dict[str, str | None] = {}
        self.fetches: list[Fetch] = []
        self.questions: dict[str, int] = defaultdict(int)
        self._commits: dict[str, list[HubRepository]] = {}
        self._renamed: dict[str, str] = {}
        self._contents: dict[tuple[str | None, str | None, str], bytes] = {}
        self._addresses: dict[str, bytes] = {}
        self._arriving: set[Path] = set()
        self._parts: dict[Path, str] = {}

    def add_repository(self, repo: str, files: Mapping[str, bytes | int], **told: Any) -> HubRepository:  # noqa: ANN401 - fields of HubRepository
        """Have a repository, or a further commit of it, with these files; a number is a size without content.

        ``told`` are further fields of ``HubRepository``. Files ending in ``.gguf`` have a hash, as on the hub.
        """
        commits = self._commits.setdefault(repo, [])
        revision = hashlib.sha1(f"{repo} {len(commits)}".encode(), usedforsecurity=False).hexdigest()
        listed = tuple(_listed(name, content) for name, content in files.items())
        added = HubRepository(repo=repo, revision=revision, files=listed, **told)
        commits.append(added)
        for name, content in files.items():
            if isinstance(content, bytes):
                self._contents[repo, revision, name] = content
        return added

    def rename_repository(self, old: str, new: str) -> None:
        """Give a repository another name; the old one leads to it."""
        self._renamed[old] = new
        self._commits[new] = [replace(commit, repo=new) for commit in self._commits.pop(old)]
        for (repo, revision, name), content in list(self._contents.items()):
            if repo == old:
                self._contents[new, revision, name] = content

    def add_address(self, url: str, content: bytes) -> None:
        """Have a file at an address of the web, or another one in its place."""
        self._addresses[url] = content

    def replace_in_place(self, repo: str, name: str, content: bytes) -> None:
        """Change what comes of a file in every commit, though the listing stays: what a web server does, and no hub."""
        for commit in self._commits[repo]:
            self._contents[repo, commit.revision, name] = content

    async def search(self, query: str, *, sort: HubSort, limit: int, skip: int = 0) -> list[HubRepository]:
        """Return the repositories whose name has ``query`` in it and which have GGUF files, best first."""
        self._ask("search")
        newest = [commits[-1] for commits in self._commits.values()]
        found = [
            one
            for one in newest
            if query.lower() in one.repo.lower() and any(file.name.endswith(".gguf") for file in one.files)
        ]
        found.sort(key=lambda one: getattr(one, _SORT_FIELDS[sort]) or 0, reverse=True)
        return found[skip : max(0, limit)]

    async def repository(self, repo: str, revision: str | None = None) -> HubRepository:
        """Return a repository at a commit; ``main`` and None are the newest one."""
        self._ask("repository")
        repo = self._renamed.get(repo, repo)
        commits = self._commits.get(repo)
        if commits is None:
            raise RepositoryNotFoundError(f"The hub has no '{repo}': check the name.")
        if revision in (None, "main"):
            return commits[-1]
        at = next((one for one in commits if one.revision == revision), None)
        if at is None:
            raise RepositoryNotFoundError(f"'{repo}' has no branch, tag or commit '{revision}'.")
        # Likes and gates belong to the repository, not to one of its commits.
        return replace(commits[-1], revision=at.revision, files=at.files)

    async def locate(self, url: str) -> RemoteFile:
        """Return the file at an address; its size and its validator are known, its hash is not."""
        self._ask("locate")
        name = urlsplit(url).path.rpartition("/")[2]
        validator = self._validator_of(url)
        return RemoteFile(name=name, url=url, size_bytes=len(self._at(url)), validator=validator)

    async def read_start(self, file: RemoteFile, length_bytes: int) -> bytes:
        """Return the first bytes of a file."""
        self._ask("read_start")
        return self._content(file)[:length_bytes]

    async def fetch(self, file: RemoteFile, target: Path, progress: OnFetchProgress) -> FetchedFile:
        """Bring a file to ``target`` as the port promises it, in small pieces and without a network."""
        here = _if_right(file, target)
        if here is not None:
            progress(here.size_bytes, here.size_bytes)
            return here
        self._ask("fetch")
        content = self._content(file)
        if target in self._arriving:
            raise DownloadInProgressError(f"Another gglib fetches '{file.name}' now: wait for it.")
        self._arriving.add(target)
        try:
            await self._bring(file, content, target, progress)
        finally:
            self._arriving.discard(target)
        return self._finish(file, target)

    async def _bring(self, file: RemoteFile, content: bytes, target: Path, progress: OnFetchProgress) -> None:
        part = part_path(target)
        version = hashlib.sha256(content).hexdigest()
        start = _size_of(part) if self._parts.get(part) == version else 0
        self._parts[part] = version
        _truncate(part, start)
        cut = self.cuts.pop(file.name, None)
        end = len(content) if cut is None else min(cut, len(content))
        sent = content if file.name not in self.wrong else bytes(one ^ 0xFF for one in content)
        done = start
        try:
            progress(done, len(content))
            while done < end:
                hold = self.holds.get(file.name)
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
            raise HubUnreachableError(f"'{file.name}' broke off: try again to go on from there.")

    def _finish(self, file: RemoteFile, target: Path) -> FetchedFile:
        part = part_path(target)
        self._parts.pop(part, None)
        fetched = _read(part)
        if file.sha256 is not None and fetched.sha256 != file.sha256:
            part.unlink()
            raise DownloadCorruptError(
                f"'{file.name}' arrived otherwise than the hub promised: try again later."
            )
        part.replace(target)
        return fetched if file.url is None else replace(fetched, validator=self._validator_of(file.url))

    def _ask(self, method: str) -> None:
        self.questions[method] += 1
        if self.fails_with is not None:
            raise self.fails_with

    def _content(self, file: RemoteFile) -> bytes:
        if file.url is not None:
            return self._at(file.url)
        gate = self._commits[file.repo][-1].gate if file.repo in self._commits else Gating.OPEN
        if gate is not Gating.OPEN and not self.is_let_in:
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
            raise RepositoryNotFoundError(f"There is nothing at {url}: check the address.")
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


def _if_right(file: RemoteFile, target: Path) -> FetchedFile | None:
    """Return the file that is there already, if it is the one that is meant."""
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

"""The content of the hub: repositories with their commits, and plain files at addresses of other hosts."""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gglib.testing.local_hub.content import Content

Files = Mapping[str, Content]

ABSENT = object()
"""A value of ``overrides`` that removes the field from the response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """One repository: its metadata, and its commits, oldest first."""

    repo: str
    commits: tuple[tuple[str, Files], ...]
    branches: Mapping[str, str] = field(default_factory=dict)
    """Names of commits: branches and tags other than ``main``, which is the newest."""
    gated: str | None = None
    """``auto`` or ``manual``."""
    is_private: bool = False
    downloads: int = 0
    likes: int = 0
    trending: int = 0
    last_modified: str = "2026-01-02T03:04:05.000Z"
    licence: str | None = None
    tags: tuple[str, ...] = ("gguf",)
    gguf: Mapping[str, Any] | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)
    """Fields that replace those of the API's responses."""

    def commit(self, revision: str) -> str | None:
        """Return the commit of a branch, a tag, a commit id or its prefix."""
        if revision == "main":
            return self.commits[-1][0]
        named = self.branches.get(revision)
        long_enough = len(revision) >= 7
        found = (sha for sha, _ in self.commits if sha == named or (long_enough and sha.startswith(revision)))
        return next(found, None)

    def files(self, commit: str) -> Files:
        """Return the files of a commit."""
        return dict(self.commits)[commit]


class Store:
    """All repositories and addresses. Thread-safe; changes are atomic."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._repositories: dict[str, Repository] = {}
        self._renamed: dict[str, str] = {}
        self._addresses: dict[str, Content] = {}
        self._commits = 0

    def put(self, repository: Repository) -> None:
        """Add a repository, or replace it."""
        with self._lock:
            self._repositories[repository.repo] = repository

    def get(self, repo: str) -> Repository | None:
        """Return a repository, without an access check."""
        with self._lock:
            return self._repositories.get(repo)

    def all(self) -> list[Repository]:
        """Return the repositories in insertion order."""
        with self._lock:
            return list(self._repositories.values())

    def remove(self, repo: str) -> None:
        """Delete a repository."""
        with self._lock:
            del self._repositories[repo]

    def rename(self, old: str, new: str) -> None:
        """Rename a repository; the old name redirects."""
        with self._lock:
            self._repositories[new] = replace(self._repositories.pop(old), repo=new)
            self._renamed[old] = new

    def new_name(self, repo: str) -> str | None:
        """Return the current name of a renamed repository."""
        with self._lock:
            return self._renamed.get(repo)

    def put_address(self, path: str, content: Content) -> None:
        """Add a plain file at a path of the foreign host."""
        with self._lock:
            self._addresses[path] = content

    def address(self, path: str) -> Content | None:
        """Return the plain file at a path."""
        with self._lock:
            return self._addresses.get(path)

    def new_commit(self) -> str:
        """Return a new commit id: unique, and the same in every run."""
        with self._lock:
            self._commits += 1
            return hashlib.sha1(b"commit %d" % self._commits, usedforsecurity=False).hexdigest()

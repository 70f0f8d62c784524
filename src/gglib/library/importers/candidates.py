"""What a look into a place of another program finds."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HIDDEN_FAULT = "this user may not search the directory that it is in"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _nobody_says(path: Path) -> str | None:  # noqa: ARG001 - the form of ``Candidate.sha256_of``
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file that may be a model, as its place tells of it; its header has not been read."""

    path: Path
    """The file, or the first shard."""
    origin: str | None = None
    """``ModelSource.origin``; None for a file that is nobody's but the user's."""
    name: str | None = None
    """How the place calls it; None: as its file is called."""
    repo: str | None = None
    revision: str | None = None
    file: str | None = None
    sha256_of: Callable[[Path], str | None] = _nobody_says
    """The hash of one of the model's files, as the place tells it."""
    projector: Path | None = None
    fault: str | None = None
    """Why it cannot be used, where that is plain before its header is read; a phrase."""


Finder = Callable[[Path], Iterator[Candidate]]
"""Looks into one place. Blocks; what it cannot read becomes a candidate with a fault."""


def unreadable(path: Path, error: OSError) -> Candidate:
    """Return what is said of a directory into which one cannot look."""
    return Candidate(path=path, fault=f"it cannot be read ({error.strerror or error})")


def as_sha256(text: str) -> str | None:
    """Return ``text`` where it is a SHA-256 in hex digits, else None."""
    lower = text.lower()
    return lower if _SHA256.fullmatch(lower) else None

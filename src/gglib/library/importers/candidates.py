"""Candidates for an import: files that a source of another program lists."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HIDDEN_FAULT = "this user may not search its directory"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _unknown(path: Path) -> str | None:  # noqa: ARG001 - the signature of ``Candidate.sha256_of``
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file that may be a model, as its source describes it; its header has not been read."""

    path: Path
    """The file, or the first shard."""
    origin: str | None = None
    """``ModelSource.origin``; None for a user's own file."""
    name: str | None = None
    """Its name in the source; None: derive it from the file name."""
    repo: str | None = None
    revision: str | None = None
    file: str | None = None
    sha256_of: Callable[[Path], str | None] = _unknown
    """Returns the hash that the source records for one of the model's files."""
    projector: Path | None = None
    fault: str | None = None
    """Why it cannot be used, if that is known without its header; a phrase."""


Finder = Callable[[Path], Iterator[Candidate]]
"""Scans one source. Blocks; unreadable directories become candidates with a fault."""


def unreadable(path: Path, error: OSError) -> Candidate:
    """Return the candidate for an unreadable directory."""
    return Candidate(path=path, fault=f"it cannot be read ({error.strerror or error})")


def as_sha256(text: str) -> str | None:
    """Return ``text`` in lower case if it is a SHA-256 in hex digits, else None."""
    lower = text.lower()
    return lower if _SHA256.fullmatch(lower) else None

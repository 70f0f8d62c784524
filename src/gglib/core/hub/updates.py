"""The comparison of models with their sources: whether a newer version exists. Values only."""

from dataclasses import dataclass
from enum import StrEnum

from gglib.core.models import ModelSummary


class Upstream(StrEnum):
    """The state of a model compared with its source."""

    CURRENT = "current"
    CHANGED = "changed"
    GONE = "gone"
    """The repository, the file in it, or the URL no longer exists."""
    PINNED = "pinned"
    """It was pulled at an explicit revision, so it gets no updates."""
    UNCHECKED = "unchecked"
    """The source could not be checked."""
    UNKNOWN = "unknown"
    """The server of a URL sends neither hash, size nor validator to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file whose content, or name and content, changed at its source."""

    name: str
    """The current name at the source."""
    old_sha256: str | None
    new_sha256: str | None
    new_size_bytes: int | None
    """None if the file is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCheck:
    """The comparison of one model with its source."""

    model: ModelSummary
    repo: str
    """The repository, or the URL without its query."""
    state: Upstream
    target: str | None
    """The ``gglib pull`` target of the current files; None for a URL with a query, which must not be shown."""
    old_revision: str | None = None
    new_revision: str | None = None
    changes: tuple[FileChange, ...] = ()
    reason: str | None = None
    """The error of the source or its adapter, as a sentence."""

    @property
    def new_size_bytes(self) -> int | None:
        """The size of the changed files at the source; None without a change, or if a size is unknown."""
        sizes = [change.new_size_bytes for change in self.changes]
        known = [size for size in sizes if size is not None]
        return sum(known) if known and len(known) == len(sizes) else None

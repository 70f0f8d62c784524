"""The comparison of a model's files with their expected hashes. Values only."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gglib.core.models import ModelSummary


class FileVerdict(StrEnum):
    """The result of the comparison."""

    GOOD = "good"
    UNKNOWN = "unknown"
    """No expected hash is known."""
    DIFFERS = "differs"
    GONE = "gone"
    UNREADABLE = "unreadable"


BAD = frozenset((FileVerdict.DIFFERS, FileVerdict.GONE, FileVerdict.UNREADABLE))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """The verification of one file of a model."""

    model: ModelSummary
    path: Path
    expected: str | None
    found: str | None = None
    verdict: FileVerdict
    reason: str | None = None
    """The system's error for an unreadable file."""
    is_replaced: bool = False
    """Whether a file that gglib wrote was modified or replaced."""

    @property
    def is_bad(self) -> bool:
        """Whether the model should not be used in this state."""
        return self.verdict in BAD


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyProgress:
    """How much of a model's files was read. Sizes in bytes."""

    file: str
    """The name of the current file, without its directory."""
    done_bytes: int
    """Sum over all files of the model."""
    total_bytes: int
    """Sum over all files of the model, as they were at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result for all files of a model."""

    checks: tuple[FileCheck, ...]
    """In shard order, then the projector; empty if the model was removed meanwhile."""

"""Responses about the files of a model: verification, and what a removal would delete. Values only."""

from dataclasses import dataclass
from typing import Annotated, Self

from msgspec import Meta

from gglib.core import verification
from gglib.core.ports import library
from gglib.core.verification import FileVerdict
from gglib.proxy.routes.responses.fields import Bytes, Sha256
from gglib.proxy.routes.responses.models import KeptFile


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyProgress:
    """Data of the event `progress`."""

    file: Annotated[str, Meta(description="Name of the current file.")]
    done_bytes: Annotated[int, Meta(ge=0, description="Of all files together.")]
    total_bytes: Annotated[int, Meta(ge=0, description="Of all files together.")]

    @classmethod
    def of(cls, progress: verification.VerifyProgress) -> Self:
        """Return the JSON form of the progress."""
        return cls(file=progress.file, done_bytes=progress.done_bytes, total_bytes=progress.total_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """The verification of one file."""

    path: str
    verdict: FileVerdict
    expected_sha256: Sha256
    found_sha256: Sha256
    reason: Annotated[str | None, Meta(description="The error of the system for an unreadable file.")]
    is_replaced: Annotated[
        bool, Meta(description="Whether a file that gglib wrote was modified or replaced.")
    ]

    @classmethod
    def of(cls, check: verification.FileCheck) -> Self:
        """Return the JSON form of a verification."""
        return cls(
            path=str(check.path),
            verdict=check.verdict,
            expected_sha256=check.expected,
            found_sha256=check.found,
            reason=check.reason,
            is_replaced=check.is_replaced,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Data of the event `result`."""

    checks: Annotated[tuple[FileCheck, ...], Meta(description="In shard order, then the projector.")]

    @classmethod
    def of(cls, result: verification.Verification) -> Self:
        """Return the JSON form of the result."""
        return cls(checks=tuple(map(FileCheck.of, result.checks)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalPreview:
    """What the removal of a model with its files would delete."""

    freed_bytes: Bytes
    deleted: Annotated[tuple[str, ...], Meta(description="Paths of the files that would be deleted.")]
    kept: Annotated[tuple[KeptFile, ...], Meta(description="Files that would not be deleted.")]

    @classmethod
    def of(cls, removed: library.RemovedModel) -> Self:
        """Return the JSON form of a preview."""
        return cls(
            freed_bytes=removed.freed_bytes,
            deleted=tuple(map(str, removed.deleted)),
            kept=tuple(KeptFile(path=str(path), reason=reason) for path, reason in removed.kept),
        )

"""Responses about downloads. Values only."""

from dataclasses import dataclass
from typing import Annotated, Self

from msgspec import Meta

from gglib.core.hub import downloads
from gglib.core.hub.downloads import DownloadState
from gglib.core.hub.shown_source import shown_target
from gglib.proxy.routes.responses.fields import Bytes, Count, OptionalUnixTime, UnixTime


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadError:
    """The error of a failed download."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A download of this server."""

    id: str
    target: Annotated[str, Meta(description="The requested target; a URL without its query.")]
    state: DownloadState
    model_name: Annotated[str | None, Meta(description="Name of the model; null until it is complete.")]
    file: Annotated[str | None, Meta(description="The current file.")]
    phase: Annotated[
        str | None,
        Meta(
            description="`waiting` (another process downloads the same), `downloading`, `verifying` or `adding`; "
            "null before the start."
        ),
    ]
    done_bytes: Annotated[int, Meta(ge=0, description="Of all files together.")]
    total_bytes: Annotated[Bytes | None, Meta(description="Of all files together; null if unknown.")]
    bytes_per_s: Annotated[Count | None, Meta(description="Over the last seconds; null without progress.")]
    left_s: Annotated[Count | None, Meta(description="Remaining time at this speed, in seconds.")]
    error: Annotated[
        DownloadError | None,
        Meta(description="Error of a failed download, with the codes of error responses; else null."),
    ]
    created_at: UnixTime
    started_at: OptionalUnixTime
    ended_at: OptionalUnixTime

    @classmethod
    def of(cls, download: downloads.Download) -> Self:
        """Return the JSON form of a download."""
        error = None
        if download.error_code is not None:
            error = DownloadError(code=download.error_code, message=download.error_message or "")
        left_s = None
        if download.bytes_per_s and download.total_bytes is not None:
            left_s = max(0, download.total_bytes - download.done_bytes) // download.bytes_per_s
        return cls(
            id=download.id,
            target=shown_target(download.target),
            state=download.state,
            model_name=download.model_name,
            file=download.file,
            phase=download.phase,
            done_bytes=download.done_bytes,
            total_bytes=download.total_bytes,
            bytes_per_s=download.bytes_per_s,
            left_s=left_s,
            error=error,
            created_at=download.created_at,
            started_at=download.started_at,
            ended_at=download.ended_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloads:
    """The downloads of this server."""

    downloads: Annotated[tuple[Download, ...], Meta(description="Newest last.")]

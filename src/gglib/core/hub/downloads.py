"""A snapshot of a pull that runs inside a server. Values only."""

from dataclasses import dataclass
from enum import Enum


class DownloadState(Enum):
    """The state of a download: active, paused, or at its end. Only ``done`` cannot be resumed."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    """Stopped until it is resumed; its partial files and its place in the list are kept."""

    @property
    def is_active(self) -> bool:
        """Whether the download proceeds without a request: it is queued or running."""
        return self in {DownloadState.QUEUED, DownloadState.RUNNING}

    @property
    def has_ended(self) -> bool:
        """Whether the download left the queue: it is done, failed or was cancelled."""
        return not self.is_active and self is not DownloadState.PAUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One download. Times are Unix seconds; None for what has not happened yet."""

    id: str
    target: str
    """The requested target, as the client wrote it."""
    state: DownloadState
    model_name: str | None = None
    """The model's name in the catalogue; None before the download is done."""
    file: str | None = None
    """The current file, by its name in the repository."""
    phase: str | None = None
    """``waiting`` (another gglib downloads the file), ``downloading``, ``verifying`` or ``adding``; None at first."""
    done_bytes: int = 0
    """Sum over all files."""
    total_bytes: int | None = None
    """Sum over all files; None if unknown."""
    bytes_per_s: int | None = None
    """Average over the last seconds; None while no data arrives."""
    error_code: str | None = None
    """Code of the ``GglibError`` that ended the download."""
    error_message: str | None = None
    created_at: int
    started_at: int | None = None
    ended_at: int | None = None

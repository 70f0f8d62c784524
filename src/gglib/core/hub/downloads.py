"""A pull that runs inside a server, at one moment. Values only."""

from dataclasses import dataclass
from enum import Enum


class DownloadState(Enum):
    """How far a download is; the last three are for good."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens."""
        return self in _FINAL


_FINAL = frozenset((DownloadState.DONE, DownloadState.FAILED, DownloadState.CANCELLED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One download. Times are Unix seconds, None for what has not happened."""

    id: str
    target: str
    """What was asked for, as the client wrote it."""
    state: DownloadState
    model_name: str | None = None
    """The catalogue's name of what came; None before it is done."""
    file: str | None = None
    """The file that is worked on, by its name in the repository."""
    phase: str | None = None
    """``waiting`` (another gglib fetches the same), ``downloading``, ``verifying`` or ``adding``; None at first."""
    done_bytes: int = 0
    """Of all files together."""
    total_bytes: int | None = None
    """Of all files together; None where nobody knows."""
    bytes_per_s: int | None = None
    """Over the last seconds; None where nothing is moving."""
    error_code: str | None = None
    """Of the ``GglibError`` that it failed with."""
    error_message: str | None = None
    created_at: int
    started_at: int | None = None
    ended_at: int | None = None

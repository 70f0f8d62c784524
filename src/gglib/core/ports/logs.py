"""The port that reads the logs of a server. For admins: lines contain paths. Sizes in bytes, times in Unix seconds."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

from gglib.core.log_lines import LogLine


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """The log of gglib, or of the engine of a model."""

    name: str
    """``gglib``, or ``engine:MODEL``."""
    kind: Literal["gglib", "engine"]
    model: str | None
    """The model of the engine; None for gglib's log, and for the log of a model that is not in the catalogue."""
    size_bytes: int
    modified_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTail:
    """The last lines of a log."""

    name: str
    lines: tuple[LogLine, ...]
    is_cut: bool
    """Whether the log has earlier lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBatch:
    """New lines of a log."""

    lines: tuple[LogLine, ...]
    skipped: int = 0
    """Number of lines before these that are left out, because too many were written at once."""


class LogsPort(Protocol):
    """Reads the logs. Raises ``LogNotFoundError`` for an unknown name, and ``LogUnreadableError``."""

    async def list_logs(self) -> tuple[LogFile, ...]:
        """Return the logs that exist: gglib's, then those of engines by name."""
        ...

    async def read_log(self, name: str, lines: int) -> LogTail:
        """Return the last ``lines`` lines."""
        ...

    def follow_log(self, name: str, lines: int) -> AsyncGenerator[LogBatch, None]:
        """Yield the last ``lines`` lines at once, then new lines, a few times a second at most, without an end.

        Follows rotation. A slow consumer misses lines, which are counted. A consumer that stops calls ``aclose``.
        """
        ...

"""A download, for programs: the shape that every answer and every event of the HTTP interface has. Pure."""

from gglib.core.downloads import Download
from gglib.core.pull_source import shown_target


def download_json(download: Download) -> dict[str, object]:
    """Return a download; ``error`` is null unless it failed."""
    error = None
    if download.error_code is not None:
        error = {"code": download.error_code, "message": download.error_message}
    return {
        "id": download.id,
        "target": shown_target(download.target),
        "state": download.state.value,
        "model_name": download.model_name,
        "file": download.file,
        "phase": download.phase,
        "done_bytes": download.done_bytes,
        "total_bytes": download.total_bytes,
        "bytes_per_s": download.bytes_per_s,
        "left_s": _left_s(download),
        "error": error,
        "created_at": download.created_at,
        "started_at": download.started_at,
        "ended_at": download.ended_at,
    }


def _left_s(download: Download) -> int | None:
    """Return how long it takes at this speed; None where nobody can say."""
    if not download.bytes_per_s or download.total_bytes is None:
        return None
    return max(0, download.total_bytes - download.done_bytes) // download.bytes_per_s

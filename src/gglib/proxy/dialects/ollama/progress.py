"""The progress lines of ``/api/pull``, and the error that ends a download. Pure."""

from typing import Any

from gglib.core.errors import GglibError, HubError
from gglib.core.hub.downloads import Download, DownloadState

_VERIFYING = frozenset(("verifying", "adding"))


def progress_of(download: Download) -> dict[str, Any]:
    """Return the line for a download that has not ended.

    ``total`` and ``completed`` are bytes of all its files. ``digest`` is the name of the current file: clients use it
    as the key of a progress bar, and the hashes of a hub's files are not known before.
    """
    if download.state is DownloadState.QUEUED or download.total_bytes is None:
        return {"status": "pulling manifest"}
    if download.phase in _VERIFYING:
        return {"status": "verifying sha256 digest"}
    name = download.file or download.target
    return {
        "status": f"pulling {name}",
        "digest": name,
        "total": download.total_bytes,
        "completed": download.done_bytes,
    }


def download_error(download: Download) -> GglibError:
    """Return the error of a download that failed, was cancelled or paused."""
    if download.state in {DownloadState.CANCELLED, DownloadState.PAUSED}:
        return HubError(
            f"The download of {download.target} was {download.state.value}: pull it again to resume it."
        )
    return HubError(download.error_message or f"The download of {download.target} failed.")

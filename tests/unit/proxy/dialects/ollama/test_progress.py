"""Progress of a pull."""

from typing import Any

import pytest
from tests.support.json_schemas import violations
from tests.support.ollama import SCHEMAS

from gglib.core.hub.downloads import Download, DownloadState
from gglib.proxy.dialects.ollama.progress import download_error, progress_of

PULLING = {"status": "pulling x-Q4.gguf", "digest": "x-Q4.gguf", "total": 10, "completed": 4}


def download(state: DownloadState = DownloadState.RUNNING, **fields: Any) -> Download:
    """Return a download of 10 bytes."""
    return Download(id="d1", target="o/n:Q4", state=state, created_at=0, **fields)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, {"status": "pulling manifest"}),
        ({"state": DownloadState.QUEUED, "total_bytes": 10}, {"status": "pulling manifest"}),
        ({"file": "x-Q4.gguf", "phase": "downloading", "done_bytes": 4, "total_bytes": 10}, PULLING),
        ({"total_bytes": 10}, {"status": "pulling o/n:Q4", "digest": "o/n:Q4", "total": 10, "completed": 0}),
        ({"phase": "verifying", "total_bytes": 10}, {"status": "verifying sha256 digest"}),
        ({"phase": "adding", "total_bytes": 10}, {"status": "verifying sha256 digest"}),
    ],
)
def test_lines(fields: dict[str, Any], line: dict[str, Any]) -> None:
    """A progress bar for each file."""
    found = progress_of(download(**fields))
    assert found == line
    assert list(violations(found, SCHEMAS["status"])) == []


def test_errors() -> None:
    """The reason of the failure, or that it was cancelled."""
    assert str(download_error(download(DownloadState.FAILED, error_message="disk full"))) == "disk full"
    assert "o/n:Q4 failed" in str(download_error(download(DownloadState.FAILED)))
    assert "was paused: pull it again" in str(download_error(download(DownloadState.PAUSED)))
    assert "was cancelled" in str(download_error(download(DownloadState.CANCELLED)))

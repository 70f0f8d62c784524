"""The states of a download."""

import pytest

from gglib.core.hub.downloads import DownloadState


@pytest.mark.parametrize(
    ("state", "is_final"),
    [
        (DownloadState.QUEUED, False),
        (DownloadState.RUNNING, False),
        (DownloadState.DONE, True),
        (DownloadState.FAILED, True),
        (DownloadState.CANCELLED, True),
    ],
)
def test_a_download_that_ended_stays_as_it_ended(state: DownloadState, *, is_final: bool) -> None:
    """A client may stop polling it."""
    assert state.is_final is is_final

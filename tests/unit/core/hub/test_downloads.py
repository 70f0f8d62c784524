"""The states of a download."""

import pytest

from gglib.core.hub.downloads import DownloadState


@pytest.mark.parametrize(
    ("state", "is_active", "has_ended"),
    [
        (DownloadState.QUEUED, True, False),
        (DownloadState.RUNNING, True, False),
        (DownloadState.PAUSED, False, False),
        (DownloadState.DONE, False, True),
        (DownloadState.FAILED, False, True),
        (DownloadState.CANCELLED, False, True),
    ],
)
def test_a_paused_download_is_neither_active_nor_ended(
    state: DownloadState, *, is_active: bool, has_ended: bool
) -> None:
    """Its events end, but it keeps its place in the list."""
    assert (state.is_active, state.has_ended) == (is_active, has_ended)

"""The states of a download."""

import pytest

from gglib.core.hub.downloads import DownloadState


@pytest.mark.parametrize(
    ("state", "is_final", "has_ended"),
    [
        (DownloadState.QUEUED, False, False),
        (DownloadState.RUNNING, False, False),
        (DownloadState.PAUSED, True, False),
        (DownloadState.DONE, True, True),
        (DownloadState.FAILED, True, True),
        (DownloadState.CANCELLED, True, True),
    ],
)
def test_a_client_may_stop_polling_a_final_state(
    state: DownloadState, *, is_final: bool, has_ended: bool
) -> None:
    """A paused download is in the queue all the same."""
    assert (state.is_final, state.has_ended) == (is_final, has_ended)

"""Sees every request when it is over, and tells the log and the metrics."""

from gglib.proxy.access_log import AccessLog
from gglib.proxy.record import RequestRecord


class Observer:
    """What is known of the requests that are over."""

    def __init__(self) -> None:
        self._access_log = AccessLog()

    def note(self, record: RequestRecord) -> None:
        """Take in a request that is over."""
        self._access_log.note(record)

    def note_refusal(self, status: int, reason: str) -> None:
        """Take in what the edge refused before it was a request."""
        self._access_log.note_refusal(status, reason)

    def close(self) -> None:
        """Hand over what was not told yet."""
        self._access_log.flush()

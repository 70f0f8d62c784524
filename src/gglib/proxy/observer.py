"""Sees every request when it is over, and tells the log and the metrics."""

from collections.abc import Callable

from gglib.proxy.access_log import AccessLog
from gglib.proxy.record import RequestRecord
from gglib.proxy.tally import Tally


class Observer:
    """What is known of the requests that are over. ``route_of`` names the route of a path, see ``Tally``."""

    def __init__(self, route_of: Callable[[str], str]) -> None:
        self._access_log = AccessLog()
        self.tally = Tally(route_of)
        self.count_connections: Callable[[], int] = lambda: 0
        """How many clients are connected; whoever listens sets it."""

    def note(self, record: RequestRecord) -> None:
        """Take in a request that is over."""
        self.tally.note(record)
        self._access_log.note(record)

    def note_refusal(self, status: int, reason: str, request_id: str) -> None:
        """Take in what the edge refused before it was a request."""
        self.tally.note_refusal(status)
        self._access_log.note_refusal(status, reason, request_id)

    def close(self) -> None:
        """Hand over what was not told yet."""
        self._access_log.flush()

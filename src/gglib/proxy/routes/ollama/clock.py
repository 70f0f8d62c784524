"""The clock of one request, for the durations in its response."""

import time

from gglib.proxy.request import ProxyRequest


class ArrivalClock:
    """Measures from its creation: when the handler got the request."""

    __slots__ = ("_request", "_started_s")
    now = staticmethod(time.time)
    """Returns the Unix time in seconds. Called for each line."""

    def __init__(self, request: ProxyRequest) -> None:
        self._request = request
        self._started_s = time.monotonic()

    def elapsed_s(self) -> float:
        """Return the time since the request arrived."""
        return time.monotonic() - self._started_s

    def waited_s(self) -> float:
        """Return how long the request has waited for its model."""
        return self._request.waited_s or 0.0

"""Decides which requests a follower has not shown yet: events and pages of the history overlap. Pure."""

from collections.abc import Sequence

from gglib.core.history.requests import StoredRequest

KEPT_S = 60.0
"""How long a request is remembered: an event and the row of its request arrive within some seconds."""
_SAME_END_S = 0.0015
_SAME_DURATION_S = 0.000_002
"""The history rounds times."""


class UnseenRequests:
    """Remembers the requests that were shown.

    A request has one event and one row, whichever comes first. Clients may use one id for many requests, so an event
    and a row are of the same request only if their times are, too, and each is matched once.
    """

    def __init__(self) -> None:
        self._events = _Unmatched()
        self._rows = _Unmatched()
        self._numbers: dict[int, float] = {}
        """The ends of known rows by their numbers."""
        self._kept_from_s = 0.0
        """Requests that ended before are forgotten, in seconds since the epoch."""

    def take_event(self, request: StoredRequest) -> bool:
        """Whether the request of an event is new; it counts as shown from now on.

        Requests that ended ``KEPT_S`` before it are forgotten: a server may be followed for weeks.
        """
        if request.ended_at_s > self._kept_from_s + 2 * KEPT_S:
            self.forget_before(request.ended_at_s - KEPT_S)
        if self._rows.remove(request):
            return False
        self._events.add(request)
        return True

    def take_page(self, requests: Sequence[StoredRequest]) -> list[StoredRequest]:
        """Return the new requests of a page that is newest first, oldest first; they count as shown from now on."""
        return [request for request in reversed(requests) if self._take_row(request)]

    def _take_row(self, request: StoredRequest) -> bool:
        if request.id in self._numbers:
            return False
        if request.id is not None:
            self._numbers[request.id] = request.ended_at_s
        if self._events.remove(request):
            return False
        self._rows.add(request)
        return True

    def forget_before(self, time_s: float) -> None:
        """Forget the requests that ended before a time, in seconds since the epoch."""
        self._kept_from_s = time_s
        self._events.forget_before(time_s)
        self._rows.forget_before(time_s)
        self._numbers = {number: end_s for number, end_s in self._numbers.items() if end_s >= time_s}


class _Unmatched:
    """Requests known from one source and not yet from the other one."""

    def __init__(self) -> None:
        self._by_id: dict[str, list[StoredRequest]] = {}

    def add(self, request: StoredRequest) -> None:
        self._by_id.setdefault(request.request_id, []).append(request)

    def remove(self, request: StoredRequest) -> bool:
        """Remove the same request; return whether there was one."""
        known = self._by_id.get(request.request_id, [])
        for index, other in enumerate(known):
            if _is_same(request, other):
                del known[index]
                return True
        return False

    def forget_before(self, time_s: float) -> None:
        kept = {
            request_id: [request for request in requests if request.ended_at_s >= time_s]
            for request_id, requests in self._by_id.items()
        }
        self._by_id = {request_id: requests for request_id, requests in kept.items() if requests}


def _is_same(one: StoredRequest, other: StoredRequest) -> bool:
    """Whether two requests with the same id are one. A row of several requests has the id of the last one."""
    if one.count > 1 or other.count > 1:
        return True
    return (
        abs(one.ended_at_s - other.ended_at_s) <= _SAME_END_S
        and abs(one.duration_s - other.duration_s) <= _SAME_DURATION_S
    )

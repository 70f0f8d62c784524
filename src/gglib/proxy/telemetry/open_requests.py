"""The requests in progress of all servers that share a runtime: they are listed and cancelled by their id.

Each server enters and removes its requests in a group of its own, a plain dict: that costs a request 0.1 us.
"""

from collections.abc import Callable, Iterator
from time import monotonic

from gglib.core.errors import RequestCancelledError, RequestWithdrawnError
from gglib.core.history.requests import RunningRequest
from gglib.proxy.cluster.hops import is_forwarded_by
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.telemetry.stored_requests import is_read

WAITING, RUNNING = "waiting", "running"

OpenGroup = dict[ProxyRequest, tuple[Response, float]]
"""The requests in progress of one server: their responses, and when they arrived (``time.monotonic``)."""


class OpenRequests:
    """The requests in progress. ``route_of`` maps a path and a method to the route."""

    def __init__(self, route_of: Callable[[str, str], str]) -> None:
        self._route_of = route_of
        self._groups: list[OpenGroup] = []

    def new_group(self) -> OpenGroup:
        """Return a group for the requests of one server, until ``remove_group``."""
        group: OpenGroup = {}
        self._groups.append(group)
        return group

    def remove_group(self, group: OpenGroup) -> None:
        """Forget a group. Idempotent."""
        self._groups = [kept for kept in self._groups if kept is not group]

    def running(self) -> tuple[RunningRequest, ...]:
        """Return the requests in progress, oldest first, without those that only read."""
        now_s = monotonic()
        found = [
            self._running(request, response, now_s - started_s)
            for request, response, started_s in self._all()
            if request.waited_s is not None or not is_read(request.method, request.path)
        ]
        return tuple(sorted(found, key=lambda request: -request.age_s))

    def cancel(self, request_id: str, by: ProxyRequest | None = None) -> bool:
        """Cancel all requests in progress with this id, except ``by``. Return whether there was one.

        Clients may choose ids, so several requests may have the same. They end with ``RequestCancelledError``.
        """
        cancelled = False
        for request, _, _ in list(self._all()):
            if request.id == request_id and request is not by:
                request.cancel_scope.cancel_with(RequestCancelledError())
                cancelled = True
        return cancelled

    def withdraw(self, request_id: str, front: str) -> bool:
        """Have a request end that waits for its model, and that the gglib ``front`` has forwarded.

        It ends with ``RequestWithdrawnError``, before an engine gets anything of it: a model that is granted to it
        meanwhile is only reserved until its task runs again. Returns False, and changes nothing, if it is unknown, has
        got its model, and so may be in an engine, or if several requests have this id.
        """
        found = [
            request
            for request, _, _ in self._all()
            if request.id == request_id and is_forwarded_by(request.head.headers, front)
        ]
        if len(found) != 1 or not _is_waiting(found[0]):
            return False
        found[0].cancel_scope.cancel_with(RequestWithdrawnError())
        return True

    def _all(self) -> Iterator[tuple[ProxyRequest, Response, float]]:
        for group in self._groups:
            for request, (response, started_s) in group.items():
                yield request, response, started_s

    def _running(self, request: ProxyRequest, response: Response, age_s: float) -> RunningRequest:
        return RunningRequest(
            request_id=request.id,
            route=self._route_of(request.path, request.method),
            state=WAITING if _is_waiting(request) else RUNNING,
            age_s=round(age_s, 3),
            model=request.model,
            requested_model=request.other_name,
            profile=request.profile_name,
            key=request.key_name,
            client=request.program,
            address=request.client,
            is_streamed=response.is_stream,
            waited_s=request.waited_s,
            chunks=response.chunks,
        )


def _is_waiting(request: ProxyRequest) -> bool:
    """Whether the request waits for its model: it is known, and not granted to it yet."""
    return request.model is not None and request.waited_s is None

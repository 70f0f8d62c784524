"""The requests in progress of all servers that share a runtime: they are listed and cancelled by their id.

Each server enters and removes its requests in a group of its own, a plain dict: that costs a request 0.1 us.
"""

from collections.abc import Callable, Iterator
from time import monotonic

from gglib.core.errors import RequestCancelledError
from gglib.core.history.requests import RunningRequest
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

    def _all(self) -> Iterator[tuple[ProxyRequest, Response, float]]:
        for group in self._groups:
            for request, (response, started_s) in group.items():
                yield request, response, started_s

    def _running(self, request: ProxyRequest, response: Response, age_s: float) -> RunningRequest:
        is_waiting = request.model is not None and request.waited_s is None
        return RunningRequest(
            request_id=request.id,
            route=self._route_of(request.path, request.method),
            state=WAITING if is_waiting else RUNNING,
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

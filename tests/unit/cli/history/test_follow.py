"""``gglib requests -f``: what is shown across lost events and restarts of the server."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Any

import pytest

from gglib.cli.context import Options
from gglib.cli.history import follow as module
from gglib.cli.history.follow import follow
from gglib.cli.history.results import FoundRequests
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError, UpstreamError
from gglib.core.history.requests import RequestFilter, StoredRequest
from gglib.http.sse import SseEvent

SERVER = Endpoint("http://127.0.0.1:8080", None)
AGAIN = Endpoint("http://127.0.0.1:9090", None)
SNAPSHOT = SseEvent("snapshot", b"{}")
OTHER = SseEvent("ready", b'{"model_name": "m"}')
STOPPED = "gglib at http://127.0.0.1:8080 stopped; waiting for its next start."


class OverError(Exception):
    """Ends a follower that would wait for the next start."""


def ended(number: int, **fields: Any) -> StoredRequest:
    """Return a request that ended at its number."""
    return StoredRequest(
        **{
            "id": None,
            "request_id": f"req_{number}",
            "ended_at_s": float(number),
            "route": "/r",
            "status": 200,
            **fields,
        }
    )


def event(request: StoredRequest) -> SseEvent:
    """Return the event of a request."""
    return SseEvent("request_finished", json.dumps(asdict(request)).encode())


class Server:
    """Offers one stream of events after another, and a page for each time that one is requested."""

    def __init__(
        self, streams: Sequence[Sequence[SseEvent | Exception]], pages: list[list[StoredRequest]]
    ) -> None:
        self._streams = list(streams)
        self._pages = pages
        self.endpoints: list[Endpoint | None] = []
        """What is found at each attempt after a stop."""
        self.wanted: list[tuple[RequestFilter, int]] = []
        self.shown: list[str] = []
        self.notes: list[str] = []

    @asynccontextmanager
    async def stream_events(self, _: Endpoint, path: str) -> AsyncIterator[AsyncIterator[SseEvent]]:
        """Open the next stream; raise if it begins with an error."""
        assert path == "/gglib/events?requests=true"
        stream = self._streams.pop(0)
        if isinstance(stream[0], Exception):
            raise stream[0]
        yield self._events(stream)

    async def _events(self, stream: Sequence[SseEvent | Exception]) -> AsyncIterator[SseEvent]:
        for each in stream:
            if isinstance(each, Exception):
                raise each
            yield each

    async def find_requests(
        self, _: Endpoint, wanted: RequestFilter, *, limit: int, state: str
    ) -> FoundRequests:
        """Return the next page."""
        assert state == "finished"
        self.wanted.append((wanted, limit))
        rows = [replace(request, id=int(request.ended_at_s)) for request in self._pages.pop(0)]
        return FoundRequests(requests=tuple(reversed(rows)))

    def find_server(self) -> Endpoint | None:
        """Return the next endpoint."""
        if not self.endpoints:
            raise OverError
        return self.endpoints.pop(0)

    def follow(self, monkeypatch: pytest.MonkeyPatch, wanted: RequestFilter, limit: int = 10) -> None:
        """Run a follower until nothing more is known of the server."""
        with pytest.raises(OverError):
            self.follow_to_error(monkeypatch, wanted, limit)

    def follow_to_error(self, monkeypatch: pytest.MonkeyPatch, wanted: RequestFilter, limit: int) -> None:
        """Run a follower."""
        monkeypatch.setattr(module, "stream_events", self.stream_events)
        monkeypatch.setattr(module, "find_requests", self.find_requests)
        monkeypatch.setattr(module, "server_endpoint", lambda _: SERVER)
        monkeypatch.setattr(module._Follower, "_find_server", self.find_server)
        monkeypatch.setattr(module, "RECONNECT_S", 0)
        follow(
            Options(),
            wanted,
            limit=limit,
            show=lambda request: self.shown.append(request.request_id),
            note=self.notes.append,
        )


def test_page_is_followed_by_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request that ended between the stream's opening and the page is shown once; other events are none."""
    server = Server([[SNAPSHOT, event(ended(2)), OTHER, event(ended(3))]], [[ended(1, id=1), ended(2, id=2)]])
    server.follow(monkeypatch, RequestFilter(), limit=20)
    assert server.shown == ["req_1", "req_2", "req_3"]
    assert server.wanted == [(RequestFilter(), 20)]
    assert server.notes == [STOPPED]


def test_filter_applies_to_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are filtered by the server. Without a first page, none is requested."""
    events = [SNAPSHOT, event(ended(1)), event(ended(2, status=404)), event(ended(3, status=500))]
    server = Server([events], [])
    server.follow(monkeypatch, RequestFilter(statuses=(400, 499)), limit=0)
    assert server.shown == ["req_2"]


def test_lost_events_are_read_from_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second snapshot means that events are missing."""
    server = Server(
        [[SNAPSHOT, event(ended(14, key="b")), SNAPSHOT, event(ended(16))]],
        [[ended(9)], [ended(14), ended(15)]],
    )
    server.follow(monkeypatch, RequestFilter(key=""))
    assert server.shown == ["req_9", "req_14", "req_15", "req_16"]
    assert server.wanted[1] == (RequestFilter(key="", since_s=14.0 - module.OVERLAP_S), 1000)


def test_older_requests_than_the_first_page_are_not_shown_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below newer ones they would look like new ones."""
    server = Server([[SNAPSHOT, SNAPSHOT]], [[ended(9)], []])
    server.follow(monkeypatch, RequestFilter(), limit=1)
    assert server.wanted[1] == (RequestFilter(since_s=9.0), 1000)


def test_restart_is_noted_and_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server may have another port; what ended while it stopped is shown."""
    server = Server(
        [
            [SNAPSHOT, event(ended(2)), UpstreamError("gone")],
            [UpstreamError("not yet")],
            [SNAPSHOT, event(ended(4))],
        ],
        [[ended(1)], [ended(2), ended(3)]],
    )
    server.endpoints = [None, None, AGAIN, AGAIN]
    server.follow(monkeypatch, RequestFilter())
    assert server.shown == ["req_1", "req_2", "req_3", "req_4"]
    assert server.wanted[1] == (RequestFilter(since_s=1.0), 1000)
    assert server.notes == [
        STOPPED,
        "gglib at http://127.0.0.1:9090 responds again.",
        STOPPED.replace("8080", "9090"),
    ]


def test_server_that_stops_ends_its_stream_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is none of the follower's."""
    stopping = SseEvent("message", b'{"error": {"code": "shutting_down", "message": "x"}}')
    server = Server([[SNAPSHOT, stopping]], [[]])
    server.follow(monkeypatch, RequestFilter())
    assert server.notes == [STOPPED]


def test_older_server_is_named_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses the parameter of the events: the lack of a list of requests says more."""

    async def find_requests(*_: object, **__: object) -> FoundRequests:
        raise GglibError("an older version")

    server = Server([[GglibError("'requests' is not a parameter of this path.")]], [])
    monkeypatch.setattr(server, "find_requests", find_requests)
    with pytest.raises(GglibError, match="an older version"):
        server.follow_to_error(monkeypatch, RequestFilter(), limit=5)


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        ([[UpstreamError("cannot be reached")]], "cannot be reached"),
        ([[GglibError("refused")]], "refused"),
        ([[SNAPSHOT], [GglibError("refused")]], "refused"),
        ([[SNAPSHOT, SseEvent("message", b'{"error": {"message": "no rights"}}')]], "no rights"),
        ([[SNAPSHOT, SseEvent("request_finished", b"{}")]], "that this command cannot read"),
    ],
)
def test_failure_that_does_not_pass_ends_it(
    streams: Sequence[Sequence[SseEvent | Exception]], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that was never reached, or refuses."""
    server = Server(streams, [[], []])
    server.endpoints = [AGAIN]
    with pytest.raises(GglibError, match=message):
        server.follow_to_error(monkeypatch, RequestFilter(), limit=5)

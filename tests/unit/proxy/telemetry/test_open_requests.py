"""The requests in progress: listed, followed and cancelled."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from gglib.core.errors import RequestCancelledError, RequestWithdrawnError
from gglib.core.history.records import RequestRecord
from gglib.proxy.request import ProxyRequest
from gglib.proxy.telemetry import open_requests
from gglib.proxy.telemetry.open_requests import OpenGroup, OpenRequests
from gglib.proxy.telemetry.request_events import RequestEventsLost, RequestFinished, RequestStarted
from gglib.proxy.telemetry.request_feed import MAX_QUEUED_EVENTS, RequestFeed

if TYPE_CHECKING:
    from gglib.proxy.response import Response

RECORD = RequestRecord("POST", "/v1/x", "tiny", 200, "r", 0.0, None, 0.0, 1, False, None)
RESPONSE = cast("Response", SimpleNamespace(is_stream=True, chunks=4))


class Scope:
    """Keeps the reason of a cancellation."""

    reason: Exception | None = None

    def cancel_with(self, reason: Exception) -> None:
        """Keep the reason."""
        self.reason = reason


class OpenRequest(ProxyRequest):
    """A request without a head."""

    __slots__ = ("method_",)

    def __init__(self, id_: str, method: str = "POST", path: str = "/v1/chat/completions") -> None:
        self.id, self.path, self.method_ = id_, path, method
        self.cancel_scope = cast("Any", Scope())

    @property
    def method(self) -> str:
        """The method."""
        return self.method_

    @property
    def reason(self) -> Exception | None:
        """Why it was cancelled."""
        return cast("Scope", self.cancel_scope).reason


@pytest.fixture
def opened() -> tuple[OpenRequests, OpenGroup]:
    """Return requests in progress, and a group of them."""
    requests = OpenRequests(lambda path, method: f"{method} {path}")
    return requests, requests.new_group()


def test_the_oldest_is_first(opened: tuple[OpenRequests, OpenGroup], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all servers; until the server of a group ends."""
    requests, group = opened
    monkeypatch.setattr(open_requests, "monotonic", lambda: 10.0)
    other = requests.new_group()
    group[OpenRequest("new")] = RESPONSE, 9.0
    other[OpenRequest("old")] = RESPONSE, 1.0
    assert [(request.request_id, request.age_s) for request in requests.running()] == [
        ("old", 9.0),
        ("new", 1.0),
    ]
    requests.remove_group(other)
    requests.remove_group(other)
    assert [request.request_id for request in requests.running()] == ["new"]


def test_a_request_waits_until_its_model_serves_it(opened: tuple[OpenRequests, OpenGroup]) -> None:
    """Before its model is known, and if it needs none, it runs."""
    requests, group = opened
    request = OpenRequest("r")
    group[request] = RESPONSE, 0.0
    assert requests.running()[0].state == "running"
    request.model, request.named_model = "tiny", "alias"
    (waiting,) = requests.running()
    assert (waiting.state, waiting.model, waiting.requested_model) == ("waiting", "tiny", "alias")
    request.waited_s = 0.5
    (running,) = requests.running()
    assert (running.state, running.waited_s, running.chunks, running.is_streamed) == ("running", 0.5, 4, True)
    assert running.route == "POST /v1/chat/completions"


@pytest.mark.parametrize(
    ("method", "path", "waited_s", "is_listed"),
    [
        ("GET", "/gglib/status", None, False),
        ("HEAD", "/v1/models", None, False),
        ("POST", "/api/show", None, False),
        ("GET", "/slots", 0.0, True),
        ("POST", "/api/pull", None, True),
    ],
)
def test_reads_are_not_listed(
    opened: tuple[OpenRequests, OpenGroup], method: str, path: str, waited_s: float | None, *, is_listed: bool
) -> None:
    """Unless a model serves them."""
    requests, group = opened
    request = OpenRequest("r", method, path)
    request.waited_s = waited_s
    group[request] = RESPONSE, 0.0
    assert bool(requests.running()) is is_listed


def test_all_with_an_id_are_cancelled_but_the_one_that_cancels(
    opened: tuple[OpenRequests, OpenGroup],
) -> None:
    """And no others."""
    requests, group = opened
    first, second, own, other = (OpenRequest(id_) for id_ in ("q", "q", "q", "r"))
    for request in (first, second, own, other):
        group[request] = RESPONSE, 0.0
    assert requests.cancel("q", by=own)
    assert isinstance(first.reason, RequestCancelledError)
    assert isinstance(second.reason, RequestCancelledError)
    assert own.reason is other.reason is None
    assert not requests.cancel("nosuch")
    assert not requests.cancel("q/")


def forwarded(id_: str, front: str = "f", *, waited_s: float | None = None) -> OpenRequest:
    """Return a request that a gglib has forwarded."""
    request = OpenRequest(id_)
    request.model, request.waited_s = "tiny", waited_s
    request.head = cast("Any", SimpleNamespace(headers=[(b"host", b"x"), (b"x-gglib-hop", front.encode())]))
    return request


def test_a_forwarded_request_that_waits_is_withdrawn(opened: tuple[OpenRequests, OpenGroup]) -> None:
    """By the gglib that has forwarded it: another one may use the same ids."""
    requests, group = opened
    mine, foreign = forwarded("q"), forwarded("q", "other")
    for request in (mine, foreign, forwarded("r")):
        group[request] = RESPONSE, 0.0
    assert not requests.withdraw("q", "another")
    assert not requests.withdraw("nosuch", "f")
    assert requests.withdraw("q", "f")
    assert isinstance(mine.reason, RequestWithdrawnError)
    assert foreign.reason is None


def test_a_request_that_has_its_model_is_not_withdrawn(opened: tuple[OpenRequests, OpenGroup]) -> None:
    """Nor one whose model is not known yet."""
    requests, group = opened
    running, unread = forwarded("q", waited_s=0.1), forwarded("r")
    unread.model = None
    for request in (running, unread):
        group[request] = RESPONSE, 0.0
    assert not requests.withdraw("q", "f")
    assert not requests.withdraw("r", "f")
    assert running.reason is unread.reason is None


def test_requests_with_the_same_id_are_not_withdrawn(opened: tuple[OpenRequests, OpenGroup]) -> None:
    """A client has chosen it twice: the front means one of them."""
    requests, group = opened
    twins = forwarded("q"), forwarded("q")
    for request in twins:
        group[request] = RESPONSE, 0.0
    assert not requests.withdraw("q", "f")
    assert {request.reason for request in twins} == {None}


def test_each_start_is_published_once(opened: tuple[OpenRequests, OpenGroup]) -> None:
    """Those in progress at the beginning, too; an id that is used again starts again."""
    requests, group = opened
    request = OpenRequest("q")
    group[request] = RESPONSE, 0.0
    with RequestFeed().subscribe() as subscription:
        (event,) = subscription.take_started(requests)
        assert isinstance(event, RequestStarted)
        assert list(subscription.take_started(requests)) == []
        del group[request]
        assert list(subscription.take_started(requests)) == []
        group[request] = RESPONSE, 0.0
        assert len(list(subscription.take_started(requests))) == 1


def test_a_finished_request_is_published_to_all() -> None:
    """To those who subscribe at the time."""
    feed = RequestFeed()
    feed.publish([RECORD])
    with feed.subscribe() as first, feed.subscribe() as second:
        assert feed.has_subscribers
        feed.publish([RECORD, RECORD])
        for subscription in (first, second):
            events = subscription.take()
            assert [type(event) for event in events] == [RequestFinished] * 2
            assert subscription.take() == ()
    assert not feed.has_subscribers


def test_a_slow_subscriber_loses_events() -> None:
    """It learns so; memory is bounded."""
    feed = RequestFeed()
    with feed.subscribe() as subscription:
        feed.publish([RECORD] * (MAX_QUEUED_EVENTS + 2))
        events = subscription.take()
    assert [type(event) for event in events] == [RequestEventsLost, RequestFinished]

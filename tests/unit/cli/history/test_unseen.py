"""Which requests a follower has not shown yet."""

from typing import Any

from gglib.cli.history.unseen import KEPT_S, UnseenRequests
from gglib.core.history.requests import StoredRequest


def ended(request_id: str, at_s: float, number: int | None = None, **fields: Any) -> StoredRequest:
    """Return a request: as in an event, or with its number as in a page."""
    return StoredRequest(
        id=number,
        request_id=request_id,
        ended_at_s=at_s,
        route="/",
        status=200,
        **{"duration_s": 0.5, **fields},
    )


def shown(requests: UnseenRequests, *page: StoredRequest) -> list[int | None]:
    """Return the numbers of the new requests of a page, given oldest first."""
    return [request.id for request in requests.take_page(page[::-1])]


def test_row_of_an_event_is_not_new() -> None:
    """The history rounds its times."""
    requests = UnseenRequests()
    assert requests.take_event(ended("b", 2.0004, duration_s=0.5000004))
    assert shown(requests, ended("a", 1.0, 1), ended("b", 2.0, 2), ended("c", 3.0, 3)) == [1, 3]


def test_event_of_a_row_is_not_new() -> None:
    """The page may have it earlier."""
    requests = UnseenRequests()
    assert shown(requests, ended("a", 1.0, 1)) == [1]
    assert not requests.take_event(ended("a", 1.0004))


def test_pages_overlap() -> None:
    """A row is known by its number."""
    requests = UnseenRequests()
    assert shown(requests, ended("a", 1.0, 1), ended("b", 2.0, 2)) == [1, 2]
    assert shown(requests, ended("b", 2.0, 2), ended("c", 3.0, 3)) == [3]


def test_client_may_repeat_its_id() -> None:
    """Even many times in a millisecond: as many are shown as there were."""
    requests = UnseenRequests()
    assert all(requests.take_event(ended("job", 1.0)) for _ in range(3))
    assert shown(requests, *(ended("job", 1.0, number) for number in range(1, 6))) == [4, 5]
    assert [requests.take_event(ended("job", 1.0)) for _ in range(3)] == [False, False, True]
    assert requests.take_event(ended("job", 9.0))


def test_row_of_several_requests_is_known_by_the_last_one() -> None:
    """Its times are means. Without the event of the last one, its events were lost."""
    requests = UnseenRequests()
    assert requests.take_event(ended("last", 5.0))
    assert shown(requests, ended("last", 4.0, 1, count=731, duration_s=3.0), ended("x", 6.0, 2, count=9)) == [
        2
    ]


def test_memory_is_bounded_in_time() -> None:
    """What ended before is forgotten, and would be new again."""
    requests = UnseenRequests()
    assert requests.take_event(ended("a", 1.0))
    assert shown(requests, ended("b", 2.0, 2), ended("c", 3.0, 3)) == [2, 3]
    requests.forget_before(3.0)
    assert shown(requests, ended("a", 1.0, 1), ended("b", 2.0, 2), ended("c", 3.0, 3)) == [1, 2]
    assert not requests.take_event(ended("c", 3.0))


def test_events_alone_are_forgotten_too() -> None:
    """An idle server sends no snapshot after which pages are read."""
    requests = UnseenRequests()
    start_s = 1_795_503_871.0
    known = [ended("a", start_s), ended("b", start_s + KEPT_S), ended("c", start_s + 2.5 * KEPT_S)]
    assert all(requests.take_event(request) for request in known)
    rows = [ended(request.request_id, request.ended_at_s, number) for number, request in enumerate(known)]
    assert shown(requests, *rows) == [0, 1]


def test_same_id_at_another_time_is_another_request() -> None:
    """The event of a request matches neither its predecessor nor its successor with the same id."""
    requests = UnseenRequests()
    assert requests.take_event(ended("job", 1.0))
    assert shown(requests, ended("job", 5.0, 1)) == [1]
    assert requests.take_event(ended("job", 9.0))


def test_row_without_a_number_is_matched_by_its_times() -> None:
    """A server without a history has no numbers."""
    requests = UnseenRequests()
    assert shown(requests, ended("a", 1.0)) == [None]
    assert not requests.take_event(ended("a", 1.0))

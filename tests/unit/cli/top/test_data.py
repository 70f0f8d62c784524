"""What messages of the server change in the data of ``gglib top``."""

from typing import Any

import pytest
from tests.support.top_values import NOW_S, URL, data, finished, resident, running, status, swap

from gglib.cli.top.data import (
    MAX_KEPT,
    TopData,
    is_of_client,
    with_finished,
    with_running,
    with_status,
    with_swap,
    without_server,
)

EMPTY = TopData(url=URL)


def test_swap_of_an_event_and_of_a_status_is_one() -> None:
    """The status repeats it with a growing age."""
    known = with_swap(EMPTY, swap(), NOW_S)
    for later_s in (0.0, 1.0, 300.0):
        known = with_status(known, status(last_swap=swap(ago_s=later_s + 0.3)), NOW_S + later_s)
    assert len(known.swaps) == 1


def test_equal_swaps_at_different_times_are_several() -> None:
    """A storm swaps the same two models again and again."""
    known = with_swap(with_swap(EMPTY, swap(), NOW_S), swap(), NOW_S + 5)
    assert [ended.ended_s for ended in known.swaps] == [NOW_S + 5, NOW_S]


def test_only_the_newest_swaps_and_failures_are_kept() -> None:
    """A view may stay open for weeks."""
    known = EMPTY
    for number in range(MAX_KEPT + 10):
        known = with_swap(known, swap(why=str(number)), NOW_S + 10 * number)
        known = with_finished(known, finished(str(number), error="engine_error"), NOW_S + 10 * number)
    assert (len(known.swaps), len(known.failed)) == (MAX_KEPT, MAX_KEPT)
    assert known.swaps[0].swap.why == known.failed[0].request.request_id == str(MAX_KEPT + 9)


def test_finished_request_leaves_those_in_progress() -> None:
    """At once, not with the next reading; a success is not kept."""
    known = with_finished(data(requests=(running("a"), running("b"))), finished("a"), NOW_S)
    assert [request.request_id for request in known.running] == ["b"]
    assert known.failed == ()
    assert with_finished(known, finished("c"), NOW_S) is known


def test_failed_request_is_kept_once() -> None:
    """The history at the start and the feed may both have it."""
    request = finished("a", error="model_not_found")
    known = with_finished(with_finished(EMPTY, request, NOW_S), request, NOW_S + 1)
    assert [failed.request.request_id for failed in known.failed] == ["a"]


@pytest.mark.parametrize(
    ("fields", "is_kept"),
    [({"status": 200}, False), ({"status": 500}, True), ({"status": 200, "error": "client_left"}, True)],
)
def test_requests_with_an_error_or_its_status_are_failed(fields: dict[str, Any], is_kept: bool) -> None:  # noqa: FBT001
    """As the server searches them: an engine's own error has no code."""
    assert bool(with_finished(EMPTY, finished(**fields), NOW_S).failed) is is_kept


def test_without_a_server_the_past_stays_and_the_present_goes() -> None:
    """Models in memory and rates are unknown; a status ends the problem."""
    known = with_swap(data(resident(), requests=(running(),)), swap(), NOW_S)
    lost = without_server(known, "Waiting for the server ...")
    assert (lost.residents, lost.waiting, lost.running, len(lost.swaps)) == ((), (), (), 1)
    assert lost.problem == "Waiting for the server ..."
    assert with_status(lost, status(), NOW_S).problem is None


@pytest.mark.parametrize(
    ("model", "route", "is_shown"),
    [
        ("small", "/v1/chat/completions", True),
        (None, "/v1/models", True),
        (None, "/gglib/status", False),
        (None, "/gglib/events", False),
        (None, "/metrics", False),
        ("small", "/gglib/models/{name}/load", True),
    ],
)
def test_requests_of_operators_are_hidden(model: str | None, route: str, is_shown: bool) -> None:  # noqa: FBT001
    """The view reads the status each second: it would show itself."""
    request = running(model=model, route=route)
    assert is_of_client(request) is is_shown
    assert bool(with_running(EMPTY, [request], NOW_S).running) is is_shown


def test_resident_is_found_by_its_name() -> None:
    """None for other names, and for none."""
    known = data(resident("small"))
    assert known.resident("small") is known.residents[0]
    assert known.resident("big") is None
    assert known.resident(None) is None

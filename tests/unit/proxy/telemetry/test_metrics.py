"""The metrics of finished requests."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.history.records import RequestRecord
from gglib.proxy.routes.table import MODEL_ROUTE, ROUTES, route_of
from gglib.proxy.telemetry.metrics import (
    BOUNDS_S,
    BOUNDS_TOKENS_PER_S,
    Histogram,
    RequestLabels,
    RequestMetrics,
)

CHAT = "/v1/chat/completions"
ANSWER = RequestRecord(
    method="POST",
    path=CHAT,
    model="tiny",
    status=200,
    request_id="req_1",
    waited_s=0.02,
    first_byte_s=0.2,
    duration_s=2.0,
    chunks=7,
    prompt_tokens=30,
    completion_tokens=6,
    is_streamed=True,
    error_code=None,
)
"""A stream that reported its token usage."""
REFUSED = replace(
    ANSWER,
    model=None,
    status=404,
    waited_s=None,
    chunks=1,
    prompt_tokens=None,
    completion_tokens=None,
    is_streamed=False,
    error_code="model_not_found",
)
"""A request for an unknown model."""


def counted(*records: RequestRecord) -> RequestMetrics:
    """Return the metrics of some requests."""
    metrics = RequestMetrics(route_of)
    for record in records:
        metrics.record(record)
    return metrics


def test_response_is_counted() -> None:
    """A response counts its labels, times, parts and tokens, once per request."""
    metrics = counted(ANSWER, ANSWER)
    assert metrics.requests == {RequestLabels(CHAT, "POST", "tiny", "200"): 2}
    assert set(metrics.durations) == {(CHAT, "tiny")}
    assert metrics.durations[CHAT, "tiny"].sum == 4.0
    model = metrics.models["tiny"]
    assert (model.chunks, model.prompt_tokens, model.completion_tokens) == (14, 60, 12)
    assert (sum(model.waited.counts), model.waited.sum) == (2, 0.04)
    assert (sum(model.first_byte_streamed.counts), model.first_byte_streamed.sum) == (2, 0.4)
    assert sum(model.first_byte.counts) == 0
    assert (metrics.errors, metrics.refusals) == ({}, {})


def test_unstreamed_response_has_its_own_times() -> None:
    """Its first byte comes with the last one; mixed with streams it would hide the time to the first token."""
    model = counted(replace(ANSWER, is_streamed=False)).models["tiny"]
    assert (sum(model.first_byte.counts), sum(model.first_byte_streamed.counts)) == (1, 0)


def test_request_without_a_model_has_an_empty_name() -> None:
    """Its chunks and times do not count for a model."""
    metrics = counted(REFUSED)
    assert metrics.requests == {RequestLabels(CHAT, "POST", "", "404"): 1}
    assert metrics.errors == {("", "model_not_found"): 1}
    model = metrics.models[""]
    assert (model.chunks, sum(model.waited.counts), sum(model.first_byte.counts)) == (0, 0, 0)


def test_failure_is_no_time_to_first_token() -> None:
    """A fast error does not count as first byte; its wait for the model counts."""
    failed = replace(ANSWER, status=502, is_streamed=False, error_code="upstream_error")
    metrics = counted(failed)
    model = metrics.models["tiny"]
    assert (sum(model.waited.counts), sum(model.first_byte.counts)) == (1, 0)
    assert metrics.errors == {("tiny", "upstream_error"): 1}


def test_response_without_numbers_adds_none() -> None:
    """Responses without usage or body count; a response that did not start has no status."""
    bare = replace(ANSWER, status=None, first_byte_s=None, prompt_tokens=None, completion_tokens=None)
    metrics = counted(bare)
    model = metrics.models["tiny"]
    assert metrics.requests == {RequestLabels(CHAT, "POST", "tiny", ""): 1}
    assert (model.prompt_tokens, model.completion_tokens) == (0, 0)
    assert sum(model.first_byte_streamed.counts) == 0


def test_cached_tokens_are_counted_by_model_and_key() -> None:
    """They are a part of the prompt tokens; responses that do not report them add none."""
    cached = replace(ANSWER, cached_tokens=24)
    metrics = counted(cached, ANSWER, replace(cached, key_name="alice"))
    assert {key: tokens.cached for key, tokens in metrics.models["tiny"].tokens.items()} == {
        "": 24,
        "alice": 24,
    }


def test_generation_speed_is_counted_where_it_is_known() -> None:
    """A bucket includes its bound; speeds have other buckets than durations."""
    model = counted(*(replace(ANSWER, tokens_per_s=speed) for speed in (20.0, 20.1, None))).models["tiny"]
    assert model.speed.sum == 40.1
    assert {bound: n for bound, n in zip(BOUNDS_TOKENS_PER_S, model.speed.counts, strict=False) if n} == {
        20.0: 1,
        30.0: 1,
    }


def test_failures_are_counted_by_key() -> None:
    """By key and code, whatever the model; a request without a key counts for none."""
    limited = replace(REFUSED, status=429, error_code="rate_limit_exceeded", key_name="alice")
    metrics = counted(limited, replace(limited, model="tiny"), replace(REFUSED, key_name="jobs"), REFUSED)
    assert metrics.key_errors == {("alice", "rate_limit_exceeded"): 2, ("jobs", "model_not_found"): 1}
    assert metrics.keys == {"alice", "jobs"}
    assert sum(metrics.errors.values()) == 4


def test_refusals_of_the_http_server_are_counted_by_status() -> None:
    """Refusals are not requests and count by status only."""
    metrics = counted()
    for status in (400, 431, 400):
        metrics.record_refusal(status)
    assert metrics.refusals == {400: 2, 431: 1}
    assert metrics.requests == {}


@pytest.mark.parametrize(
    ("path", "route"),
    [
        *((path, path) for path in ROUTES),
        ("/v1/models/tiny", MODEL_ROUTE),
        ("/v1/models/a/b%20c", MODEL_ROUTE),
        ("/v1/models/", "other"),
        ("/v1/models/{id}", MODEL_ROUTE),
        ("/gglib/models/tiny", "/gglib/models/{name}"),
        ("/gglib/models/a/b", "/gglib/models/{name}"),
        ("/gglib/hub/models", "/gglib/hub/models"),
        ("/gglib/models/s%65arch", "/gglib/models/{name}"),
        ("/gglib/hub/models/a/b", "/gglib/hub/models/{owner}/{repository}"),
        ("/gglib/hub/models/a/b/c", "other"),
        ("/gglib/downloads/x", "/gglib/downloads/{id}"),
        ("/gglib/downloads/x/events", "/gglib/downloads/{id}/events"),
        ("/gglib/downloads/x/events/y", "other"),
        ("/gglib/downloads/", "other"),
        ("/v1/modelsx", "other"),
        ("//v1/models", "other"),
        ("/HEALTH", "other"),
        ("*", "other"),
        ("other", "other"),
        ("", "other"),
    ],
)
def test_path_is_counted_as_its_route(path: str, route: str) -> None:
    """Known paths are their own route, model paths share a template, all others are ``other``."""
    assert route_of(path) == route
    assert [kind.route for kind in counted(replace(REFUSED, path=path)).requests] == [route]


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", "/gglib/models/a/load", "/gglib/models/{name}/load"),
        ("POST", "/gglib/models/a/b/unload", "/gglib/models/{name}/unload"),
        ("POST", "/gglib/models/a/load/pin", "/gglib/models/{name}/pin"),
        ("GET", "/gglib/models/a/load", "/gglib/models/{name}"),
        ("HEAD", "/gglib/models/a/load", "/gglib/models/{name}"),
        ("PATCH", "/gglib/models/a/load", "/gglib/models/{name}"),
        ("POST", "/gglib/models/a", "/gglib/models/{name}"),
        ("GET", "/gglib/models/a/removal", "/gglib/models/{name}/removal"),
        ("PUT", "/gglib/models/a/load", "/gglib/models/{name}/load"),
    ],
)
def test_the_method_chooses_between_templates(method: str, path: str, route: str) -> None:
    """A name may contain ``/load``; only ``POST`` has operations of that name."""
    record = replace(REFUSED, path=path, method=method)
    assert [kind.route for kind in counted(record).requests] == [route]


@pytest.mark.parametrize("method", ["BREW", "get", "other", "X" * 200])
def test_unknown_method_is_counted_as_other(method: str) -> None:
    """Unknown methods count as ``other``."""
    assert [kind.method for kind in counted(replace(REFUSED, method=method)).requests] == ["other"]


def test_unknown_paths_and_methods_take_no_memory() -> None:
    """A thousand unknown paths and methods create one series and no cache entries."""
    metrics = counted(*(replace(REFUSED, path=f"/v1/{n}", method=f"M{n}") for n in range(1000)))
    model_metrics = counted(*(replace(REFUSED, path=f"/v1/models/{n}", method="GET") for n in range(1000)))
    assert metrics.requests == {RequestLabels("other", "other", "", "404"): 1000}
    assert model_metrics.requests == {RequestLabels(MODEL_ROUTE, "GET", "", "404"): 1000}
    for counted_ in (metrics, model_metrics):
        assert len(counted_._cache) == 0
        assert len(counted_.durations) == len(counted_.models) == 1


@pytest.mark.parametrize(("seconds", "place"), [(0.0, 0), (0.005, 0), (0.0051, 1), (600.0, 15), (600.1, 16)])
def test_bucket_bounds_are_inclusive(seconds: float, place: int) -> None:
    """Bounds are inclusive, as ``le`` of Prometheus; values above the last bound count too."""
    times = Histogram()
    times.add(seconds)
    assert [n for n, count in enumerate(times.counts) if count] == [place]


def records() -> st.SearchStrategy[RequestRecord]:
    """Return requests with all kinds of labels, many of them equal."""
    return st.builds(
        replace,
        st.sampled_from([ANSWER, REFUSED]),
        method=st.sampled_from(["GET", "POST", "BREW"]),
        path=st.sampled_from([CHAT, "/health", "/v1/models/a", "/v1/models/b", "/x", "/y"]),
        model=st.sampled_from([None, "tiny", "large"]),
        status=st.sampled_from([None, 200, 404]),
        key_name=st.sampled_from([None, "alice", "jobs"]),
        duration_s=st.sampled_from([0.001, 0.004, 4.0, 4000.0]),
    )


@given(st.lists(records()))
def test_each_request_is_counted_once(requests: list[RequestRecord]) -> None:
    """In any order, each request counts once in one series and in one bucket of its duration."""
    metrics = counted(*requests)
    assert metrics.requests == Counter(
        RequestLabels(
            route_of(record.path, record.method),
            record.method if record.method != "BREW" else "other",
            record.model or "",
            str(record.status or ""),
            record.key_name or "",
        )
        for record in requests
    )
    places = Counter(
        (route_of(r.path, r.method), r.model or "", next((b for b in BOUNDS_S if r.duration_s <= b), None))
        for r in requests
    )
    assert places == {
        (route, model, bound): count
        for (route, model), times in metrics.durations.items()
        for bound, count in zip((*BOUNDS_S, None), times.counts, strict=True)
        if count
    }


def test_the_first_byte_of_a_stream_that_a_client_left_counts() -> None:
    """It was sent with status 200, and the client waited for it."""
    metrics = counted(replace(ANSWER, status=499, sent_status=200, cut="client_left"))
    assert sum(metrics.models["tiny"].first_byte_streamed.counts) == 1
    metrics = counted(replace(ANSWER, status=499, sent_status=502, cut="client_left"))
    assert sum(metrics.models["tiny"].first_byte_streamed.counts) == 0

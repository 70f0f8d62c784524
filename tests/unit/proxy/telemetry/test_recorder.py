"""The recorder processes finished requests in order and in batches."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gglib.core.history.records import RequestRecord
from gglib.core.runtime.status import SwapStatus
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry import programs, recorder
from gglib.proxy.telemetry.outcome import Refusal
from gglib.proxy.telemetry.recorder import FLUSH_THRESHOLD, RequestRecorder, describe_swap, flush_pending
from gglib.proxy.token_usage import Usage, read_usage
from gglib.testing import FakeHistory

from .conftest import Records

if TYPE_CHECKING:
    from gglib.core.nodes import MeasuredResponse

TAIL = b'{"usage":{"completion_tokens":3,"prompt_tokens":54}}'


def a_record(number: int = 1) -> RequestRecord:
    """Return the record of a finished request."""
    return RequestRecord(
        method="POST",
        path="/v1/chat/completions",
        model="tiny",
        status=200,
        request_id=f"req_{number}",
        waited_s=0.01,
        first_byte_s=0.5,
        duration_s=1.2,
        chunks=7,
        is_streamed=True,
        error_code=None,
    )


async def test_metrics_are_up_to_date(records: Records) -> None:
    """``metrics`` processes all pending records at once, including tokens and log lines."""
    seen = RequestRecorder(route_of)
    seen.record(a_record(), TAIL)
    seen.record_refusal(Refusal(431, "too large", "req_9"))
    assert records.batches == []
    metrics = seen.metrics()
    assert metrics.models["tiny"].prompt_tokens == 54
    assert metrics.models["tiny"].completion_tokens == 3
    assert metrics.refusals == {431: 1}
    seen.flush()
    (batch,) = records.batches
    assert [text.rpartition("request_id=")[2] for text in batch] == ["req_1", "req_9"]
    assert "prompt_tokens=54 completion_tokens=3" in batch[0]
    assert seen.metrics().models["tiny"].prompt_tokens == 54  # nothing counts twice


async def test_line_has_the_time_of_the_end(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line has the time of the request's end, not of its processing."""
    seen = RequestRecorder(route_of)
    for ended_s in (1_795_503_871.25, 1_795_503_872.5):
        monkeypatch.setattr(time, "time", lambda ended_s=ended_s: ended_s)
        seen.record(a_record(), TAIL)
    monkeypatch.setattr(time, "time", lambda: 1_795_503_900.0)
    seen.flush()
    assert [text[17:23] for text in records.batches[0]] == ["31.250", "32.500"]


async def test_full_batch_is_processed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full batch is processed at once."""
    looked_at = 0

    def count(tail: bytes, path: str) -> Usage:
        nonlocal looked_at
        looked_at += 1
        return read_usage(tail, path)

    monkeypatch.setattr(recorder, "read_usage", count)
    seen = RequestRecorder(route_of)
    for number in range(FLUSH_THRESHOLD - 1):
        seen.record(a_record(number), TAIL)
    assert looked_at == 0
    seen.record(a_record(), TAIL)
    assert looked_at == FLUSH_THRESHOLD


async def test_failing_record_does_not_affect_others(
    records: Records, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in processing loses only the record that caused it."""

    def fail_for_one(tail: bytes, path: str) -> Usage:
        if tail == b"bad":
            raise ZeroDivisionError
        return read_usage(tail, path)

    monkeypatch.setattr(recorder, "read_usage", fail_for_one)
    seen = RequestRecorder(route_of)
    for number in range(FLUSH_THRESHOLD):
        seen.record(a_record(number), b"bad" if number == 1 else TAIL)
    seen.flush()
    assert [len(batch) for batch in records.batches] == [FLUSH_THRESHOLD - 1]
    assert seen.metrics().models["tiny"].prompt_tokens == 54 * (FLUSH_THRESHOLD - 1)
    assert "req_1: cannot be counted or logged" in caplog.text


async def test_refusals_alone_are_flushed_too(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals start the timer like requests."""
    monkeypatch.setattr(recorder, "FLUSH_INTERVAL_S", 0)
    seen = RequestRecorder(route_of)
    seen.record_refusal(Refusal(400, "no request", "req_9"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [len(batch) for batch in records.batches] == [1]


async def test_pending_records_are_flushed_by_the_timer(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timer flushes pending records; the next request starts it again."""
    monkeypatch.setattr(recorder, "FLUSH_INTERVAL_S", 0)
    seen = RequestRecorder(route_of)
    for count in (1, 2):
        seen.record(a_record(), TAIL)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(records.batches) == count


async def test_pending_lines_precede_a_record_of_the_loop(records: Records) -> None:
    """``flush_pending`` writes them at once, and once."""
    seen = RequestRecorder(route_of)
    seen.record(a_record(), TAIL)
    flush_pending()
    flush_pending()
    assert [len(batch) for batch in records.batches] == [1]


async def test_pending_lines_precede_a_record_of_another_thread(records: Records) -> None:
    """The loop writes them, since only it changes the recorder; the thread waits for it."""
    seen = RequestRecorder(route_of)
    seen.record(a_record(), TAIL)

    def log() -> int:
        flush_pending()
        return len(records.batches)

    assert await asyncio.to_thread(log) == 1


def test_lines_are_written_after_the_loop_has_ended(records: Records) -> None:
    """Nothing else would write them."""

    async def record() -> RequestRecorder:
        seen = RequestRecorder(route_of)
        seen.record(a_record(), TAIL)
        return seen

    kept = asyncio.run(record())
    flush_pending()
    assert [len(batch) for batch in records.batches] == [1]
    assert kept.metrics().models["tiny"].prompt_tokens == 54


async def test_a_thread_does_not_wait_forever_for_a_busy_loop(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then its record precedes the lines."""
    monkeypatch.setattr(recorder, "_OTHER_THREAD_WAIT_S", 0)
    seen = RequestRecorder(route_of)
    seen.record(a_record(), TAIL)
    thread = threading.Thread(target=flush_pending)
    thread.start()
    thread.join()  # blocks the loop
    assert records.batches == []
    await asyncio.sleep(0)
    assert [len(batch) for batch in records.batches] == [1]


async def test_batches_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the time of their end, the route, the speed of a stream, and at most the first 200 characters of a name."""
    monkeypatch.setattr(time, "time", lambda: 1_795_503_871.25)
    history, seen = FakeHistory(), RequestRecorder(route_of)
    with seen.storing(lambda: history, lambda _: None):
        seen.record(replace(a_record(), requested_model="n" * 300, duration_s=2.0), TAIL)
        seen.record(
            replace(a_record(2), path="/v1/models/a%2Fb", method="GET", status=404, waited_s=None), b""
        )
        seen.record(replace(a_record(3), path="/v1/models", method="GET", waited_s=None), TAIL)
        seen.record_refusal(Refusal(431, "too large", "req_9", "head_too_large"))
        assert history.requests == []
    first, second, refused = history.requests
    assert (first.ended_at_s, first.route, first.completion_tokens) == (
        1_795_503_871.25,
        "/v1/chat/completions",
        3,
    )
    assert (first.tokens_per_s, first.requested_model) == (2.0, "n" * 200)
    assert (second.route, second.status) == ("/v1/models/{id}", 404)
    assert (refused.route, refused.status, refused.error) == ("other", 431, "head_too_large")
    seen.record(a_record(), TAIL)
    seen.flush()
    assert len(history.requests) == 3


async def test_only_a_model_reports_usage() -> None:
    """A list of requests, or the usage itself, has the same names."""
    history, seen = FakeHistory(), RequestRecorder(route_of)
    with seen.storing(lambda: history, lambda _: None):
        seen.record(replace(a_record(), waited_s=None), TAIL)
    assert history.requests[0].prompt_tokens is None


async def test_stored_names_of_programs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all requests together."""
    monkeypatch.setattr(programs, "MAX_PROGRAMS_PER_DAY", 1)
    history, seen = FakeHistory(), RequestRecorder(route_of)
    with seen.storing(lambda: history, lambda _: None):
        for program in ("curl", "wget", "curl"):
            seen.record(replace(a_record(), program=program), TAIL)
            seen.flush()
    assert [request.client for request in history.requests] == ["curl", "other", "curl"]


@pytest.mark.parametrize(
    ("waited_s", "model", "expected"),
    [(0.5, "tiny", "old -> tiny"), (None, "tiny", "old -> tiny"), (0.0005, "tiny", None), (0.5, None, None)],
)
async def test_a_swap_belongs_to_the_request_that_waited(
    waited_s: float | None, model: str | None, expected: str | None
) -> None:
    """Only those are looked up: nearly all requests wait for nothing."""
    swap = SwapStatus(from_model="old", to_model="tiny", why="")
    history, seen = FakeHistory(), RequestRecorder(route_of)
    with seen.storing(lambda: history, lambda _: swap):
        seen.record(replace(a_record(), waited_s=waited_s, model=model), b"")
    assert history.requests[0].swap == expected


async def test_reused_tokens_of_own_responses_are_noted() -> None:
    """With the time of their end; not those of nodes and new conversations, nor responses that do not say."""
    noted: list[tuple[str, int, float]] = []
    seen = RequestRecorder(route_of)
    cached = b'{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":5}}}'
    with seen.storing(lambda: None, lambda _: None, lambda *note: noted.append(note)):
        before_s = time.time()
        seen.record(a_record(), cached)
        seen.record(replace(a_record(), node="box"), cached)
        seen.record(replace(a_record(), model=None), cached)
        seen.record(a_record(), TAIL)
        seen.record(replace(a_record(), continues_restored=False), cached)
    assert [(model, tokens) for model, tokens, _ in noted] == [("tiny", 5)]
    assert before_s <= noted[0][2] <= time.time()


def test_a_swap_in_words() -> None:
    """Without a model before it if there was room."""
    assert describe_swap(SwapStatus(from_model=None, to_model="b", why="")) == "-> b"
    assert describe_swap(SwapStatus(from_model="a", to_model="b", why="")) == "a -> b"


async def test_a_history_that_fails_affects_nothing_else(
    records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    """The log and the feed have the requests."""

    class Failing(FakeHistory):
        def record(self, records: Sequence[RequestRecord]) -> None:
            raise ZeroDivisionError(len(records))

    seen = RequestRecorder(route_of)
    with seen.feed.subscribe() as subscription, seen.storing(Failing, lambda _: None):
        seen.record(a_record(), TAIL)
        seen.flush()
        assert len(subscription.take()) == 1
    assert len(records.batches) == 1
    assert "1 requests cannot be stored" in caplog.text


async def test_servers_that_share_a_recorder_store_once() -> None:
    """Also after one of them has ended, and whichever has a history."""
    history, seen = FakeHistory(), RequestRecorder(route_of)
    with seen.storing(lambda: history, lambda _: None):
        with seen.storing(lambda: history, lambda _: None), seen.storing(lambda: None, lambda _: None):
            seen.record(a_record(), TAIL)
        seen.record(a_record(), TAIL)
    assert len(history.requests) == 2


async def test_speeds_are_passed_on_while_they_are_wanted() -> None:
    """Read once for each batch: without nodes nothing is measured."""
    noted: list[MeasuredResponse] = []
    wants = True
    seen = RequestRecorder(route_of)
    tail = b'{"usage":{"completion_tokens":30,"prompt_tokens":54}}'
    with seen.measuring(lambda: noted.append if wants else None):
        seen.record(a_record(), tail)
        seen.record(a_record(), TAIL)  # too short
        seen.record_refusal(Refusal(431, "too large", "req_9"))
        seen.flush()
        assert [(response.model, response.tokens) for response in noted] == [("tiny", 30)]
        wants = False
        seen.record(a_record(), tail)
        seen.flush()
    wants = True
    seen.record(a_record(), tail)
    seen.flush()
    assert len(noted) == 1

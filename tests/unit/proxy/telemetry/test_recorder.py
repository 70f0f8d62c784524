"""The recorder processes finished requests in order and in batches."""

import asyncio
import time

import pytest

from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry import recorder
from gglib.proxy.telemetry.recorder import FLUSH_THRESHOLD, RequestRecorder
from gglib.proxy.telemetry.records import Refusal, RequestRecord
from gglib.proxy.token_usage import Usage, read_usage

from .conftest import Records

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
    assert [text[17:23] for text in records.batches[0]] == ["31,250", "32,500"]


async def test_full_batch_is_processed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full batch is processed at once."""
    looked_at = 0

    def count(tail: bytes) -> Usage:
        nonlocal looked_at
        looked_at += 1
        return read_usage(tail)

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

    def fail_for_one(tail: bytes) -> Usage:
        if tail == b"bad":
            raise ZeroDivisionError
        return read_usage(tail)

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

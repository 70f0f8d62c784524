"""The bodies of one exchange, within their limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.history.recording import NO_RECORDING, RecordingRule
from gglib.core.history.recording_gap import split_at_gap
from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.proxy.routes.operation_spec import Access, Metering
from gglib.proxy.routes.table import OPERATIONS
from gglib.proxy.telemetry import body_capture
from gglib.proxy.telemetry.body_capture import (
    MAX_DOCUMENT_BYTES,
    MAX_REQUEST_BYTES,
    MAX_STREAM_BYTES,
    BodyCapture,
    LongStreams,
    add_bodies,
)

COUNTING = {
    "/v1/responses/input_tokens",
    "/v1/messages/count_tokens",
    "/v1/chat/completions/input_tokens",
    "/tokenize",
    "/detokenize",
    "/apply-template",
    "/api/show",
    "/v1/streams/lookup",
}
"""Paths for clients that have no answer of a model."""


def captured(*parts: bytes, is_stream: bool = False) -> RecordedBodies:
    """Return the bodies of a response with these parts."""
    capture = BodyCapture(LongStreams())
    capture.is_stream = is_stream
    for part in parts:
        capture.add(part)
    return capture.bodies()


def test_short_bodies_are_complete() -> None:
    """As they were received and sent."""
    capture = BodyCapture(LongStreams())
    capture.set_request(b'{"a": 1}', b"application/json")
    capture.add(b"hi th")
    capture.add(b"ere")
    assert capture.bodies() == RecordedBodies(request=b'{"a": 1}', response=b"hi there")
    assert BodyCapture(LongStreams()).bodies() == RecordedBodies(request=b"", response=b"")


def test_a_long_request_keeps_its_beginning() -> None:
    """And says that it is cut."""
    capture = BodyCapture(LongStreams())
    capture.set_request(b"x" * (MAX_REQUEST_BYTES + 1), None)
    bodies = capture.bodies()
    assert (len(bodies.request), bodies.is_request_cut) == (MAX_REQUEST_BYTES, True)


def test_a_form_is_only_counted() -> None:
    """It has a file."""
    capture = BodyCapture(LongStreams())
    capture.set_request(b"--bnd\r\n\x00", b"Multipart/Form-Data; boundary=bnd")
    assert capture.bodies().request == b"[a form of 8 bytes, not recorded]"


@pytest.mark.parametrize(("is_stream", "limit"), [(False, MAX_DOCUMENT_BYTES), (True, MAX_STREAM_BYTES)])
@pytest.mark.parametrize("size", [1000, 100_000, 10_000_000])
def test_a_long_response_keeps_its_beginning_and_its_end(*, is_stream: bool, limit: int, size: int) -> None:
    """With a mark in between, however it is split."""
    whole = b"".join(b"%06d," % number for number in range(limit // 7 + 20_000))
    bodies = captured(
        *(whole[start : start + size] for start in range(0, len(whole), size)), is_stream=is_stream
    )
    before, after, missing_bytes = split_at_gap(bodies.response.decode())
    assert bodies.is_response_cut
    assert len(before) + len(after) == limit
    assert missing_bytes == len(whole) - limit
    assert whole.startswith(before.encode())
    assert whole.endswith(after.encode())
    exact = captured(whole[:limit], is_stream=is_stream)
    assert (exact.response, exact.is_response_cut) == (whole[:limit], False)


@given(st.lists(st.binary(max_size=60), max_size=40))
def test_every_byte_is_kept_or_counted(parts: list[bytes]) -> None:
    """With small limits."""
    whole = b"".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(body_capture, "MAX_DOCUMENT_BYTES", 100)
        patch.setattr(body_capture, "_END_BYTES", 30)
        bodies = captured(*parts)
    gap = bodies.response.find(b"\n\n: gglib left out ")
    assert bodies.is_response_cut is (len(whole) > 100)
    if bodies.is_response_cut:
        assert (bodies.response[:gap], bodies.response[-30:]) == (whole[:70], whole[-30:])
    else:
        assert bodies.response == whole


def test_the_number_of_long_streams_is_limited() -> None:
    """Further ones are kept like documents, until one of the long ones is finished."""
    long_streams, part = LongStreams(), b"x" * MAX_STREAM_BYTES

    def streamed() -> BodyCapture:
        capture = BodyCapture(long_streams)
        capture.is_stream = True
        capture.add(part[:MAX_DOCUMENT_BYTES])
        return capture

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(body_capture, "MAX_LONG_STREAMS", 2)
        first, second, third = streamed(), streamed(), streamed()
        document = BodyCapture(long_streams)
        document.add(part)
        for capture in (first, third, document):
            capture.add(part[:MAX_DOCUMENT_BYTES])
        kept = [
            len(split_at_gap(one.bodies().response.decode())[0]) for one in (first, second, third, document)
        ]
        beginning = MAX_DOCUMENT_BYTES * 3 // 4
        assert kept == [2 * MAX_DOCUMENT_BYTES, MAX_DOCUMENT_BYTES, beginning, beginning]
        third.finish()
        add_bodies(record(), first, NO_RECORDING)
        assert long_streams.count == 1
        assert len(streamed().bodies().response) == MAX_DOCUMENT_BYTES


def record(**fields: object) -> RequestRecord:
    """Return a record."""
    values: dict[str, object] = {"model": "m", "key_name": "alice"} | fields
    return RequestRecord(
        method="POST",
        path="/",
        status=200,
        request_id="r",
        waited_s=None,
        first_byte_s=None,
        duration_s=1.0,
        chunks=1,
        is_streamed=False,
        error_code=None,
        **values,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (NO_RECORDING, False),
        (RecordingRule(True), True),
        (RecordingRule(("key:alice",)), True),
        (RecordingRule(("key:bob",)), False),
        (RecordingRule(("model:m",)), True),
        (RecordingRule(("model:asked",)), True),
        (RecordingRule(("model:other",)), False),
    ],
)
def test_the_rule_at_the_end_decides(*, rule: RecordingRule, expected: bool) -> None:
    """By the key, the model, and the name in the request; also if the recording was switched off meanwhile."""
    capture = BodyCapture(LongStreams())
    capture.add(b"x")
    finished = record(requested_model="asked")
    add_bodies(finished, capture, rule)
    assert (finished.bodies is not None) is expected


def test_each_path_for_clients_is_recorded_or_has_no_answer() -> None:
    """A new path has to be metered by tokens, or be in the list."""
    without_answer = {
        operation.spec.path
        for operation in OPERATIONS
        if operation.spec.method == "POST"
        and operation.spec.access is Access.CLIENT
        and operation.spec.metering not in {Metering.PROMPT, Metering.TOKENS}
    }
    assert without_answer == COUNTING

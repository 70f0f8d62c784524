"""An engine whose cache was full is recognized by what it says, and by nothing else."""

import pytest

from gglib.proxy.overflow import FirstEvent, error_of, first_event, is_overflow

ERROR = b'{"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}'
EVENT = b"data: " + ERROR + b"\n\n"
NONE_YET, UNDECIDED, OVERFLOW, OTHER = FirstEvent


@pytest.mark.parametrize(
    ("begin", "found"),
    [
        (b"", NONE_YET),
        (b":", NONE_YET),
        (b":\n\n", NONE_YET),
        (b"\n\n:\r\n\r\n: Context size has been exceeded", NONE_YET),
        (EVENT, OVERFLOW),
        (EVENT[:80], OVERFLOW),
        (b":\n\n:\n\n" + EVENT, OVERFLOW),
        (b"event: error\ndata: " + ERROR + b"\n\n", OVERFLOW),
        (b"error: " + ERROR + b"\n\n", OVERFLOW),
        (b"d", UNDECIDED),
        (b"data: {", UNDECIDED),
        (EVENT[:40], UNDECIDED),
        (b":\n\nevent: err", UNDECIDED),
        (b'data: {"error":{"message":"no"}}\n\n', OTHER),
        (b'data: {"error":"' + b"x" * 5000, OTHER),
        (b'data: {"choices":[{"delta":{"content":"Context size has been exceeded"}}]}\n\n', OTHER),
        (b"event: message_start\ndata: {}\n\n", OTHER),
        (b"data: [DONE]\n\n", OTHER),
        (b"Context size has been exceeded", OTHER),
        (b'data: {"id":1}\n\n' + EVENT, OTHER),
    ],
)
def test_a_stream_is_judged_by_its_first_event(begin: bytes, found: FirstEvent) -> None:
    """Comments say nothing; an error whose rest is on its way is waited for; what a model says is no error."""
    assert first_event(begin) is found


@pytest.mark.parametrize("cut", range(len(EVENT)))
def test_an_error_in_two_pieces_is_never_taken_for_an_answer(cut: int) -> None:
    """Wherever it is cut, its begin is not passed on."""
    assert first_event(EVENT[:cut]) is not OTHER
    assert first_event(b":\n\n" + EVENT[:cut]) is not OTHER


@pytest.mark.parametrize("before", [b"", b":\n\n"])
@pytest.mark.parametrize("start", [b"data: ", b"event: error\ndata: ", b"event: error\r\ndata: "])
def test_the_error_is_taken_out_of_its_event(before: bytes, start: bytes) -> None:
    """It is told in a whole answer, too."""
    assert error_of(before + start + ERROR + b"\r\n\r\n") == ERROR


def test_a_whole_answer_is_recognized_by_its_sentence() -> None:
    """A prompt that is too long alone is another error."""
    assert is_overflow(ERROR)
    assert not is_overflow(
        b'{"error":{"message":"request (9 tokens) exceeds the available context size (4 tokens)"}}'
    )

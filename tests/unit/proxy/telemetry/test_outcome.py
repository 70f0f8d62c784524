"""How requests that fail are recorded."""

import pytest

from gglib.core.errors import (
    CatalogError,
    ModelLoadFailedError,
    ModelNotFoundError,
    ShuttingDownError,
    UpstreamError,
)
from gglib.http.server.request import ClientDisconnectedError, ClientStalledError
from gglib.proxy.errors import BadRequestError, EngineError
from gglib.proxy.telemetry.outcome import MAX_MESSAGE_CHARS, Outcome, outcome_of, recorded_message

WAITING, MID_STREAM, COMPLETE = (False, False), (True, False), (True, True)


def outcome(error: Exception, state: tuple[bool, bool], *, is_disconnected: bool = False) -> Outcome:
    """Return the outcome for a response in this state."""
    return outcome_of(error, is_started=state[0], is_ended=state[1], is_disconnected=is_disconnected)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (WAITING, Outcome(has_left=True)),
        (MID_STREAM, Outcome(cut="client_left", has_left=True)),
        (COMPLETE, Outcome()),
    ],
    ids=["waiting", "mid-stream", "complete"],
)
@pytest.mark.parametrize("error", [ClientDisconnectedError(), UpstreamError("closed"), ShuttingDownError()])
def test_a_client_that_left_is_no_error_whatever_its_request_ended_with(
    error: Exception, state: tuple[bool, bool], expected: Outcome
) -> None:
    """What fails because a client has left is no failure of an engine; a complete response is a success."""
    assert outcome(error, state, is_disconnected=True) == expected


def test_a_bug_is_counted_even_if_the_client_has_left() -> None:
    """It would fail for the next client, too."""
    assert outcome(ZeroDivisionError(), MID_STREAM, is_disconnected=True) == Outcome(
        "internal_error", "client_left", has_left=True
    )


def test_a_client_that_stalled_was_disconnected_by_the_server() -> None:
    """So the response keeps its status; the reason says who ended it."""
    stalled = ClientStalledError()
    assert outcome(stalled, MID_STREAM, is_disconnected=True) == Outcome("client_stalled", "client_stalled")
    assert outcome(stalled, WAITING, is_disconnected=True) == Outcome("client_stalled", has_left=True)


def test_an_error_is_recorded_with_its_code() -> None:
    """A response that has begun is cut by it."""
    assert outcome(ModelNotFoundError("x"), WAITING) == Outcome("model_not_found")
    assert outcome(ShuttingDownError(), MID_STREAM) == Outcome("shutting_down", "shutting_down")


def test_an_unclassified_error_of_an_engine_is_recorded_by_its_status_alone() -> None:
    """Unless the response has begun."""
    error = EngineError.__new__(EngineError)
    assert outcome(error, WAITING) == Outcome()
    assert outcome(error, MID_STREAM) == Outcome(EngineError.code, EngineError.code)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModelLoadFailedError("tiny", "no memory"), "no memory"),
        (CatalogError("gglib.db is locked"), "gglib.db is locked"),
        (UpstreamError("The engine closed the connection."), "The engine closed the connection."),
        (BadRequestError("'my prompt' is no number"), None),
        (EngineError("'my prompt' is too long", status=400, type_="x"), None),
        (ValueError("my prompt"), None),
    ],
)
def test_only_messages_for_the_operator_are_recorded(error: Exception, message: str | None) -> None:
    """Those of clients and engines may quote a prompt."""
    recorded = recorded_message(error)
    assert recorded is None if message is None else message in (recorded or "")


def test_a_recorded_message_is_short() -> None:
    """An engine's reason may be of any length."""
    assert len(recorded_message(CatalogError("x" * 9000)) or "") == MAX_MESSAGE_CHARS

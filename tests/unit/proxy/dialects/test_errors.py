"""The error format of each dialect."""

import json

import pytest

from gglib.core import errors
from gglib.proxy.dialects.base import ErrorDialect
from gglib.proxy.dialects.errors import (
    ANTHROPIC,
    OPENAI,
    RESPONSES,
    anthropic_error_type,
    dialect_for,
    dialect_of,
)
from gglib.proxy.dialects.ollama.errors import OLLAMA
from gglib.proxy.errors import BadRequestError, ContextLengthExceededError, to_error_response

PROBLEM = to_error_response(BadRequestError("no", "stream"))
OVERFLOW = to_error_response(
    ContextLengthExceededError(
        "request (9 tokens) exceeds it: help.", details={"n_prompt_tokens": 9, "n_ctx": 8}, hint=": help."
    )
)
OPENAI_BODY = (
    b'{"error":{"message":"no","type":"invalid_request_error","param":"stream","code":"invalid_request"}}'
)


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/chat/completions", OPENAI),
        ("/v1/completions", OPENAI),
        ("/v1/messages", ANTHROPIC),
        ("/v1/messages/", ANTHROPIC),
        ("/v1/messages/count_tokens", ANTHROPIC),
        ("/v1/messages/unknown", ANTHROPIC),
        ("//v1/messages", ANTHROPIC),
        ("/v1/v1/messages", ANTHROPIC),
        ("/messages", ANTHROPIC),
        ("/v1/responses", RESPONSES),
        ("/v1/responses/resp_1/cancel", RESPONSES),
        ("/responses", RESPONSES),
        ("/v1/models/messages", OPENAI),
        ("/api/chat", OLLAMA),
        ("/api/messages", OLLAMA),
        ("/api", OLLAMA),
        ("//api//tags", OLLAMA),
        ("/api/v0/models", OPENAI),
        ("/api/v1/models", OPENAI),
        ("/apis/chat", OPENAI),
        ("/v1/messagesx", OPENAI),
        ("/", OPENAI),
        ("", OPENAI),
        ("*", OPENAI),
    ],
)
def test_dialect_follows_from_the_path(path: str, dialect: ErrorDialect) -> None:
    """A client with a typo in the rest of the path still gets its own format."""
    assert dialect_of(path) is dialect


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/models", ANTHROPIC),
        ("/v1/models/a", ANTHROPIC),
        ("/v1/messages", ANTHROPIC),
        ("/v1/files", ANTHROPIC),
        ("/", ANTHROPIC),
        ("/v1/responses", RESPONSES),
        ("/gglib/models", OPENAI),
    ],
)
def test_anthropics_clients_are_known_by_a_header(path: str, dialect: ErrorDialect) -> None:
    """It decides where the path is not that of another dialect, or gglib's own."""
    assert dialect_for(path, {b"anthropic-version": b"2023-06-01"}) is dialect
    assert dialect_for(path, {}) is dialect_of(path)


@pytest.mark.parametrize("dialect", [OPENAI, RESPONSES])
def test_openai_error_is_one_object_on_every_route(dialect: ErrorDialect) -> None:
    """``error`` has message, type, param and code."""
    assert dialect.body(PROBLEM, "r-1") == OPENAI_BODY


def test_chat_stream_ends_with_an_unnamed_event() -> None:
    """OpenAI's client raises at data with an ``error``."""
    assert OPENAI.events(PROBLEM, "r-1", b"") == b"data: " + OPENAI_BODY + b"\n\n"


def test_anthropic_error_has_its_type_at_the_root_and_the_request_id() -> None:
    """The same object is the body and the data of the event ``error``."""
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"no"},"request_id":"r-1"}'
    assert ANTHROPIC.body(PROBLEM, "r-1") == body
    assert ANTHROPIC.events(PROBLEM, "r-1", b"") == b"event: error\ndata: " + body + b"\n\n"


@pytest.mark.parametrize(
    ("status", "type_"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (408, "invalid_request_error"),
        (413, "request_too_large"),
        (415, "invalid_request_error"),
        (429, "rate_limit_error"),
        (431, "invalid_request_error"),
        (500, "api_error"),
        (501, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_anthropic_type_of_each_status(status: int, type_: str) -> None:
    """Anthropic's clients decide by the type whether to retry."""
    assert anthropic_error_type(status) == type_


def test_responses_stream_ends_with_error_and_failed() -> None:
    """The specification's event, with the object that OpenAI's client raises at, and the event that Codex reads."""
    first, second, rest = RESPONSES.events(OVERFLOW, "r-1", b"").split(b"\n\n")
    assert rest == b""
    message = "request (9 tokens) exceeds it: help."
    assert first.startswith(b"event: error\ndata: ")
    assert json.loads(first.partition(b"data: ")[2]) == {
        "type": "error",
        "sequence_number": 0,
        "code": "context_length_exceeded",
        "message": message,
        "param": None,
        "error": {
            "message": message,
            "type": "exceed_context_size_error",
            "param": None,
            "code": "context_length_exceeded",
            "n_prompt_tokens": 9,
            "n_ctx": 8,
        },
    }
    assert second.startswith(b"event: response.failed\ndata: ")
    assert json.loads(second.partition(b"data: ")[2]) == {
        "type": "response.failed",
        "sequence_number": 1,
        "response": {
            "id": "resp_r-1",
            "object": "response",
            "status": "failed",
            "error": {"code": "context_length_exceeded", "message": message},
            "output": [],
        },
    }


def test_sequence_numbers_continue_those_of_the_stream() -> None:
    """If the engine numbers its events, the error events have the next two numbers."""
    tail = b'data: {"type":"a","sequence_number":7}\n\ndata: {"type":"b","sequence_number": 8,"x":1}\n\n'
    events = RESPONSES.events(PROBLEM, "r", tail)
    assert events.count(b'"sequence_number":9,') == events.count(b'"sequence_number":10,') == 1


def test_overflow_has_the_phrase_that_anthropic_clients_match() -> None:
    """The numbers stay, in the message and as fields; if one is missing the phrase still begins the message."""
    error = json.loads(ANTHROPIC.body(OVERFLOW, "r"))["error"]
    assert error == {
        "type": "invalid_request_error",
        "message": "prompt is too long: 9 tokens > 8 maximum: help.",
        "n_prompt_tokens": 9,
        "n_ctx": 8,
    }
    full = to_error_response(
        ContextLengthExceededError("Context size has been exceeded.", details={"n_ctx": 8})
    )
    error = json.loads(ANTHROPIC.body(full, "r"))["error"]
    assert error["message"] == "prompt is too long: Context size has been exceeded."
    assert error["n_ctx"] == 8


def test_failed_load_keeps_its_log_in_every_dialect() -> None:
    """The last lines of the engine's log are in the message, in every format."""
    error_response = to_error_response(errors.ModelLoadFailedError("tiny", "bad magic", ("line 1", "line 2")))
    for dialect in (OPENAI, RESPONSES, ANTHROPIC):
        for text in (dialect.body(error_response, "r"), dialect.events(error_response, "r", b"")):
            assert b"line 1\\nline 2" in text
            assert b"[DONE]" not in text


def test_an_event_that_broke_off_is_ended_before_the_error() -> None:
    """Otherwise the error would be part of it."""
    error_response = to_error_response(BadRequestError("no"))
    events = OPENAI.events(error_response, "r-1", b"")
    assert OPENAI.stream_end(error_response, "r-1", b"data: {}\n\n") == events
    assert OPENAI.stream_end(error_response, "r-1", b'data: {"a') == b"\n\n" + events

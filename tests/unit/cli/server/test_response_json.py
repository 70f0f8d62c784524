"""The JSON of a server: parsed, checked against the types of the API, and refused with one sentence."""

import json
from typing import Any, get_args

import pytest

from gglib.cli.server.response_json import (
    ResponseName,
    parse_event,
    parse_response,
    stream_error,
)
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError, UpstreamError
from gglib.http.sse import SseEvent
from gglib.proxy.routes import responses

BOX = Endpoint("http://box:8080", None, is_remote=True)
LOCAL = Endpoint("http://127.0.0.1:8080")
WHAT = "GET /gglib/x"


def parsed(content: object, expected: ResponseName | None = None, server: Endpoint = BOX) -> Any:
    """Parse JSON as a response."""
    return parse_response(server, WHAT, json.dumps(content).encode(), expected)


def test_every_expected_type_exists() -> None:
    """The names are those of the response types."""
    assert set(get_args(ResponseName)) <= set(responses.__all__)


def test_unknown_fields_and_missing_ones_are_accepted() -> None:
    """The server may be newer or older; a missing field is an error only where it is read."""
    response = parsed({"models": [{"id": 1, "new": [1.5]}], "later": None}, "Models")
    (model,) = response["models"]
    assert (model["id"], model["new"], model.get("name", "none")) == (1, [1.5], "none")
    with pytest.raises(UpstreamError, match=r"http://box:8080 .* GET /gglib/x .*has no 'name'"):
        _ = model["name"]


@pytest.mark.parametrize(
    ("content", "expected", "problem"),
    [
        (None, "Models", "got `null`"),
        ([], "Models", "got `array`"),
        ({"models": {}}, "Models", r"\$.models"),
        ({"models": [{"id": "1"}]}, "Models", r"\$.models\[0\].id"),
        ({"models": [{"source": {"repo": 5}}]}, "Models", r"source.repo"),
        ({"limits": {"ram": "1"}}, "Status", r"limits"),
        ({"state": "lost"}, "Download", "lost"),
    ],
)
def test_a_wrong_type_is_refused(content: object, expected: ResponseName, problem: str) -> None:
    """The sentence has the address and the place; gglib's own server is not checked, which saves time."""
    with pytest.raises(UpstreamError, match=problem) as caught:
        parsed(content, expected)
    assert str(caught.value).startswith("http://box:8080 sent a response to GET /gglib/x")
    assert parsed(content, expected, LOCAL) == content
    assert parsed(content) == content


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"a": ',
        b"\xff",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 10000000000000000000}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xed\xa0\x80"}',
        '{"a": "\\ud800"}'.encode("utf-16"),
        b"[" * 100_000,
    ],
)
def test_what_is_not_usable_json_is_a_value_error(body: bytes) -> None:
    """Also numbers that cannot be formatted, and text that cannot be encoded."""
    with pytest.raises(ValueError, match=r"."):
        parse_response(LOCAL, WHAT, body)


def test_pairs_of_surrogates_are_text() -> None:
    """JSON may write any character as a pair of escapes."""
    assert parsed({"a": "😀"}) == {"a": "😀"}


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (SseEvent("ready", b"x"), "not JSON"),
        (SseEvent("later", b"[]"), "not an object"),
        (SseEvent("ready", b'{"load_s": "x"}'), "load_s"),
        (SseEvent("snapshot", b'{"residents": 5}'), "residents"),
        (SseEvent("message", b'{"done_bytes": "x"}'), "done_bytes"),
    ],
)
def test_a_malformed_event_is_refused(event: SseEvent, problem: str) -> None:
    """Its type follows from its name; an event without a name has the given one."""
    with pytest.raises(UpstreamError, match=problem):
        parse_event(BOX, WHAT, event, "Download")


def test_events_are_objects() -> None:
    """Of a known name or of a later version; those of gglib's own server are not checked."""
    assert parse_event(BOX, WHAT, SseEvent("ready", b'{"load_s": 1.5}')) == {"load_s": 1.5}
    assert parse_event(BOX, WHAT, SseEvent("later", b'{"x": 1}')) == {"x": 1}
    assert parse_event(BOX, WHAT, SseEvent("message", b'{"error": 1}')) == {"error": 1}
    assert parse_event(LOCAL, WHAT, SseEvent("ready", b'{"load_s": "x"}')) == {"load_s": "x"}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b'{"error": {"message": "a\\nb", "code": "c"}}', "a"),
        (b'{"error": {"message": " "}}', "neither a name nor an error"),
        (b"{}", "neither a name nor an error"),
    ],
)
def test_the_error_of_a_stream_is_its_first_line(data: bytes, sentence: str) -> None:
    """Without a message the address is named."""
    error = stream_error(BOX, WHAT, SseEvent("message", data))
    assert isinstance(error, GglibError)
    assert sentence in str(error)

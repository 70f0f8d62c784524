"""The formats of a scripted server: each stream has the text, its events are whole, and it ends as the API ends."""

import json
from typing import Any

import pytest

from gglib.testing.scripted_server.formats import FORMATS

PIECES = ("one ", 'tw"o\n', "é")


def stream_of(path: str, *, has_usage: bool = False) -> bytes:
    """Return a whole stream."""
    text_format = FORMATS[path]("m")
    pieces = [text_format.piece(piece) for piece in PIECES]
    return b"".join([*text_format.opening(), *pieces, *text_format.closing(3, has_usage=has_usage)])


def events_of(stream: bytes) -> list[tuple[str, Any]]:
    """Return the name and the data of each event; ``[DONE]`` as text."""
    events: list[tuple[str, Any]] = []
    for block in stream.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        data = fields["data"]
        events.append((fields.get("event", ""), data if data == "[DONE]" else json.loads(data)))
    return events


@pytest.mark.parametrize("path", FORMATS)
def test_whole_response_has_the_text_and_the_usage(path: str) -> None:
    """Wherever the API has it."""
    whole = FORMATS[path]("m").whole("".join(PIECES), 3)
    value = json.loads(whole)
    assert value["model"] == "m"
    assert 3 in value["usage"].values()
    assert json.dumps("".join(PIECES)) in json.dumps(value)


@pytest.mark.parametrize("path", FORMATS)
def test_no_event_is_split_or_joined(path: str) -> None:
    """A scripted death between two pieces is a death between two events."""
    text_format = FORMATS[path]("m")
    assert text_format.piece("x").count(b"\n\n") == 1
    for part in (*text_format.opening(), text_format.piece("x"), *text_format.closing(1, has_usage=True)):
        assert part.endswith(b"\n\n")


def test_messages_begin_and_end_as_anthropics() -> None:
    """Every event repeats its type as its name."""
    events = events_of(stream_of("/v1/messages"))
    assert all(name == data["type"] for name, data in events)
    assert [name for name, _ in events] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert tuple(data["delta"]["text"] for _, data in events[2:5]) == PIECES
    assert events[-2][1]["usage"] == {"output_tokens": 3}


@pytest.mark.parametrize("path", ["/v1/responses", "/responses"])
def test_responses_begin_and_end_as_llama_servers(path: str) -> None:
    """The whole text is in the events that end it."""
    events = events_of(stream_of(path))
    assert events[0][0] == "response.created"
    deltas = [data["delta"] for name, data in events if name == "response.output_text.delta"]
    assert tuple(deltas) == PIECES
    by_name = dict(events)
    assert by_name["response.output_text.done"]["text"] == "".join(PIECES)
    completed = by_name["response.completed"]["response"]
    assert completed["output"][0]["content"][0]["text"] == "".join(PIECES)
    assert completed["usage"]["output_tokens"] == 3
    assert events[-1][0] == "response.completed"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_completions_end_with_done_and_have_usage_on_request(path: str) -> None:
    """Only OpenAI's older APIs have this end."""
    without, with_usage = (events_of(stream_of(path, has_usage=has)) for has in (False, True))
    assert without[-1] == with_usage[-1] == ("", "[DONE]")
    assert len(with_usage) == len(without) + 1
    assert with_usage[-2][1]["usage"]["completion_tokens"] == 3

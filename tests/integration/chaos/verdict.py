"""Judges whether a response is one of the accepted outcomes. Pure: bytes, no sockets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

STATUS_OF_CODE = {
    "model_load_failed": 500,
    "upstream_error": 502,
    "node_lost": 502,
    "no_node": 503,
    "model_loading": 503,
    "queue_full": 503,
    "shutting_down": 503,
}
ERROR_FIELDS = ["message", "type", "param", "code"]
DONE = b"data: [DONE]"


class Question(Protocol):
    """A request and its expected response."""

    @property
    def model(self) -> str:
        """The requested model."""
        ...

    @property
    def is_stream(self) -> bool:
        """Whether the response is streamed."""
        ...

    @property
    def leave_after_s(self) -> float | None:
        """When the client disconnects; None: never."""
        ...

    @property
    def finish_reason(self) -> str:
        """The ``finish_reason`` of a complete response."""
        ...

    def body(self) -> bytes:
        """Return the body of the request."""
        ...

    def fault_in(self, text: str, *, is_all: bool) -> str:
        """Return what is wrong with the received text, a prefix of the response or all of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request to a scripted engine.

    Every chunk of its response contains its number, so that responses cannot be mixed up.
    """

    number: int
    model: str
    is_stream: bool = True
    chunks: int = 3
    chunk_interval_s: float = 0.0
    leave_after_s: float | None = None
    script: Mapping[str, object] = field(default_factory=dict)
    """Further instructions for the scripted engine."""

    @property
    def finish_reason(self) -> str:
        """The ``finish_reason`` of a complete response."""
        return "stop"

    def fault_in(self, text: str, *, is_all: bool) -> str:
        """Return what is wrong with the received text, a prefix of the response or all of it."""
        expected = "".join(self.pieces(self.chunks))
        if not expected.startswith(text):
            return "pieces missing, twice, out of order or of another request"
        return "a part of it, and yet a clean end" if is_all and text != expected else ""

    def pieces(self, count: int) -> list[str]:
        """Return the first chunks of the response."""
        return [f"{self.number}:{n} " for n in range(count)]

    def body(self) -> bytes:
        """Return the body of the request."""
        script = {
            "chunks": self.chunks,
            "chunk_interval_s": self.chunk_interval_s,
            "chunk_text": f"{self.number}:{{n}} ",
            **self.script,
        }
        return json.dumps(
            {"model": self.model, "stream": self.is_stream, "messages": [], "x_script": script}
        ).encode()


@dataclass(slots=True)
class Heard:
    """The received response."""

    status: int = 0
    """0: no head was received."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    is_whole: bool = False
    """Whether the framing is complete."""
    has_left: bool = False
    is_late: bool = False
    duration_s: float = 0.0
    asked_at_s: float = 0.0
    """In monotonic time, like the next two."""
    began_at_s: float | None = None
    """When the head was received; None: never."""
    ended_at_s: float = 0.0


class Kind(Enum):
    """How a request ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """An HTTP error."""
    CUT = "cut"
    """A started stream that ended with an error event."""
    LEFT = "left"
    WRONG = "wrong"
    """None of these: a bug in gglib."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, with the error code or the complaint."""

    kind: Kind
    code: str = ""
    complaint: str = ""


class _WrongError(Exception):
    pass


def judge(ask: Question, heard: Heard, codes: frozenset[str]) -> Verdict:
    """Return how the request ended. An error must be one of ``codes``, sent once and in the API's format."""
    if heard.has_left:
        return Verdict(Kind.LEFT)
    try:
        return _judge_end(ask, heard, codes)
    except (_WrongError, ValueError, LookupError, TypeError, AttributeError) as error:
        complaint = f"{ask}: {error!r}: {heard.status} {heard.headers} ...{bytes(heard.body[-600:])!r}"
        return Verdict(Kind.WRONG, complaint=complaint)


def _judge_end(ask: Question, heard: Heard, codes: frozenset[str]) -> Verdict:
    _demand(not heard.is_late, "it did not end in time")
    _demand(heard.status != 0, "nothing was said at all")
    _demand(heard.is_whole, "the framing broke off")
    if heard.status != 200:
        _demand(heard.headers["content-type"] == "application/json", "an error that is no JSON")
        code = _error_code(json.loads(heard.body), codes)
        _demand(heard.status == STATUS_OF_CODE[code], "a status that does not go with the code")
        if code == "model_load_failed":
            is_hopeless = heard.headers.get("x-should-retry") == "false"
            _demand(is_hopeless or "retry-after" in heard.headers, "not a word on when to try again")
        return Verdict(Kind.REFUSED, code)
    if ask.is_stream:
        return _judge_stream(ask, heard, codes)
    content = json.loads(heard.body)
    _demand(content["model"] == ask.model, "another model's answer")
    text = content["choices"][0]["message"]["content"]
    _demand_text(ask, text, is_all=True)
    return Verdict(Kind.ANSWERED)


def _judge_stream(ask: Question, heard: Heard, codes: frozenset[str]) -> Verdict:
    _demand(heard.headers["content-type"].startswith("text/event-stream"), "a stream that says it is none")
    *events, rest = bytes(heard.body).split(b"\n\n")
    _demand(rest == b"", "the last event is not finished")
    events = [event for event in events if not event.startswith(b":")]
    last = events.pop()
    if last == DONE:
        _demand_text(ask, _text(ask, events), is_all=True)
        reason = _content(events[-1])["choices"][0]["finish_reason"]
        _demand(reason == ask.finish_reason, f"the reason of its end is {reason!r}")
        return Verdict(Kind.ANSWERED)
    _demand(b'"error"' in last, "a clean end without [DONE]")
    code = _error_code(_content(last), codes)
    if events and not _is_json(events[-1]):
        events.pop()  # the engine died in the middle of this event
    _demand_text(ask, _text(ask, events), is_all=False)
    return Verdict(Kind.CUT, code)


def _text(ask: Question, events: list[bytes]) -> str:
    """Return the received text, which must be the model's."""
    contents = [_content(event) for event in events]
    _demand({content["model"] for content in contents} <= {ask.model}, "chunks of another model")
    return "".join(content["choices"][0]["delta"].get("content") or "" for content in contents)


def _demand_text(ask: Question, text: str, *, is_all: bool) -> None:
    fault = ask.fault_in(text, is_all=is_all)
    _demand(not fault, fault)


def _content(event: bytes) -> dict[str, Any]:
    _demand(event.startswith(b"data: "), f"an event that is not plain data: {event!r}")
    content: dict[str, Any] = json.loads(event[len(b"data: ") :])
    return content


def _is_json(event: bytes) -> bool:
    try:
        json.loads(event.removeprefix(b"data: "))
    except ValueError:
        return False
    return True


def _error_code(content: dict[str, Any], codes: frozenset[str]) -> str:
    _demand(list(content) == ["error"] and list(content["error"]) == ERROR_FIELDS, "another shape of error")
    code = content["error"]["code"]
    _demand(isinstance(code, str) and code in codes, f"the code {code!r}")
    return str(code)


def _demand(condition: bool, complaint: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise _WrongError(complaint)

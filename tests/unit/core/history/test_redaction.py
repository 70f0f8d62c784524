"""The form in which bodies are stored: no secret, wherever it is and however a stream is split."""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.history.body_texts import BodyTexts, body_texts
from gglib.core.history.recording_gap import gap_mark
from gglib.core.history.records import RecordedBodies
from gglib.core.history.redaction import MAX_BYTES, BodyRedactor

R = "A1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5r6"
OWN_KEY = "our-own.key/7"
SECRETS = st.sampled_from(
    [
        f"sk-{R}",
        f"sk-ant-api03-{R}",
        f"hf_{R}",
        f"ghp_{R}",
        f"github_pat_{R}",
        f"glpat-{R}",
        f"xoxb-1234-{R}",
        "AKIAIOSFODNN7EXAMPLE",
        f"AIza{R}abc",
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{R}",
        f"-----BEGIN PRIVATE KEY-----\n{R}\n{R}\n-----END PRIVATE KEY-----",
        OWN_KEY,
    ]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def redact(bodies: RecordedBodies) -> RecordedBodies:
    """Return what is stored."""
    return BodyRedactor((OWN_KEY,)).redact(bodies)


def sse(events: Sequence[object]) -> bytes:
    """Return a stream of events."""
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)


def openai(pieces: Sequence[str]) -> bytes:
    """Return a stream of OpenAI's chats, with token probabilities."""
    probabilities = [{"content": [{"token": piece}]} for piece in pieces]
    return sse(
        [
            {"choices": [{"index": 0, "delta": {"content": piece}, "logprobs": more}]}
            for piece, more in zip(pieces, probabilities, strict=True)
        ]
    )


def arguments(pieces: Sequence[str]) -> bytes:
    """Return a stream of OpenAI's tool calls: JSON in JSON."""
    written = json.dumps({"text": "".join(pieces)})
    size = max(1, len(written) // max(1, len(pieces)))
    parts = [written[start : start + size] for start in range(0, len(written), size)]
    calls = [{"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in parts]
    return sse([{"choices": [{"index": 0, "delta": call}]} for call in calls])


def completions(pieces: Sequence[str]) -> bytes:
    """Return a stream of OpenAI's completions."""
    return sse([{"choices": [{"index": 0, "text": piece}]} for piece in pieces])


def anthropic(pieces: Sequence[str]) -> bytes:
    """Return a stream of Anthropic's messages."""
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return sse([{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas])


def responses(pieces: Sequence[str]) -> bytes:
    """Return a complete stream of the Responses API."""
    events: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", "delta": piece} for piece in pieces
    ]
    content = [{"text": "".join(pieces), "logprobs": [{"token": piece} for piece in pieces]}]
    return sse([*events, {"type": "response.completed", "response": {"output": [{"content": content}]}}])


def unfinished(pieces: Sequence[str]) -> bytes:
    """Return a stream of the Responses API whose client left."""
    return (
        sse([{"type": "response.reasoning_text.delta", "delta": piece} for piece in pieces]) + b'data: {"ty'
    )


def ollama(pieces: Sequence[str]) -> bytes:
    """Return a stream of Ollama's chats."""
    lines = [json.dumps({"message": {"content": piece}, "done": False}).encode() for piece in pieces]
    return b"\n".join(lines) + b"\n"


def generate(pieces: Sequence[str]) -> bytes:
    """Return a stream of Ollama's completions."""
    lines = [json.dumps({"response": piece, "done": False}, ensure_ascii=False).encode() for piece in pieces]
    return b"\n".join(lines)


def llama_cpp(pieces: Sequence[str]) -> bytes:
    """Return a stream in llama.cpp's own format."""
    return sse([{"content": piece, "tokens": [7]} for piece in pieces])


def malformed(pieces: Sequence[str]) -> bytes:
    """Return a stream that no dialect has."""
    return "\n".join(pieces).encode()


def others(pieces: Sequence[str]) -> bytes:
    """Return a stream of a dialect that is not known."""
    return sse([{"piece": piece} for piece in pieces])


def split(text: str, cuts: Sequence[int]) -> list[str]:
    """Return a text in pieces."""
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[begin:end] for begin, end in pairwise(places)]


def assert_absent(secret: str, stored: bytes) -> None:
    """Fail if a secret is in what is stored, as text, with escapes, or in pieces."""
    text = stored.decode()
    kept = [character for character in text if character.isalnum()]
    wanted = "".join(
        character for character in secret.splitlines()[len(secret.splitlines()) // 2] if character.isalnum()
    )
    assert wanted not in "".join(kept)
    assert secret not in text


DIALECTS = [
    openai,
    arguments,
    completions,
    anthropic,
    responses,
    unfinished,
    ollama,
    generate,
    llama_cpp,
    malformed,
    others,
]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.__name__)
@given(before=TEXTS, secret=SECRETS, after=TEXTS, cuts=st.lists(st.integers(0, 500), max_size=40))
def test_no_secret_of_a_stream_is_stored(
    dialect: Callable[[Sequence[str]], bytes], before: str, secret: str, after: str, cuts: list[int]
) -> None:
    """However its tokens are split, in every dialect."""
    stream = dialect(split(f"{before} {secret} {after}", cuts))
    stored = redact(RecordedBodies(request=b"{}", response=stream, is_stream=True)).response
    assert_absent(secret, stored)
    assert b"\0" in stream or json.loads(stored)


@given(
    before=TEXTS,
    secret=SECRETS,
    after=TEXTS,
    escaped=st.booleans(),
    cut=st.integers(0, 10_000),
    is_cut=st.booleans(),
)
def test_no_secret_of_a_document_is_stored(
    *, before: str, secret: str, after: str, escaped: bool, cut: int, is_cut: bool
) -> None:
    """Also of one that is cut anywhere, in a string of JSON, and in JSON in it."""
    content = json.dumps({"x": f"{before} {secret} {after}"}, ensure_ascii=escaped)
    body = json.dumps({"messages": [{"content": f"{before}\n{secret}\n{after}", "more": content}]}).encode()
    if is_cut:
        body = body[: cut % len(body)]
    stored = redact(RecordedBodies(request=body, response=body, is_request_cut=is_cut))
    assert_absent(secret, stored.request)
    assert_absent(secret, stored.response)


@given(secret=SECRETS, place=st.integers(0, 200), missing=st.integers(1, 20), is_stream=st.booleans())
def test_no_part_of_a_secret_around_a_gap_is_stored(
    *, secret: str, place: int, missing: int, is_stream: bool
) -> None:
    """Neither half looks like a secret: the words around the gap are left out."""
    text = f"beginning of it: {secret} and the end"
    begin = place % len(text)
    before, after = text[:begin], text[begin + missing :]
    gap = gap_mark(missing)
    body = (
        openai(list(before)) + gap + openai(list(after))
        if is_stream
        else before.encode() + gap + after.encode()
    )
    stored = redact(
        RecordedBodies(request=b"", response=body, is_response_cut=True, is_stream=is_stream)
    ).response
    assert_absent(secret, stored)
    assert R[:16] not in stored.decode()
    assert R[-16:] not in stored.decode()


@pytest.mark.parametrize("length", range(10, 40))
def test_no_part_of_a_secret_at_the_end_of_a_cut_request_is_stored(length: int) -> None:
    """The rest of it is not there to be recognized."""
    body = f'{{"content": "the key is hf_{R}'.encode()[: 20 + length]
    stored = redact(RecordedBodies(request=body, response=b"", is_request_cut=True)).request
    assert stored == b'{"content": "the key is '[: len(stored)]
    assert len(stored) >= 20


@given(body=st.binary(max_size=200), other=st.binary(max_size=200), is_stream=st.booleans())
def test_any_bytes_can_be_stored(*, body: bytes, other: bytes, is_stream: bool) -> None:
    """The result is UTF-8."""
    stored = redact(RecordedBodies(request=body, response=other, is_stream=is_stream))
    assert stored.request.decode() is not None
    assert stored.response.decode() is not None


def test_what_has_no_secret_is_stored_as_it_is() -> None:
    """Documents with their spaces; bytes that are no UTF-8 as escapes; other encodings not at all."""
    body = '{ "model": "m",\n "messages": [] , "x": "caf\u00e9" }'.encode()
    stored = redact(RecordedBodies(request=body, response=b"\xff caf\xc3\xa9"))
    assert stored == RecordedBodies(request=body, response="\\xff caf\u00e9".encode())
    other = redact(RecordedBodies(request="sk-a".encode("utf-16"), response=b"\0"))
    assert (other.request, other.response) == (
        b"[10 bytes that are not UTF-8]",
        b"[1 bytes that are not UTF-8]",
    )


def test_a_stored_body_has_a_limit() -> None:
    """Of whole characters; what is cut says so."""
    pieces = ["\u00e9" * 1000 + " "] * 200
    stored = redact(RecordedBodies(request=b"{}", response=openai(pieces), is_stream=True))
    assert MAX_BYTES - 2 <= len(stored.response) <= MAX_BYTES
    assert stored.response.decode()
    assert stored.is_response_cut
    assert not stored.is_request_cut


def test_keys_can_be_added_later() -> None:
    """Earlier ones are still removed."""
    redactor = BodyRedactor(("first-key",))
    redactor.add_keys(("second-key",))
    redactor.add_keys(("first-key",))
    stored = redactor.redact(RecordedBodies(request=b"first-key second-key", response=b""))
    assert stored.request == b"[redacted: access key of this server] [redacted: access key of this server]"


def test_the_text_form() -> None:
    """For the API."""
    bodies = RecordedBodies(request="caf\u00e9".encode() + b"\xff", response=b"{}", is_response_cut=True)
    assert body_texts(bodies) == BodyTexts(
        request="caf\u00e9\\xff", response="{}", is_request_cut=False, is_response_cut=True
    )

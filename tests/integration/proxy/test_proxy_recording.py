"""Recorded bodies over sockets: in each dialect, of streams and of whole responses, by key and by model."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.support.waiting import until

from gglib.core.history.body_texts import body_texts
from gglib.core.history.recording import RecordingRule
from gglib.core.history.records import RequestRecord
from gglib.core.history.redaction import BodyRedactor
from gglib.proxy import LiveOptions, ProxyOptions, SharedState
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry.recorder import RequestRecorder

from .support import (
    SSE_HEAD,
    Exchange,
    Proxy,
    ask,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)

SECRET = "sk-A1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5r6"
ANSWER = f"The key is {SECRET}, keep it."
PROMPT = "PROMPT-of-the-user"
KEYS = {"alice": "SECRET-of-alice", "bob": "SECRET-of-bob"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def event(delta: dict[str, Any], finish_reason: str | None = None, **more: object) -> bytes:
    """Return an event of the engine's chat."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    content = {
        "choices": [choice],
        "created": 7,
        "id": "c",
        "model": "tiny",
        "object": "chat.completion.chunk",
        **more,
    }
    return b"data: " + json.dumps(content).encode() + b"\n\n"


TOKENS = [event({"content": ANSWER[start : start + 3]}) for start in range(0, len(ANSWER), 3)]
STREAM = b"".join((*TOKENS, event({}, "stop", usage=USAGE), b"data: [DONE]\n\n"))
WHOLE = {
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}],
    "created": 7,
    "id": "c",
    "model": "tiny",
    "object": "chat.completion",
    "usage": USAGE,
}


async def engine(exchange: Exchange) -> None:
    """Respond to a chat as the engine does."""
    if json.loads(exchange.body).get("stream"):
        parts = [STREAM[start : start + 50] for start in range(0, len(STREAM), 50)]
        await exchange.write(SSE_HEAD + chunked(*parts) + b"0\r\n\r\n")
    else:
        await exchange.write(json_answer(WHOLE))


class Recorder(RequestRecorder):
    """Keeps the records."""

    def __init__(self) -> None:
        super().__init__(route_of)
        self.records: list[RequestRecord] = []

    def record(self, record: RequestRecord, *args: Any, **kwargs: Any) -> None:
        """Keep a record."""
        self.records.append(record)
        super().record(record, *args, **kwargs)


@asynccontextmanager
async def recording(
    setting: bool | tuple[str, ...],  # noqa: FBT001 - the form of the setting
    script: Callable[[Exchange], Any] = engine,
    **options: Any,
) -> AsyncIterator[tuple[Proxy, Recorder, LiveOptions]]:
    """Run a proxy with this setting."""
    live = LiveOptions(ProxyOptions(record_bodies=RecordingRule(setting), **options))
    recorder = Recorder()
    async with (
        engine_running(script) as running,
        proxy_running(runtime_for(running), options=live, shared=SharedState(recorder=recorder)) as proxy,
    ):
        yield proxy, recorder, live


def body_of(path: str, *, is_stream: bool) -> bytes:
    """Return the body of a request in the dialect of a path."""
    messages = [{"role": "user", "content": PROMPT}]
    content = {"input": PROMPT} if path == "/v1/responses" else {"messages": messages, "max_tokens": 9}
    if path == "/api/generate":
        content = {"prompt": PROMPT}
    return json.dumps({"model": "tiny", "stream": is_stream, **content}, indent=1).encode()


PATHS = ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/api/chat", "/api/generate"]


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("path", PATHS)
async def test_the_bodies_are_those_of_the_client(path: str, *, is_stream: bool) -> None:
    """The request byte for byte, the response without framing; stored without the secret in the answer."""
    body = body_of(path, is_stream=is_stream)
    async with recording(setting=True) as (proxy, recorder, _):
        reply = await ask(proxy.port, path=path, body=body)
        await until(lambda: bool(recorder.records))
    (record,) = recorder.records
    assert reply.status == 200
    assert record.bodies is not None
    assert (record.bodies.request, record.bodies.response) == (body, reply.body)
    assert SECRET not in str(body_texts(BodyRedactor().redact(record.bodies)))
    stored = body_texts(BodyRedactor().redact(record.bodies)).response
    assert "The key is [redacted: API key], keep it." in stored
    assert PROMPT in body_texts(BodyRedactor().redact(record.bodies)).request


@pytest.mark.parametrize("path", PATHS)
async def test_a_client_that_leaves_has_received_what_is_recorded(path: str) -> None:
    """The beginning of the stream."""

    async def begin(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(*TOKENS[:4]))
        await exchange.peer_left()

    async with recording(setting=True, script=begin) as (proxy, recorder, _):
        async with await connect(proxy.port) as client:
            await client.send(path=path, body=body_of(path, is_stream=True))
            await client.read_until(b"The")
        await until(lambda: bool(recorder.records))
    (record,) = recorder.records
    assert record.bodies is not None
    assert record.bodies.request == body_of(path, is_stream=True)
    stored = json.loads(body_texts(BodyRedactor().redact(record.bodies)).response)
    assert stored["choices"][0]["text"].startswith("The")
    assert not record.bodies.is_response_cut


@pytest.mark.parametrize(
    ("setting", "recorded"),
    [
        (False, []),
        (("key:alice",), ["alice"]),
        (("key:nobody", "model:other"), []),
        (("key:b*", "model:other"), ["bob"]),
        (("model:TI*",), ["alice", "bob"]),
        (True, ["alice", "bob"]),
    ],
)
async def test_key_and_model_decide(*, setting: bool | tuple[str, ...], recorded: list[str]) -> None:
    """Without recording, no byte of a prompt or an answer is in a record."""
    body = body_of(PATHS[0], is_stream=True)
    async with recording(setting, api_keys=KEYS) as (proxy, recorder, _):
        for key in KEYS.values():
            bearer = (("Authorization", f"Bearer {key}"),)
            assert (await ask(proxy.port, body=body, headers=bearer)).status == 200
        await until(lambda: len(recorder.records) == 2)
    assert [record.key_name for record in recorder.records if record.bodies is not None] == recorded
    for record in recorder.records:
        if record.bodies is None:
            assert PROMPT not in repr(record)
            assert SECRET not in repr(record)
        assert "SECRET-of" not in repr(record)


async def test_the_setting_is_live() -> None:
    """For the next request on an open connection; a request in progress is not recorded if it ends without."""
    body = body_of(PATHS[0], is_stream=False)
    async with recording(setting=False) as (proxy, recorder, live), await connect(proxy.port) as client:
        for setting in (False, True, ("model:other",), ("model:tiny",), False):
            live.replace(replace(live.current, record_bodies=RecordingRule(setting)))
            await client.send(body=body, is_last=False)
            assert (await client.read_reply()).status == 200
        await until(lambda: len(recorder.records) == 5)
    assert [record.bodies is not None for record in recorder.records] == [False, True, False, True, False]


async def test_a_recording_that_is_switched_off_ends_at_once() -> None:
    """Also for a stream that has begun."""

    async def begin(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(TOKENS[0]))
        await exchange.peer_left()

    async with recording(setting=True, script=begin) as (proxy, recorder, live):
        async with await connect(proxy.port) as client:
            await client.send(body=body_of(PATHS[0], is_stream=True))
            await client.read_until(b"The")
            live.replace(replace(live.current, record_bodies=RecordingRule(False)))
        await until(lambda: bool(recorder.records))
    assert recorder.records[0].bodies is None


async def test_errors_are_recorded_and_other_paths_are_not() -> None:
    """A request for a model that does not exist has both bodies; a tokenization has none."""
    wrong = json.dumps({"model": "missing", "messages": [{"role": "user", "content": PROMPT}]}).encode()
    async with recording(setting=True) as (proxy, recorder, _):
        reply = await ask(proxy.port, body=wrong)
        await ask(proxy.port, path="/tokenize", body=b'{"model": "tiny", "content": "x"}')
        await ask(proxy.port, "GET", "/v1/models")
        await until(lambda: len(recorder.records) == 3)
    failed, tokenized, listed = recorder.records
    assert reply.status == 404
    assert failed.bodies is not None
    assert (failed.bodies.request, failed.bodies.response) == (wrong, reply.body)
    assert (tokenized.bodies, listed.bodies) == (None, None)


async def test_long_bodies_are_recorded_in_part() -> None:
    """The client gets and sends them as a whole."""
    long = "word " * 100_000

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer({**WHOLE, "padding": long}))

    body = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": long}]}).encode()
    async with recording(setting=True, script=answer) as (proxy, recorder, _):
        reply = await ask(proxy.port, body=body)
        await until(lambda: bool(recorder.records))
    (record,) = recorder.records
    assert len(reply.body) > 500_000
    assert record.bodies is not None
    assert (record.bodies.is_request_cut, record.bodies.is_response_cut) == (True, True)
    stored = BodyRedactor().redact(record.bodies)
    assert len(stored.request) + len(stored.response) < 600_000
    assert "[... not recorded ...]" in body_texts(stored).response


async def test_a_form_is_counted_only() -> None:
    """Sound is not recorded; the transcription is."""
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\x00\r\n'
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\ntiny\r\n--b--\r\n'
    )

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer({"text": "hello"}))

    async with recording(setting=True, script=answer) as (proxy, recorder, _):
        reply = await ask(
            proxy.port,
            path="/v1/audio/transcriptions",
            body=form,
            headers=(("Content-Type", "multipart/form-data; boundary=b"),),
        )
        await until(lambda: bool(recorder.records))
    assert reply.status == 200
    assert recorder.records[0].bodies is not None
    assert recorder.records[0].bodies.request == b"[a form of %d bytes, not recorded]" % len(form)
    assert json.loads(recorder.records[0].bodies.response) == {"text": "hello"}

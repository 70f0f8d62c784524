"""Transcriptions over sockets: the form reaches the engine of its model as it is."""

import json

import pytest

from gglib.core.models import ModelSummary
from gglib.core.profiles import Profile
from gglib.testing import FakeCatalog, FakeRuntime

from .support import (
    MODEL,
    SSE_HEAD,
    Exchange,
    ask,
    chunked,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)

PATH = "/v1/audio/transcriptions"
TYPE = ("Content-Type", "multipart/form-data; boundary=bnd")
SOUND = b'--bnd\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n%b\r\n'


def form(*fields: tuple[str, str], sound: bytes = b"RIFF\x00\xff", is_model_last: bool = True) -> bytes:
    """Return a form with a sound."""
    parts = [SOUND % sound] if is_model_last else []
    parts += [
        f'--bnd\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields
    ]
    parts += [] if is_model_last else [SOUND % sound]
    return b"".join(parts) + b"--bnd--\r\n"


async def answer(exchange: Exchange) -> None:
    """Respond with a transcription."""
    await exchange.write(json_answer({"text": "hello"}))


@pytest.mark.parametrize("is_model_last", [True, False])
@pytest.mark.parametrize("size_bytes", [10, 2 * 1024 * 1024])
async def test_the_form_is_forwarded_as_it_is(*, is_model_last: bool, size_bytes: int) -> None:
    """With its content type, wherever the model is named."""
    body = form(("model", "tiny"), sound=b"\x00\r" * (size_bytes // 2), is_model_last=is_model_last)
    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=PATH, body=body, headers=(TYPE,))
    assert (reply.status, reply.json()) == (200, {"text": "hello"})
    (seen,) = engine.exchanges
    assert (seen.path, seen.body, seen.values("Content-Type") or seen.values("content-type")) == (
        PATH,
        body,
        [TYPE[1]],
    )


async def test_a_stream_is_relayed() -> None:
    """The engine's events pass."""
    events = b'data: {"type":"transcript.text.delta","delta":"a"}\n\n'

    async def stream(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(events) + b"0\r\n\r\n")

    async with engine_running(stream) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(
            proxy.port, path=PATH, body=form(("model", "tiny"), ("stream", "true")), headers=(TYPE,)
        )
    assert (reply.status, reply.body) == (200, events)


async def test_a_model_without_sound_is_a_400() -> None:
    """The engine's 501 would be sent three times."""

    async def refuse(exchange: Exchange) -> None:
        error = {"code": 501, "message": "The current model does not support audio input.", "type": "x"}
        await exchange.write(json_answer({"error": error}, b"501 Not Implemented"))

    async with engine_running(refuse) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=PATH, body=form(("model", "tiny")), headers=(TYPE,))
    assert (reply.status, reply.error["code"]) == (400, "unsupported_by_model")


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (form(("model", "nope")), (TYPE,), 404, "nope"),
        (form(("model", "tiny"), ("grammar", "(" * 300)), (TYPE,), 400, "grammar"),
        (form(("model", "tiny"), ("max_tokens", "9" * 20)), (TYPE,), 400, "out of range"),
        (form(("model", "tiny"))[:-9], (TYPE,), 400, "no end"),
        (b"{}", (("Content-Type", "application/json"),), 400, "multipart/form-data"),
        (b"{}", (), 400, "multipart/form-data"),
        (form(("model", "tiny")), (TYPE, ("Content-Encoding", "gzip")), 415, "compressed"),
    ],
)
async def test_what_is_refused(
    body: bytes, headers: tuple[tuple[str, str], ...], status: int, words: str
) -> None:
    """Before a model is loaded."""
    runtime = FakeRuntime()
    async with proxy_running(runtime) as proxy:
        reply = await ask(proxy.port, path=PATH, body=body, headers=headers)
    assert (reply.status, runtime.admitted) == (status, [])
    assert words in reply.error["message"]


async def test_a_profile_leaves_the_form_as_it_is() -> None:
    """Its defaults are those of JSON bodies."""
    catalog = FakeCatalog([ModelSummary(id=1, name=MODEL.name)])
    profile = Profile(name="fast", defaults={"temperature": 0})
    await catalog.edit_profile(profile.name, None, lambda _: profile)
    body = form(("model", "tiny:fast"))
    async with (
        engine_running(answer) as engine,
        proxy_running(runtime_for(engine), catalog, profiles=catalog) as proxy,
    ):
        reply = await ask(proxy.port, path=PATH, body=body, headers=(TYPE,))
    assert (reply.status, [seen.body for seen in engine.exchanges]) == (200, [body])
    assert json.loads(reply.body) == {"text": "hello"}

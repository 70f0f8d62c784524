"""Models of commands and of servers elsewhere, over sockets: what their servers get, and what clients see."""

import json
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.certificates import needs_openssl, write_certificate

from gglib.core.backends import CommandBackend, UrlBackend
from gglib.core.models import ModelCapabilities, ModelSummary, RunningTarget
from gglib.http.client.tls import tls_context
from gglib.proxy import ProxyOptions
from gglib.testing import FakeCatalog, FakeRuntime

from .support import (
    CHAT,
    SSE_HEAD,
    Engine,
    Exchange,
    ask,
    chunked,
    engine_running,
    json_answer,
    proxy_running,
)

FORM_TYPE = ("Content-Type", "multipart/form-data; boundary=bnd")
FORM = (
    b'--bnd\r\nContent-Disposition: form-data; name="%b"; filename="a"\r\n\r\n\xff\r\n'
    b'--bnd\r\nContent-Disposition: form-data; name="model"\r\n\r\nbox\r\n--bnd--\r\n'
)


def model(*routes: str) -> ModelSummary:
    """Return a model that is served elsewhere."""
    return ModelSummary(
        id=1,
        name="box",
        aliases=("b",),
        backend=UrlBackend(base_url="http://box", routes=routes),
        capabilities=ModelCapabilities(chat=not routes),
    )


def target_of(engine: Engine, *, prefix: str = "/v1", key: str | None = None) -> RunningTarget:
    """Return the target of a server elsewhere, where the model is called ``there/name``."""
    return replace(
        RunningTarget.local(engine.port, 1, "box", 4096),
        path_prefix=prefix,
        served_name="there/name",
        bearer_key=key,
        is_remote=True,
    )


async def answer(exchange: Exchange) -> None:
    """Respond with JSON."""
    await exchange.write(json_answer({"ok": True}))


def body(name: str = "box") -> bytes:
    """Return a chat."""
    return json.dumps({"messages": [], "model": name, "stream": False}).encode()


async def test_the_server_gets_its_own_name_and_path() -> None:
    """Also where the client names an alias; the key is the server's, and the client's own never arrives."""
    async with engine_running(answer) as engine:
        runtime = FakeRuntime({"box": target_of(engine, prefix="/openai/v1", key="theirs")})
        async with proxy_running(runtime, FakeCatalog([model()])) as proxy:
            reply = await ask(
                proxy.port, path=CHAT, body=body("b"), headers=(("Authorization", "Bearer mine"),)
            )
    assert (reply.status, reply.json()) == (200, {"ok": True})
    (seen,) = engine.exchanges
    assert (seen.path, seen.values("authorization")) == ("/openai/v1/chat/completions", ["Bearer theirs"])
    assert json.loads(seen.body) == {"messages": [], "model": "there/name", "stream": False}


async def test_two_keys_do_not_share_a_connection() -> None:
    """Two models of one server, each with a key: a connection sends the key that it was opened with."""
    first, second = model(), replace(model(), id=2, name="other", aliases=())
    async with engine_running(answer) as engine:
        targets = {
            "box": target_of(engine, key="one"),
            "other": replace(target_of(engine, key="two"), model_id=2, model_name="other"),
        }
        async with proxy_running(FakeRuntime(targets), FakeCatalog([first, second])) as proxy:
            for name in ("box", "other", "box"):
                assert (await ask(proxy.port, path=CHAT, body=body(name))).status == 200
    assert [seen.values("authorization") for seen in engine.exchanges] == [
        ["Bearer one"],
        ["Bearer two"],
        ["Bearer one"],
    ]


async def test_a_path_that_the_server_lacks_is_a_400() -> None:
    """Before the model is asked for: llama.cpp's own paths and Anthropic's are not in OpenAI's dialect."""
    runtime = FakeRuntime()
    async with proxy_running(runtime, FakeCatalog([model()])) as proxy:
        for path in ("/tokenize", "/completion", "/v1/messages", "/v1/images/generations"):
            reply = await ask(proxy.port, path=path, body=b'{"model":"box","max_tokens":1,"messages":[]}')
            assert reply.status == 400
            assert reply.json()["error"]["message"].startswith("Model 'box' serves /v1/chat/completions")
    assert runtime.admitted == []


@pytest.mark.parametrize("path", ["/props", "/slots", "/lora-adapters"])
async def test_routes_that_read_an_engine_are_refused(path: str) -> None:
    """The server and its key are not used for paths that it does not have, nor for those of an engine in memory."""
    async with engine_running(answer) as engine:
        runtime = FakeRuntime({"box": target_of(engine, key="theirs")})
        async with proxy_running(runtime, FakeCatalog([model()])) as proxy:
            reply = await ask(proxy.port, "GET", f"{path}?model=box")
    assert (reply.status, reply.error["code"], engine.exchanges) == (400, "unsupported_by_model", [])


async def test_a_compressing_server_sends_plain_responses() -> None:
    """Gglib reads them, here to translate them to Ollama's dialect; the form that ``curl -d`` declares is JSON."""

    async def compress(exchange: Exchange) -> None:
        is_plain = exchange.values("accept-encoding") == ["identity"]
        is_json = exchange.values("content-type") == ["application/json"]
        content = {"choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}
        await exchange.write(json_answer(content) if is_plain and is_json else json_answer({}, b"415 No"))

    headers = (("Accept-Encoding", "gzip"), ("Content-Type", "application/x-www-form-urlencoded"))
    chat = {"model": "box", "messages": [{"role": "user", "content": "a"}], "stream": False}
    async with engine_running(compress) as engine:
        runtime = FakeRuntime({"box": target_of(engine)})
        async with proxy_running(runtime, FakeCatalog([model()])) as proxy:
            reply = await ask(proxy.port, path="/api/chat", body=json.dumps(chat).encode(), headers=headers)
    assert (reply.status, reply.json()["message"]["content"]) == (200, "hi")


@pytest.mark.parametrize("path", [CHAT, "/api/chat", "/api/embed"])
@pytest.mark.parametrize("status", [b"401 No", b"302 Found"])
async def test_a_refused_key_is_not_the_clients(path: str, status: bytes) -> None:
    """A 401 or a redirect of the server becomes a 502, in each way of relaying, without the server's own words."""
    content = {"error": {"message": "Incorrect API key provided: th***rs"}}

    async def refuse(exchange: Exchange) -> None:
        await exchange.write(
            json_answer(content, status, b"Location: http://elsewhere/\r\nSet-Cookie: a=b\r\n")
        )

    messages = [{"role": "user", "content": "a"}]
    request = {"model": "box", "messages": messages, "input": ["a"], "stream": False}
    both = replace(model(), capabilities=ModelCapabilities(chat=True, embedding=True))
    async with engine_running(refuse) as engine:
        runtime = FakeRuntime({"box": target_of(engine, key="theirs")})
        async with proxy_running(runtime, FakeCatalog([both])) as proxy:
            reply = await ask(proxy.port, path=path, body=json.dumps(request).encode())
    assert reply.status == 502
    assert b"th***rs" not in reply.body
    assert b"The server of model 'box'" in reply.body
    assert not reply.values("location")


async def test_a_load_in_ollamas_way_is_no_exchange() -> None:
    """A request without a prompt loads a model; a server elsewhere gets nothing, and counts as not used."""
    async with engine_running(answer) as engine:
        runtime = FakeRuntime({"box": target_of(engine)})
        async with proxy_running(runtime, FakeCatalog([model()])) as proxy:
            reply = await ask(proxy.port, path="/api/generate", body=b'{"model":"box","stream":false}')
    assert (reply.status, reply.json()["done_reason"]) == (200, "load")
    assert (engine.exchanges, runtime.admitted) == ([], [])


async def test_cookies_of_a_server_stay_there() -> None:
    """They are about its address, not about gglib's."""

    async def set_cookie(exchange: Exchange) -> None:
        extra = (
            b'Set-Cookie: a=b\r\nStrict-Transport-Security: max-age=1\r\nAlt-Svc: h3=":443"\r\nX-Other: 1\r\n'
        )
        await exchange.write(json_answer({}, extra=extra))

    async with engine_running(set_cookie) as engine:
        runtime = FakeRuntime({"box": target_of(engine)})
        async with proxy_running(runtime, FakeCatalog([model()])) as proxy:
            reply = await ask(proxy.port, path=CHAT, body=body())
    names = {name.lower() for name, _ in reply.headers}
    assert "x-other" in names
    assert not names & {"set-cookie", "strict-transport-security", "alt-svc"}


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank", "/v1/reranking"])
async def test_all_spellings_of_reranking_are_one_path(path: str) -> None:
    """The server knows ``/v1/rerank``; clients have the spellings of Cohere and TEI, too."""
    reranker = replace(model(), capabilities=ModelCapabilities(rerank=True))
    async with engine_running(answer) as engine:
        runtime = FakeRuntime({"box": target_of(engine)})
        async with proxy_running(runtime, FakeCatalog([reranker])) as proxy:
            reply = await ask(proxy.port, path=path, body=b'{"model":"box","query":"a","documents":["b"]}')
    assert (reply.status, engine.exchanges[0].path) == (200, "/v1/rerank")


@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/audio/speech"])
async def test_bytes_that_are_no_json_are_relayed(path: str) -> None:
    """Images and sound arrive as the server sends them."""
    sound = bytes(range(256)) * 500

    async def speak(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
        await exchange.write(head + chunked(sound[:1000], sound[1000:]) + b"0\r\n\r\n")

    async with engine_running(speak) as engine:
        runtime = FakeRuntime({"box": target_of(engine)})
        async with proxy_running(runtime, FakeCatalog([model(path)])) as proxy:
            reply = await ask(proxy.port, path=path, body=b'{"model":"box","input":"a"}')
    assert (reply.status, reply.values("Content-Type") or reply.values("content-type")) == (
        200,
        ["audio/mpeg"],
    )
    assert reply.body == sound


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/v1/audio/transcriptions", b"file"),
        ("/v1/audio/translations", b"file"),
        ("/v1/images/edits", b"image[]"),
        ("/v1/images/variations", b"image"),
    ],
)
async def test_a_form_names_the_model_of_the_server(path: str, file: bytes) -> None:
    """Its files are unchanged."""
    form = FORM % file
    async with engine_running(answer) as engine:
        runtime = FakeRuntime({"box": target_of(engine)})
        async with proxy_running(runtime, FakeCatalog([model("/v1/*")])) as proxy:
            reply = await ask(proxy.port, path=path, body=form, headers=(FORM_TYPE,))
    assert reply.status == 200
    assert engine.exchanges[0].body == form.replace(b"\r\n\r\nbox", b"\r\n\r\nthere/name")


async def test_a_llama_cpp_model_has_no_images() -> None:
    """The error says how to add a model that has them."""
    runtime = FakeRuntime()
    async with proxy_running(runtime, FakeCatalog([ModelSummary(id=1, name="tiny")])) as proxy:
        reply = await ask(proxy.port, path="/v1/images/generations", body=b'{"model":"tiny","prompt":"a"}')
    assert (reply.status, reply.error["code"], runtime.admitted) == (400, "unsupported_by_model", [])
    assert "--route /v1/images/generations" in reply.error["message"]


async def test_a_server_that_is_down_is_a_502_at_once() -> None:
    """The sentence names the model and the address; the request is not tried again and again."""
    async with engine_running(answer) as engine:
        target = target_of(engine)
    runtime = FakeRuntime({"box": target})
    async with proxy_running(runtime, FakeCatalog([model()])) as proxy:
        reply = await ask(proxy.port, path=CHAT, body=body())
    assert (reply.status, reply.error["message"]) == (
        502,
        f"The server of model 'box', {target.base_url}, cannot be reached.",
    )
    assert len(runtime.admitted) == 1


@pytest.mark.parametrize("is_stream", [False, True])
async def test_the_next_model_of_a_list_serves_while_the_server_is_down(*, is_stream: bool) -> None:
    """As if it could not be loaded; the headers are those of the model that serves."""
    async with engine_running(answer) as engine:
        down = target_of(engine)
    here = ModelSummary(id=2, name="here")
    options = ProxyOptions(aliases={"best": ("box", "here")})
    async with engine_running(answer) as engine:
        runtime = FakeRuntime({"box": down, "here": RunningTarget.local(engine.port, 2, "here", 512)})
        async with proxy_running(runtime, FakeCatalog([model(), here]), options=options) as proxy:
            chat = json.dumps({"model": "best", "messages": [], "stream": is_stream}).encode()
            reply = await ask(proxy.port, path=CHAT, body=chat)
    assert (reply.status, reply.json(), reply.values("x-gglib-context")) == (200, {"ok": True}, ["512"])


async def test_the_next_model_of_a_list_is_checked_for_the_path() -> None:
    """A server elsewhere does not get llama.cpp's paths because the first model of the list cannot run."""
    options = ProxyOptions(aliases={"best": ("here", "box")})
    catalog = FakeCatalog([ModelSummary(id=2, name="here"), model()])
    async with engine_running(answer) as engine:
        runtime = FakeRuntime({"box": target_of(engine)})  # it knows no 'here'
        async with proxy_running(runtime, catalog, options=options) as proxy:
            reply = await ask(proxy.port, path="/completion", body=b'{"model":"best","prompt":"a"}')
    assert (reply.status, reply.error["code"], engine.exchanges) == (400, "unsupported_by_model", [])


async def test_a_stream_of_another_server_is_relayed() -> None:
    """Its events leave as they are, in order."""
    events = b'data: {"choices":[{"delta":{"content":"a"}}],"model":"there/name"}\n\ndata: [DONE]\n\n'

    async def stream(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(events) + b"0\r\n\r\n")

    async with engine_running(stream) as engine:
        runtime = FakeRuntime({"box": target_of(engine)})
        async with proxy_running(runtime, FakeCatalog([model()])) as proxy:
            reply = await ask(proxy.port, path=CHAT, body=b'{"model":"box","messages":[],"stream":true}')
    assert (reply.status, reply.body) == (200, events)


async def test_a_command_whose_server_knows_the_name_of_the_catalogue() -> None:
    """An alias becomes the name; nothing else changes."""
    command = replace(model(), backend=CommandBackend(argv=("serve", "{port}")))
    async with engine_running(answer) as engine:
        target = replace(RunningTarget.local(engine.port, 1, "box", 4096), served_name="box")
        async with proxy_running(FakeRuntime({"box": target}), FakeCatalog([command])) as proxy:
            assert (await ask(proxy.port, path=CHAT, body=body("b"))).status == 200
    assert engine.exchanges[0].body == body("box")


@needs_openssl
@pytest.mark.parametrize("is_trusted", [True, False])
async def test_https_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_trusted: bool
) -> None:
    """With a certificate that the system trusts it works; else the sentence says what is wrong."""
    public = write_certificate(tmp_path / "own.pem")
    monkeypatch.setenv(
        "SSL_CERT_FILE", str(public if is_trusted else write_certificate(tmp_path / "other.pem"))
    )
    tls_context.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    async with engine_running(answer, tls=context) as engine:
        target = replace(target_of(engine), base_url=f"https://localhost:{engine.port}")
        async with proxy_running(FakeRuntime({"box": target}), FakeCatalog([model()])) as proxy:
            replies = [await ask(proxy.port, path=CHAT, body=body()) for _ in range(2)]
    tls_context.cache_clear()
    if is_trusted:
        assert [reply.status for reply in replies] == [200, 200]
        return
    assert [reply.status for reply in replies] == [502, 502]
    message = replies[0].error["message"]
    assert message.startswith(
        f"The server of model 'box', {target.base_url}, has a certificate that is not trusted"
    )


@needs_openssl
async def test_https_of_an_own_authority(tmp_path: Path) -> None:
    """The file of a backend is trusted instead of the system; without it nothing is sent."""
    public = write_certificate(tmp_path / "own.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    async with engine_running(answer, tls=context) as engine:
        target = replace(target_of(engine), base_url=f"https://localhost:{engine.port}")
        for ca_file, status in ((public, 200), (tmp_path / "missing.pem", 502), (tmp_path / "own.key", 502)):
            (tmp_path / "own.key").write_text("no certificate")
            runtime = FakeRuntime({"box": replace(target, ca_file=str(ca_file))})
            async with proxy_running(runtime, FakeCatalog([model()])) as proxy:
                reply = await ask(proxy.port, path=CHAT, body=body())
            assert reply.status == status
            if status != 200:
                assert f"cannot be verified: {ca_file} " in reply.error["message"]
    assert len(engine.exchanges) == 1

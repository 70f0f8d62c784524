"""Ollama's API over real sockets: models, embeddings, pulls and the management of models."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.ollama import checked
from tests.support.waiting import until

from gglib.core.api_keys import ApiKey
from gglib.core.errors import DiskFullError, GglibError, InvalidGgufError, InvalidSettingError
from gglib.core.models import GgufFacts, ModelCapabilities, ModelSummary
from gglib.core.profiles import Profile
from gglib.proxy import ProxyOptions
from gglib.testing import FakeCatalog, FakeLibrary, FakeRuntime

from .support import (
    Client,
    Engine,
    Exchange,
    Reply,
    ask,
    connect,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)

JSON = ["application/json"]
TINY = ModelSummary(
    id=1,
    name="tiny",
    aliases=("small",),
    architecture="llama",
    trained_context=2048,
    capabilities=ModelCapabilities(chat=True, tools=True),
    paths=(Path("/secret/tiny.gguf"),),
    size_bytes=10,
)
EMBEDDER = replace(TINY, capabilities=ModelCapabilities(embedding=True))
OTHER = ModelSummary(id=2, name="other")
BROWSER = (("Accept", "text/html,application/xhtml+xml"),)


class World:
    """A catalogue of two models with a library and profiles, and its runtime."""

    def __init__(self, engine: Engine | None = None, *, model: ModelSummary = TINY, **options: Any) -> None:
        self.catalog = FakeCatalog([model, OTHER])
        self.library = FakeLibrary(self.catalog)
        self.runtime = FakeRuntime() if engine is None else runtime_for(engine)
        self.options = ProxyOptions(**options)

    def running(self) -> Any:
        """Return the proxy, for an ``async with`` block."""
        return proxy_running(
            self.runtime, self.catalog, options=self.options, library=self.library, profiles=self.catalog
        )

    async def aliases(self) -> tuple[str, ...]:
        """Return the aliases of ``tiny``."""
        model = await self.catalog.resolve_model("tiny")
        assert model is not None
        return model.aliases


async def post(port: int, path: str, *, method: str = "POST", **fields: Any) -> Reply:
    """Send a JSON object."""
    return await ask(port, method, path, body=json.dumps(fields).encode())


def error_of(reply: Reply) -> tuple[int, str]:
    """Return the status and the error of a response."""
    return reply.status, checked("error", reply.body)["error"]


async def test_version_and_tags() -> None:
    """Models, alias lists and profiles, by names that resolve again."""
    world = World(aliases={"fast": ("other", "tiny")})
    await world.catalog.edit_profile("mario", 1, lambda _: Profile(name="mario", model_id=1))
    async with world.running() as proxy:
        version = await ask(proxy.port, "GET", "/api/version")
        tags = await ask(proxy.port, "GET", "/api/tags")
        head = await ask(proxy.port, "HEAD", "/api/tags")
        listed = checked("tags", tags.body)["models"]
        shown = [await post(proxy.port, "/api/show", model=model["name"]) for model in listed]
    assert tuple(map(int, checked("version", version.body)["version"].split("."))) >= (0, 6, 4)
    assert [model["name"] for model in listed] == ["tiny", "other", "fast", "tiny:mario"]
    assert [reply.status for reply in shown] == [200] * 4
    assert (head.status, head.values("content-length")) == (200, [str(len(tags.body))])
    assert b"/secret" not in tags.body


async def test_show() -> None:
    """By ``model`` or ``name``, with the header's facts; without them if the file is gone."""
    world = World()
    world.library.facts["tiny"] = GgufFacts(architecture="llama", chat_template="{{ x }}", block_count=3)
    async with world.running() as proxy:
        by_model = await post(proxy.port, "/api/show", model="tiny:latest", verbose=True)
        by_name = await post(proxy.port, "/api/show", name="small")
        other = await post(proxy.port, "/api/show", model="other")
        unknown = await post(proxy.port, "/api/show", model="nope")
        nothing = await post(proxy.port, "/api/show")
    assert by_model.body == by_name.body
    response = checked("show", by_model.body)
    assert (response["template"], response["capabilities"]) == ("{{ x }}", ["completion", "tools"])
    assert response["model_info"]["llama.block_count"] == 3
    assert response["model_info"]["llama.context_length"] == 2048
    assert "/secret" not in by_model.body.decode()
    assert checked("show", other.body)["template"] == ""
    assert (error_of(unknown)[0], error_of(nothing)) == (404, (400, "'model' is required."))


@pytest.mark.parametrize("library", [None, object()])
async def test_show_without_a_header(library: Any) -> None:
    """A server without a library, or with one of an embedding program."""
    async with proxy_running(FakeRuntime(), FakeCatalog([TINY]), library=library) as proxy:
        reply = await post(proxy.port, "/api/show", model="tiny")
    assert checked("show", reply.body)["model_info"]["general.basename"] == "tiny"


async def test_show_of_an_unreadable_file() -> None:
    """Shown without its template."""
    world = World()
    world.library.fails_with = InvalidGgufError("tiny.gguf is damaged.")
    async with world.running() as proxy:
        reply = await post(proxy.port, "/api/show", model="tiny")
    assert checked("show", reply.body)["template"] == ""


async def test_ps() -> None:
    """The models in memory."""
    async with engine_running(answering({})) as engine, World(engine).running() as proxy:
        before = await ask(proxy.port, "GET", "/api/ps")
        await post(proxy.port, "/api/generate", model="tiny")
        after = await ask(proxy.port, "GET", "/api/ps")
    assert checked("ps", before.body)["models"] == []
    (model,) = checked("ps", after.body)["models"]
    assert (model["name"], model["context_length"]) == ("tiny", 4096)


async def test_root() -> None:
    """A page for browsers, the text for others; without a key; the second listener has no page."""
    async with World(api_keys={"a": "secret"}).running() as proxy:
        page = await ask(proxy.port, "GET", "/", headers=BROWSER)
        text = await ask(proxy.port, "GET", "/", headers=(("Accept", "*/*"),))
        head = await ask(proxy.port, "HEAD", "/")
        refused = await ask(proxy.port, "POST", "/", body=b"{}")
    assert page.values("content-type") == ["text/html; charset=utf-8"]
    assert (text.body, text.values("content-type")) == (b"Ollama is running", ["text/plain"])
    assert (head.status, head.body, refused.status) == (200, b"", 405)
    async with World(has_page=False).running() as proxy:
        assert (await ask(proxy.port, "GET", "/", headers=BROWSER)).body == b"Ollama is running"


async def test_unknown_paths() -> None:
    """Ollama's form below ``/api``; OpenAI's for LM Studio's versions."""
    async with World().running() as proxy:
        unknown = await ask(proxy.port, "GET", "/api/nope")
        method = await ask(proxy.port, "GET", "/api/chat")
        studio = await ask(proxy.port, "GET", "/api/v9/models")
    assert (error_of(unknown)[0], error_of(method)[0], error_of(studio)[0]) == (404, 405, 404)


def answering(*contents: Any) -> Callable[[Exchange], Awaitable[None]]:
    """Return a script that sends these JSON bodies in turn; a tuple is a status and a body."""
    responses = list(contents)

    async def answer(exchange: Exchange) -> None:
        content = responses.pop(0) if len(responses) > 1 else responses[0]
        status, content = content if isinstance(content, tuple) else (b"200 OK", content)
        await exchange.write(json_answer(content, status))

    return answer


def vectors(*values: list[float]) -> dict[str, Any]:
    """Return the engine's response."""
    data = [{"index": number, "embedding": value} for number, value in enumerate(values)]
    return {"data": data, "usage": {"prompt_tokens": 5, "total_tokens": 5}}


async def test_embeddings() -> None:
    """One text, several, and the older request."""
    async with (
        engine_running(answering(vectors([3.0, 4.0]))) as engine,
        World(engine, model=EMBEDDER).running() as proxy,
    ):
        one = await post(proxy.port, "/api/embed", model="tiny:latest", input="a", keep_alive="1m")
        several = await post(proxy.port, "/api/embed", model="tiny", input=["a"], dimensions=1)
        older = await post(proxy.port, "/api/embeddings", model="tiny", prompt="a", keep_alive=0)
        leases = proxy.runtime.admitted
    assert checked("embed", one.body)["embeddings"] == [[3.0, 4.0]]
    assert checked("embed", several.body)["embeddings"] == [[1.0]]
    assert checked("embeddings", older.body) == {"embedding": [3.0, 4.0]}
    assert [json.loads(exchange.body)["input"] for exchange in engine.exchanges] == [["a"]] * 3
    assert [lease.keep_alive_s for lease in leases] == [60, None, 0]


async def test_embeddings_without_input() -> None:
    """Load or unload the model."""
    async with (
        engine_running(answering(vectors([1.0]))) as engine,
        World(engine, model=EMBEDDER).running() as proxy,
    ):
        loaded = await post(proxy.port, "/api/embed", model="tiny", input="")
        unloaded = await post(proxy.port, "/api/embeddings", model="tiny", keep_alive=0)
        missing = await post(proxy.port, "/api/embed", model="tiny")
        leases = proxy.runtime.admitted
    assert checked("embed", loaded.body) == {"model": "tiny", "embeddings": []}
    assert checked("embeddings", unloaded.body) == {"embedding": []}
    assert error_of(missing) == (400, "'input' is required.")
    assert [lease.keep_alive_s for lease in leases] == [None, 0]
    assert engine.exchanges == []


TOO_LARGE = (
    b"500 Internal Server Error",
    {
        "error": {
            "code": 500,
            "message": "input (200 tokens) is too large to process. increase the physical batch size "
            "(current batch size: 100)",
            "type": "server_error",
        }
    },
)


async def test_long_inputs_are_shortened() -> None:
    """By the token counts in the engine's error; not with ``truncate: false``."""
    text = "word " * 200
    async with (
        engine_running(answering(TOO_LARGE, vectors([1.0], [2.0]))) as engine,
        World(engine, model=EMBEDDER).running() as proxy,
    ):
        shortened = await post(proxy.port, "/api/embed", model="tiny", input=["short", text])
    assert checked("embed", shortened.body)["embeddings"] == [[1.0], [2.0]]
    first, second = json.loads(engine.exchanges[1].body)["input"]
    assert (first, second) == ("short", text[:475])
    async with (
        engine_running(answering(TOO_LARGE)) as engine,
        World(engine, model=EMBEDDER).running() as proxy,
    ):
        refused = await post(proxy.port, "/api/embed", model="tiny", input=text, truncate=False)
        always = await post(proxy.port, "/api/embed", model="tiny", input=text)
    assert (error_of(refused)[0], error_of(always)[0]) == (400, 400)
    assert len(engine.exchanges) < 10


@pytest.mark.parametrize("stream", [False, True])
async def test_a_pull_of_ollamas_library(stream: bool) -> None:  # noqa: FBT001 - a case
    """One line with an error that proposes a search; a name of this machine needs no pull."""
    world = World()
    async with world.running() as proxy:
        refused = await post(proxy.port, "/api/pull", model="llama3.2", stream=stream)
        known = await post(proxy.port, "/api/pull", model="tiny:latest", stream=stream)
    status, message = error_of(refused)
    assert (status, "gglib search llama3.2" in message) == (400, True)
    assert checked("status", known.body) == {"status": "success"}
    assert await world.library.list_downloads() == []


async def lines_of(client: Client) -> list[Any]:
    """Return the parsed lines of a stream."""
    reply = await client.read_reply()
    assert reply.status == 200
    assert reply.values("content-type") == ["application/x-ndjson"]
    return [json.loads(line) for line in reply.body.splitlines()]


async def test_a_pull_with_progress() -> None:
    """A line for each change, with totals; the last one is success."""
    world = World(heartbeat_s=0)
    async with world.running() as proxy, await connect(proxy.port) as client:
        await client.send("POST", "/api/pull", body=b'{"model":"hf.co/o/n:Q4"}')
        reading = asyncio.create_task(lines_of(client))
        await until(lambda: world.library.followers == 1)
        world.library.update("d1", file="n-Q4.gguf", phase="downloading", total_bytes=10, done_bytes=3)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        world.library.finish("d1", "n")
        lines = await reading
    (download,) = await world.library.list_downloads()
    assert download.target == "o/n:Q4"
    assert lines[0] == {"status": "pulling manifest"}
    assert lines[-2:] == [{"status": "writing manifest"}, {"status": "success"}]
    for line in lines:
        checked("status", json.dumps(line).encode())


async def test_a_pull_sends_heartbeats() -> None:
    """The last line again."""
    world = World(heartbeat_s=0.02)
    async with world.running() as proxy, await connect(proxy.port) as client:
        await client.send("POST", "/api/pull", body=b'{"name":"o/n"}')
        await client.read_until(b"\r\n\r\n")
        chunks = client.chunks()
        beats = [await anext(chunks) for _ in range(3)]
        world.library.finish("d1", "n")
        rest = b"".join([part async for part in chunks])
    assert set(beats) == {b'{"status":"pulling manifest"}\n'}
    assert rest.endswith(b'{"status":"success"}\n')


async def test_a_pull_that_is_not_streamed() -> None:
    """The response is the end of the download, or its error."""
    world = World()
    async with world.running() as proxy:
        waiting = asyncio.create_task(post(proxy.port, "/api/pull", model="o/n", stream=False))
        await until(lambda: world.library.followers == 1)
        world.library.finish("d1", "n")
        assert checked("status", (await waiting).body) == {"status": "success"}
        waiting = asyncio.create_task(post(proxy.port, "/api/pull", model="o/m", stream=False))
        await until(lambda: world.library.followers == 1)
        world.library.fail("d2", DiskFullError("The disk is full."))
        assert error_of(await waiting) == (502, "The disk is full.")


async def test_a_pull_that_fails_in_its_stream() -> None:
    """The error is the last line."""
    world = World()
    async with world.running() as proxy, await connect(proxy.port) as client:
        await client.send("POST", "/api/pull", body=b'{"model":"o/n"}')
        await client.read_until(b"\n")
        world.library.fail("d1", GglibError("It broke."))
        rest = await client.reader.read()
    assert b'{"error":"It broke."}\n' in rest


async def test_copy_and_delete() -> None:
    """A copy is another name; deleting it keeps the model."""
    world = World()
    async with world.running() as proxy:
        copied = await post(proxy.port, "/api/copy", source="tiny:latest", destination="mine:latest")
        again = await post(proxy.port, "/api/copy", source="tiny", destination="mine")
        taken = await post(proxy.port, "/api/copy", source="tiny", destination="other")
        unknown = await post(proxy.port, "/api/copy", source="nope", destination="x")
        incomplete = await post(proxy.port, "/api/copy", source="tiny")
        assert await world.aliases() == ("small", "mine")
        world.library.fails_with = InvalidSettingError("The model name '7' looks like an id.")
        invalid = await post(proxy.port, "/api/copy", source="tiny", destination="7")
        world.library.fails_with = None
        gone = await post(proxy.port, "/api/delete", method="DELETE", model="mine:latest")
        assert await world.aliases() == ("small",)
        removed = await post(proxy.port, "/api/delete", method="DELETE", name="tiny")
        missing = await post(proxy.port, "/api/delete", method="DELETE", name="tiny")
    assert [(reply.status, reply.body) for reply in (copied, again, gone, removed)] == [(200, b"")] * 4
    assert [error_of(reply)[0] for reply in (taken, unknown, invalid, incomplete, missing)] == [
        409,
        404,
        400,
        400,
        404,
    ]
    assert [model.name for model in await world.catalog.list_models()] == ["other"]


async def test_an_alias_list_is_not_deleted() -> None:
    """It stands in the settings."""
    async with World(aliases={"fast": ("other", "tiny")}).running() as proxy:
        reply = await post(proxy.port, "/api/delete", method="DELETE", model="fast")
    status, message = error_of(reply)
    assert (status, "alias list" in message) == (404, True)


async def test_model_is_not_deleted_by_a_name_that_only_leads_to_it() -> None:
    """A list of one model, a pattern, and the built-in alias of the model in memory are not the model's names."""
    world = World(aliases={"fast": ("tiny",), "gpt-*": ("tiny",)})
    async with world.running() as proxy:
        for name in ("fast", "gpt-4o", "claude-opus-4"):
            reply = await post(proxy.port, "/api/delete", method="DELETE", model=name)
            assert error_of(reply)[0] == 404
        assert await world.catalog.resolve_model("tiny") is not None


async def test_create_and_delete_a_profile() -> None:
    """A model with other defaults; as a stream of lines unless ``stream`` is false."""
    world = World()
    parameters = {"temperature": 0.1, "stop": ["x"], "num_predict": 7}
    fields: dict[str, Any] = {
        "model": "mario",
        "from": "tiny:latest",
        "system": "Be Mario.",
        "parameters": parameters,
    }
    async with world.running() as proxy:
        streamed = await post(proxy.port, "/api/create", **fields)
        whole = await post(proxy.port, "/api/create", **{**fields, "model": "tiny:luigi", "stream": False})
        (mario, luigi) = await world.catalog.list_profiles()
        shown = await post(proxy.port, "/api/show", model="mario")
        deleted = await post(proxy.port, "/api/delete", method="DELETE", model="mario:latest")
    assert [json.loads(line)["status"] for line in streamed.body.splitlines()] == [
        "writing manifest",
        "success",
    ]
    assert (whole.values("content-type"), json.loads(whole.body)) == (JSON, {"status": "success"})
    assert (mario.name, mario.model_id, mario.system) == ("mario", 1, "Be Mario.")
    assert mario.defaults == {"temperature": 0.1, "stop": ["x"], "max_tokens": 7}
    assert luigi.name == "luigi"
    assert checked("show", shown.body)["details"]["parent_model"] == "tiny"
    assert deleted.status == 200
    assert [profile.name for profile in await world.catalog.list_profiles()] == ["luigi"]


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({}, 400, "'from' is required"),
        ({"from": "nope"}, 404, "nope"),
        ({"from": "tiny", "files": {"a": "sha256:1"}}, 400, "'files' is not supported"),
        ({"from": "tiny", "template": "x"}, 400, "'template' is not supported"),
        ({"from": "tiny", "modelfile": "FROM x"}, 400, "'modelfile' is not supported"),
        ({"from": "tiny", "parameters": {"num_ctx": 5}}, 400, "'num_ctx' cannot be a parameter"),
        ({"from": "tiny", "parameters": {"temperature": 99}}, 400, "'temperature' must be"),
        ({"from": "tiny", "model": "a/b"}, 400, "cannot name a profile"),
    ],
)
async def test_what_cannot_be_created(fields: dict[str, Any], status: int, message: str) -> None:
    """One sentence that says what to do."""
    async with World().running() as proxy:
        reply = await post(proxy.port, "/api/create", **{"model": "x", **fields})
    assert error_of(reply)[0] == status
    assert message in error_of(reply)[1]


async def test_what_this_server_does_not_offer() -> None:
    """Blobs and pushes, and everything that needs a library or profiles."""
    async with World().running() as proxy:
        blob = await ask(proxy.port, "POST", "/api/blobs/sha256:1", body=b"x")
        head = await ask(proxy.port, "HEAD", "/api/blobs/sha256:1")
        push = await post(proxy.port, "/api/push", model="x")
    assert (error_of(blob)[0], head.status, error_of(push)[0]) == (501, 501, 501)
    async with proxy_running(FakeRuntime(), FakeCatalog([TINY])) as proxy:
        replies = [
            await post(proxy.port, "/api/pull", model="o/n"),
            await post(proxy.port, "/api/copy", source="tiny", destination="x"),
            await post(proxy.port, "/api/delete", method="DELETE", model="tiny"),
            await post(proxy.port, "/api/create", model="x", **{"from": "tiny"}),
        ]
    assert [error_of(reply)[0] for reply in replies] == [501] * 4


async def test_changes_need_an_admin() -> None:
    """A key without admin rights may chat, and list, but change nothing."""
    world = World(api_keys={"a": ApiKey(key="secret", models=("tiny",))})
    headers = (("Authorization", "Bearer secret"),)
    async with world.running() as proxy:
        tags = await ask(proxy.port, "GET", "/api/tags", headers=headers)
        copied = await ask(proxy.port, "POST", "/api/copy", body=b"{}", headers=headers)
        other = await ask(proxy.port, "POST", "/api/show", body=b'{"model":"other"}', headers=headers)
    assert [model["name"] for model in checked("tags", tags.body)["models"]] == ["tiny"]
    assert (error_of(copied)[0], error_of(other)[0]) == (403, 404)

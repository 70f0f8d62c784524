"""The HTTP API for the models of this machine, over real sockets."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.support.waiting import until

from gglib.core import errors
from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.core.hub.downloads import DownloadState
from gglib.core.hub.first_models import OfferedModel
from gglib.core.hub.repository import HubFile, HubRepository
from gglib.core.hub.search_results import RepositoryResult, VariantResult
from gglib.core.hub.updates import FileChange, Upstream, UpstreamCheck
from gglib.core.memory import Fit, MachineMemory, MemoryNeed
from gglib.core.models import ModelSource, ModelSummary, RunningTarget
from gglib.core.ports.reload import ReloadResult, SettingChange
from gglib.core.profiles import Profile
from gglib.http.sse import read_events
from gglib.library.variants.find import find_variants
from gglib.proxy import ProxyOptions
from gglib.proxy.docs.openapi import document
from gglib.proxy.docs.schemas import ref
from gglib.proxy.errors import status_of
from gglib.proxy.routes import responses
from gglib.proxy.routes.operation_spec import (
    EVENTS,
    JSON,
    Access,
    OperationSpec,
)
from gglib.proxy.routes.table import OPERATIONS
from gglib.testing import FakeCatalog, FakeHistory, FakeLibrary, FakeMachine, FakeRuntime

from .support import Client, Proxy, Reply, ask, chunked, connect, proxy_running

MODEL = ModelSummary(
    id=7,
    name="Org/coder:Q4",
    aliases=("coder",),
    paths=(Path("/models/coder.gguf"),),
    projector=Path("/models/mmproj.gguf"),
    hashes=("00",),
    source=ModelSource(origin="hub", repo="Org/coder", revision="abc", file="coder.gguf", sha256="00"),
    size_bytes=5,
)
SEARCHED = ModelSummary(id=8, name="search", paths=(Path("/models/search.gguf"),))
RECORD = RequestRecord(
    "POST",
    "/v1/chat/completions",
    "coder",
    200,
    "req_1",
    0.1,
    0.2,
    0.3,
    1,
    False,
    None,
    bodies=RecordedBodies(b"{}", b"\xff"),
)
PROFILE = Profile(name="precise", defaults={"temperature": 0.2})
KEY = "a-key-of-this-test"
WITH_KEY = (("Authorization", f"Bearer {KEY}"),)
KEYED = ProxyOptions(api_keys={"tester": KEY}, cors_origins=("https://chat.example.com",))
DESCRIBED = {one.spec.id: one.spec for one in OPERATIONS}
DIALECTS = ("Inference", "Ollama's API", "llama.cpp", "LM Studio")
"""Groups of operations of other APIs, which need an engine, or a body of that API."""
ANSWERED = [
    one
    for one in DESCRIBED.values()
    if one.group not in DIALECTS
    and one.id
    not in {
        "followRuntime",
        "followLog",
        "showRoot",
        "wellKnown",
        "cancelRequest",
        "verifyModel",
        "showPageFile",
    }
    and not one.id.startswith("oddPath")
] + [DESCRIBED[name] for name in ("listOpenAiModels", "showOpenAiModel")]
"""All operations of gglib's own; the events of the runtime and of logs have no end (``test_proxy_events.py``,
``test_proxy_machine.py``), a verification has named events (``TestVerification``), the form of the root depends on the
client (``test_proxy_ollama_models.py``), files of the page have their own tests (``test_proxy_page.py``), odd paths
are never found (``test_proxy_llama_cpp.py``), and only a request in progress can be cancelled
(``test_proxy_requests.py``)."""
OURS = [one.spec for one in OPERATIONS if one.spec.path.startswith("/gglib/") and one.spec.needs_library]
CHANGING = [
    one.spec for one in OPERATIONS if one.spec.path.startswith("/gglib/") and one.spec.method != "GET"
]


def found() -> RepositoryResult:
    """Return a repository of the hub."""
    repository = HubRepository(
        repo="owner/coder",
        revision="c0ffee",
        files=(
            HubFile(name="c-Q4_K_M.gguf", size_bytes=9, sha256="ab"),
            HubFile(name="README.md", size_bytes=1),
        ),
        licence="mit",
        updated_at=1,
    )
    variants = find_variants(repository.files)
    need = MemoryNeed(weights_bytes=9, kv_bytes=1, compute_bytes=1, overhead_bytes=1, is_exact=True)
    return RepositoryResult(
        repository=repository,
        variants=variants,
        results=(VariantResult(variant=variants.models[0], need=need, fit=Fit.FITS, slots=1),),
        suggested=variants.models[0],
        memory=MachineMemory(total_bytes=64, available_bytes=None),
        context=8192,
        architecture="llama",
        parameter_count=None,
        trained_context=4096,
    )


async def reload_slots() -> ReloadResult:
    """Return the result of a reload that applied a setting."""
    return ReloadResult(
        changes=(SettingChange(setting="slots", old="4", new="9", is_applied=True),),
        replaced_models=(),
        warnings=(),
    )


@asynccontextmanager
async def serving(
    *, options: ProxyOptions | None = None, models: Iterable[ModelSummary] = (MODEL, SEARCHED)
) -> AsyncIterator[tuple[Proxy, FakeLibrary]]:
    """Serve a catalogue, and its library with a hub that has one repository."""
    catalog = FakeCatalog(models)
    library = FakeLibrary(catalog, repositories=[found()])
    await catalog.edit_profile(PROFILE.name, None, lambda _: PROFILE)
    runtime = FakeRuntime(
        {model.name: RunningTarget.local(1, model.id, model.name, 4096) for model in models}
    )
    history = FakeHistory()
    history.record([RECORD])
    async with proxy_running(
        runtime,
        catalog,
        options=options,
        library=library,
        profiles=catalog,
        reload=reload_slots,
        history=history,
        machine=FakeMachine().ports,
    ) as proxy:
        yield proxy, library


SCHEMAS: dict[str, dict[str, Any]] = document([one.spec for one in OPERATIONS], version="1")["components"][
    "schemas"
]


async def post(port: int, path: str, content: object, *headers: tuple[str, str]) -> Reply:
    """Post JSON."""
    return await ask(port, "POST", path, body=json.dumps(content).encode(), headers=headers)


def check(value: Any, schema: dict[str, Any], at: str = "$") -> None:
    """Fail if a value does not match a schema, for the part of JSON Schema that the document uses."""
    if "$ref" in schema:
        check(value, SCHEMAS[schema["$ref"].rpartition("/")[2]], at)
        return
    if "anyOf" in schema:
        shapes = [one for one in schema["anyOf"] if (one.get("type") == "null") is (value is None)]
        check(value, shapes[0], at)
        return
    if not schema.keys() - {"description"}:  # any JSON
        return
    if "type" not in schema:  # an enum, or a constant
        assert value in schema.get("enum", [schema.get("const")]), at
        return
    types = [schema["type"]]
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    kind = "null" if value is None else names[type(value)]
    assert kind in types or (kind == "integer" and "number" in types), f"{at}: {value!r} is not {types}"
    assert value in schema.get("enum", [value]), at
    assert value == schema.get("const", value), at
    if kind == "object" and "properties" in schema:
        assert set(value) == set(schema["properties"]), at
        for name, member in value.items():
            check(member, schema["properties"][name], f"{at}.{name}")
    if kind == "array":
        for number, item in enumerate(value):
            check(item, schema["items"], f"{at}[{number}]")


def target_of(described: OperationSpec, download_id: str) -> str:
    """Return a valid request target for an operation."""
    model = quote(MODEL.name, safe="")
    is_of_models = described.path.startswith("/v1/")
    values = {
        "name": PROFILE.name if described.path.startswith("/gglib/profiles") else model,
        "id": model if is_of_models else download_id,
        "owner": "owner",
        "repository": "coder",
    }
    if described.path.startswith("/gglib/requests"):
        values["id"] = "1"  # the number of the stored request
    if described.path.startswith("/gglib/logs"):
        values["name"] = "gglib"
    path = re.sub(r"{(\w+)}", lambda match: values[match[1]], described.path)
    queries = {"searchHub": "?q=coder", "listClients": f"?model={model}", "withdrawRequest": "?front=f"}
    return path + queries.get(described.id, "")


class TestEveryOperation:
    @pytest.mark.parametrize("described", ANSWERED, ids=lambda one: one.id)
    async def test_answers_as_it_is_described(self, described: OperationSpec, tmp_path: Path) -> None:
        """Status, media type, fields and their types match the table, and ``Location`` can be fetched."""
        file = tmp_path / "new.gguf"
        file.write_bytes(b"GGUF")
        bodies = {"addModel": {"path": str(file)}, "startDownload": {"target": "owner/coder"}}
        bodies["setProfile"] = {"description": "Short"}
        async with serving() as (proxy, library):
            download = await library.start_download("owner/other")
            if described.id != "resumeDownload":  # a download that is done cannot be resumed
                library.finish(download.id, "other")
            path = target_of(described, download.id)
            body = json.dumps(bodies[described.id]).encode() if described.id in bodies else b""
            reply = await ask(proxy.port, described.method, path, body=body)
            assert reply.status == described.status
            assert reply.is_whole
            (media_type,) = reply.values("content-type")
            assert media_type.partition(";")[0] == described.media_type.partition(";")[0]
            if described.response is not None and described.media_type == JSON:
                check(reply.json(), ref(described.response))
            elif described.media_type == EVENTS:
                for event in events_of(reply.body):
                    check(event, ref(described.response or dict))
            assert bool(reply.values("location")) is described.has_location
            for location in reply.values("location"):
                assert (await ask(proxy.port, "GET", location)).json() == reply.json()

    @pytest.mark.parametrize(
        ("described", "error"),
        [
            pytest.param(one, error, id=f"{one.id}-{error.code}")
            for one in OURS
            for error in one.errors
            if issubclass(error, errors.HubError | errors.InvalidGgufError | errors.ModelExistsError)
        ],
    )
    async def test_returns_each_error_that_it_declares(
        self, described: OperationSpec, error: type[errors.GglibError]
    ) -> None:
        """Status, code and message match the table; ``Retry-After`` is present if a retry helps."""
        bodies = {"addModel": {"path": "/m.gguf"}, "startDownload": {"target": "owner/coder"}}
        async with serving() as (proxy, library):
            library.fails_with = error("One sentence.")
            path = target_of(described, "x")
            body = json.dumps(bodies[described.id]).encode() if described.id in bodies else b""
            reply = await ask(proxy.port, described.method, path, body=body)
        assert (reply.status, reply.error["code"]) == (status_of(error), error.code)
        assert reply.error["message"] == "One sentence."
        is_for_later = error in {errors.HubUnreachableError, errors.HubBusyError}
        assert bool(reply.values("retry-after")) is is_for_later

    @pytest.mark.parametrize("described", OURS, ids=lambda one: one.id)
    async def test_is_not_offered_without_a_library(self, described: OperationSpec) -> None:
        """A proxy embedded with only a runtime and a catalogue refuses the other operations with 501."""
        async with proxy_running(FakeRuntime(), FakeCatalog([MODEL])) as proxy:
            path = target_of(described, "x")
            reply = await ask(proxy.port, described.method, path, body=b"{}")
            assert (reply.status, reply.error["code"]) == (501, "not_offered")
            assert reply.values("x-should-retry") == ["false"]
            listed = await ask(proxy.port, "GET", "/gglib/models")
        assert [model["name"] for model in listed.json()["models"]] == [MODEL.name]

    @pytest.mark.parametrize("described", OURS, ids=lambda one: one.id)
    async def test_takes_no_parameter_that_it_does_not_have(self, described: OperationSpec) -> None:
        """An unknown parameter is refused, and the error names it."""
        async with serving() as (proxy, library):
            download = await library.start_download("owner/other")
            path = target_of(described, download.id)
            query = "&" if "?" in path else "?"
            reply = await ask(proxy.port, described.method, f"{path}{query}colour=1")
        assert (reply.status, reply.error["param"]) == (400, "colour")

    @pytest.mark.parametrize("described", CHANGING, ids=lambda one: one.id)
    async def test_takes_no_field_that_it_does_not_have(self, described: OperationSpec) -> None:
        """Operations without a body refuse one as well: ``POST /gglib/stop`` with a model must not stop all models."""
        async with serving() as (proxy, library):
            download = await library.start_download("owner/other")
            path = target_of(described, download.id)
            reply = await ask(proxy.port, described.method, path, body=b'{"colour": 1}')
        assert (reply.status, reply.error["param"]) == (400, "colour")

    async def test_a_body_without_a_field_is_no_body(self) -> None:
        """An empty object counts as no body, since some clients send one with every POST."""
        async with serving() as (proxy, _):
            reply = await ask(proxy.port, "POST", "/gglib/stop", body=b"{}")
        assert (reply.status, reply.json()) == (200, {"stopped": []})


class TestModels:
    async def test_a_model_shows_its_state_and_where_it_is(self) -> None:
        """Trusted clients get the same data as the command line shows."""
        runtime = FakeRuntime({MODEL.name: RunningTarget.local(1, MODEL.id, MODEL.name, 1)})
        await runtime.ensure_model_running(MODEL.name, None, 1)
        async with proxy_running(runtime, FakeCatalog([MODEL])) as proxy:
            shown = (await ask(proxy.port, "GET", "/gglib/models/coder")).json()
        assert (shown["name"], shown["state"]) == (MODEL.name, "ready")
        assert (shown["paths"], shown["projector"]) == (["/models/coder.gguf"], "/models/mmproj.gguf")

    @pytest.mark.parametrize("path", ["/gglib/models", "/gglib/models/coder"])
    async def test_a_page_sees_models_and_no_path(self, path: str) -> None:
        """An allowed origin without a key gets models without paths; with a key it gets the paths."""
        page = (("Origin", "http://localhost:3000"),)
        async with serving() as (proxy, _):
            reply = await ask(proxy.port, "GET", path, headers=page)
        assert (reply.status, reply.values("access-control-allow-origin")) == (200, ["http://localhost:3000"])
        assert b"/models/" not in reply.body.replace(b"/gglib/models/", b"")
        async with serving(options=KEYED) as (proxy, _):
            reply = await ask(proxy.port, "GET", path, headers=(*page, *WITH_KEY))
        assert b"/models/coder.gguf" in reply.body

    @pytest.mark.parametrize("spelling", ["Org/coder:Q4", "Org%2Fcoder%3AQ4", "coder", "7"])
    async def test_a_model_is_found_by_any_name(self, spelling: str) -> None:
        """Slashes may be literal or percent-encoded."""
        async with serving() as (proxy, _):
            assert (await ask(proxy.port, "GET", f"/gglib/models/{spelling}")).json()["id"] == MODEL.id

    async def test_no_name_of_a_model_is_a_path_of_its_own(self) -> None:
        """``/gglib/models/search`` is a model; the search of the hub is below ``/gglib/hub``."""
        async with serving() as (proxy, _):
            replies = [await ask(proxy.port, "GET", f"/gglib/models/{name}") for name in ("8", "search")]
        assert [reply.json()["name"] for reply in replies] == ["search", "search"]

    async def test_a_model_that_is_not_there_is_not_found(self) -> None:
        """The error suggests similar names, for showing and for removing."""
        async with serving() as (proxy, _):
            for method in ("GET", "DELETE"):
                reply = await ask(proxy.port, method, "/gglib/models/code")
                assert (reply.status, reply.error["code"]) == (404, "model_not_found")
                assert "coder" in reply.error["message"]

    async def test_a_file_is_added_and_forgotten(self, tmp_path: Path) -> None:
        """Adding returns 201 and a Location; removing deletes the model from the catalogue and keeps its file."""
        file = tmp_path / "new.gguf"
        file.write_bytes(b"GGUF")
        async with serving() as (proxy, _):
            added = await post(
                proxy.port, "/gglib/models", {"path": str(file), "name": "a/b", "aliases": ["new"]}
            )
            assert (added.status, added.values("location")) == (201, ["/gglib/models/a%2Fb"])
            again = await post(proxy.port, "/gglib/models", {"path": str(file), "name": "other"})
            assert (again.status, again.error["code"]) == (409, "model_exists")
            gone = await ask(proxy.port, "DELETE", "/gglib/models/new?files=true")
            assert gone.json()["removed"]["name"] == "a/b"
            assert gone.json()["kept"] == [{"path": str(file), "reason": "gglib did not download it"}]
            assert (await ask(proxy.port, "GET", "/gglib/models/new")).status == 404
        assert file.exists()

    async def test_a_name_that_is_none_is_the_fault_of_its_field(self) -> None:
        """A name that the catalogue rejects is a 400 that names the field."""
        async with serving() as (proxy, library):
            library.fails_with = errors.InvalidSettingError("The model name '7' would be taken for an id.")
            reply = await post(proxy.port, "/gglib/models", {"path": "/m.gguf", "name": "7"})
        assert (reply.status, reply.error["param"]) == (400, "name")

    @pytest.mark.parametrize(
        ("headers", "body", "status", "code"),
        [
            ((), b'{"path":"' + b"m" * 65_536 + b'"}', 413, "body_too_large"),
            (
                (("Transfer-Encoding", "chunked"),),
                chunked(b'{"path":"', b"m" * 65_536, b'"}') + b"0\r\n\r\n",
                413,
                "body_too_large",
            ),
            ((("Content-Encoding", "gzip"),), b"{}", 415, "unsupported_encoding"),
            ((), b"path=/m.gguf", 400, "invalid_request"),
        ],
    )
    async def test_a_body_that_is_not_taken(
        self, headers: tuple[tuple[str, str], ...], body: bytes, status: int, code: str
    ) -> None:
        """A body that is too large (declared or not), compressed, or of another type is refused."""
        async with serving() as (proxy, _):
            reply = await ask(proxy.port, "POST", "/gglib/models", body=body, headers=headers)
        assert (reply.status, reply.error["code"]) == (status, code)

    async def test_other_methods_are_refused(self) -> None:
        """The response lists the allowed methods."""
        async with serving() as (proxy, _):
            models = await ask(proxy.port, "DELETE", "/gglib/models")
            one = await ask(proxy.port, "POST", "/gglib/models/coder", body=b"{}")
            unknown = await ask(proxy.port, "GET", "/gglib/downloads/x/y")
        assert (models.status, models.values("allow")) == (405, ["GET, HEAD, POST"])
        assert (one.status, one.values("allow")) == (405, ["GET, HEAD, DELETE, PATCH"])
        assert unknown.status == 404


PAGES_AND_STRANGERS = [
    pytest.param((("Origin", "https://evil.example"),), 403, "origin_not_allowed", id="a foreign page"),
    pytest.param((("Origin", "null"),), 403, "origin_not_allowed", id="a page without an origin"),
    pytest.param((("Host", "evil.example"),), 403, "host_not_allowed", id="a page that rebinds its name"),
    pytest.param(
        (("Host", "evil.example"), ("Origin", "http://evil.example")), 403, "host_not_allowed", id="the same"
    ),
    pytest.param((("Origin", "http://localhost:3000"),), 403, "forbidden", id="a page of another port"),
    pytest.param((("Sec-Fetch-Site", "cross-site"),), 403, "forbidden", id="a picture in a foreign page"),
    pytest.param((("Origin", "vscode-webview://x"),), 403, "forbidden", id="a window of an editor"),
]


class TestTrust:
    @pytest.mark.parametrize(("headers", "status", "code"), PAGES_AND_STRANGERS)
    @pytest.mark.parametrize("described", OURS, ids=lambda one: one.id)
    async def test_who_is_not_trusted_is_refused(
        self, described: OperationSpec, headers: tuple[tuple[str, str], ...], status: int, code: str
    ) -> None:
        """Nothing is added, removed, requested from the hub or started, whatever the body is."""
        assert described.access is Access.ADMIN
        async with serving() as (proxy, library):
            path = target_of(described, "x")
            body = b'{"target":"owner/coder"}'
            reply = await ask(proxy.port, described.method, path, body=body, headers=headers)
            assert (reply.status, reply.error["code"]) == (status, code)
            assert await library.list_downloads() == []
            assert len(await library.store.list_models()) == 2

    async def test_a_page_of_this_server_is_trusted(self) -> None:
        """The page has the server's own origin, under a name that no other host can have."""
        async with serving() as (proxy, library):
            own = f"127.0.0.1:{proxy.port}"
            headers = (("Host", own), ("Origin", f"http://{own}"), ("Sec-Fetch-Site", "same-origin"))
            reply = await post(proxy.port, "/gglib/downloads", {"target": "owner/coder"}, *headers)
            assert reply.status == 202
            assert len(await library.list_downloads()) == 1

    async def test_any_origin_is_not_any_page(self) -> None:
        """``*`` allows every page to chat, and none to change anything."""
        async with serving(options=ProxyOptions(cors_origins=("*",))) as (proxy, library):
            page = ("Origin", "https://evil.example")
            reply = await post(proxy.port, "/gglib/downloads", {"target": "owner/coder"}, page)
            assert (reply.status, reply.error["code"]) == (403, "forbidden")
            assert await library.list_downloads() == []

    async def test_a_page_with_a_key_is_trusted_if_its_origin_is_answered(self) -> None:
        """A page needs both: a key without an allowed origin is refused, and so is an allowed origin without a key."""
        body = {"target": "owner/coder"}
        chat, evil = ("Origin", "https://chat.example.com"), ("Origin", "https://evil.example")
        async with serving(options=KEYED) as (proxy, library):
            without = await post(proxy.port, "/gglib/downloads", body, chat)
            foreign = await post(proxy.port, "/gglib/downloads", body, evil, *WITH_KEY)
            assert await library.list_downloads() == []
            both = await post(proxy.port, "/gglib/downloads", body, chat, *WITH_KEY)
        assert (without.status, without.error["code"]) == (401, "invalid_api_key")
        assert (foreign.status, foreign.error["code"]) == (403, "origin_not_allowed")
        assert both.status == 202
        assert both.values("access-control-allow-origin") == ["https://chat.example.com"]

    async def test_a_preflight_lists_every_method(self) -> None:
        """Without DELETE in the preflight response, no page could cancel a download or remove a model."""
        async with serving(options=KEYED) as (proxy, _):
            reply = await ask(
                proxy.port,
                "OPTIONS",
                "/gglib/downloads/x",
                headers=(
                    ("Origin", "https://chat.example.com"),
                    ("Access-Control-Request-Method", "DELETE"),
                    ("Access-Control-Request-Headers", "authorization"),
                ),
            )
        assert reply.status == 204
        assert "DELETE" in reply.values("access-control-allow-methods")[0]
        assert reply.values("access-control-allow-headers") == ["authorization"]


def events_of(body: bytes) -> list[dict[str, Any]]:
    """Return the data of every event; anything but data and comments is an error."""
    events = []
    for block in body.decode().split("\n\n"):
        if block in {"", ":"}:
            continue
        assert block.startswith("data: ")
        assert "\n" not in block
        events.append(json.loads(block[len("data: ") :]))
    return events


async def next_event(client: Client) -> dict[str, Any]:
    """Return the next event of an open stream."""
    while True:
        block = await client.read_until(b"\n\n")
        if b"data: " in block:
            payload: dict[str, Any] = json.loads(block[block.index(b"data: ") + 6 :])
            return payload


class TestEvents:
    async def test_download_events_run_from_the_current_state_to_the_end(self) -> None:
        """The current state comes first, then each change, then the final state; the stream ends cleanly."""
        async with serving() as (proxy, library):
            started = await library.start_download("owner/coder")
            async with await connect(proxy.port) as client:
                await client.send("GET", f"/gglib/downloads/{started.id}/events")
                head = await client.read_until(b"\r\n\r\n")
                assert b"content-type: text/event-stream\r\n" in head
                assert b"cache-control: no-cache\r\n" in head
                assert (await next_event(client))["done_bytes"] == 0
                library.update(started.id, done_bytes=5, total_bytes=10, bytes_per_s=1)
                changed = await next_event(client)
                assert (changed["done_bytes"], changed["left_s"]) == (5, 5)
                library.finish(started.id, "coder")
                ended = await next_event(client)
                assert (ended["state"], ended["model_name"]) == ("done", "coder")
                assert await client.read_until(b"0\r\n\r\n")
            await until(lambda: library.followers == 0)

    async def test_a_failure_is_the_last_event(self) -> None:
        """The failure is an event: the download failed, not the request."""
        async with serving() as (proxy, library):
            started = await library.start_download("owner/coder")
            library.fail(started.id, errors.DiskFullError("There is no room."))
            reply = await ask(proxy.port, "GET", f"/gglib/downloads/{started.id}/events")
        (event,) = events_of(reply.body)
        assert (reply.status, event["state"]) == (200, "failed")
        assert event["error"] == {"code": "disk_full", "message": "There is no room."}

    async def test_what_is_not_there_is_a_proper_404(self) -> None:
        """An unknown download is detected before the status is sent."""
        async with serving() as (proxy, _):
            for path, method in (("", "GET"), ("/events", "GET"), ("", "DELETE")):
                reply = await ask(proxy.port, method, f"/gglib/downloads/none{path}")
                assert (reply.status, reply.error["code"]) == (404, "download_not_found")

    async def test_silence_is_filled_with_comments(self) -> None:
        """The stream has no ``id:`` and no ``retry:``; comments show a waiting client that the stream is alive."""
        async with serving(options=ProxyOptions(heartbeat_s=0.01)) as (proxy, library):
            started = await library.start_download("owner/coder")
            async with await connect(proxy.port) as client:
                await client.send("GET", f"/gglib/downloads/{started.id}/events")
                await next_event(client)
                for _ in range(3):
                    assert b":\n\n" in await client.read_until(b":\n\n")

    async def test_who_leaves_costs_nothing(self) -> None:
        """A disconnect ends the subscription, and the download continues."""
        async with serving() as (proxy, library):
            started = await library.start_download("owner/coder")
            async with await connect(proxy.port) as client:
                await client.send("GET", f"/gglib/downloads/{started.id}/events")
                await next_event(client)
                assert library.followers == 1
            await until(lambda: library.followers == 0)
            assert (await library.show_download(started.id)).state is DownloadState.RUNNING

    async def test_a_shutdown_ends_it(self) -> None:
        """A shutdown ends the stream with an error event within the shutdown timeout."""
        async with serving() as (proxy, library):
            started = await library.start_download("owner/coder")
            async with await connect(proxy.port) as client:
                await client.send("GET", f"/gglib/downloads/{started.id}/events")
                await next_event(client)
                assert await proxy.stop() < 2
                assert (await next_event(client))["error"]["code"] == "shutting_down"
            assert library.followers == 0

    async def test_a_head_request_is_answered_and_ends(self) -> None:
        """The response does not wait for a download."""
        async with serving() as (proxy, library):
            started = await library.start_download("owner/coder")
            async with await connect(proxy.port) as client:
                await client.send("HEAD", f"/gglib/downloads/{started.id}/events")
                async with asyncio.timeout(5):
                    answer = await client.reader.read()  # to the end of the connection
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert answer.endswith(b"\r\n\r\n")
            await until(lambda: library.followers == 0)

    async def test_a_client_that_does_not_read_gets_the_newest_and_the_end(self) -> None:
        """Nothing is buffered for it: intermediate changes are skipped."""
        async with serving() as (proxy, library):
            started = await library.start_download("owner/coder")
            async with await connect(proxy.port, receive_buffer_bytes=4096) as client:
                await client.send("GET", f"/gglib/downloads/{started.id}/events")
                await next_event(client)
                client.stop_reading()
                for step in range(20_000):
                    library.update(started.id, done_bytes=step)
                    await asyncio.sleep(0)
                library.finish(started.id, "coder")
                client.read_again()
                count, event = 0, await next_event(client)
                while event["state"] == "running":
                    count, event = count + 1, await next_event(client)
            assert event["done_bytes"] == 19_999
            assert count < 19_000


class TestVerification:
    async def test_progress_comes_before_the_result(self, tmp_path: Path) -> None:
        """As named events, which end the stream cleanly; the shapes are those of the document."""
        path = tmp_path / "m.gguf"
        path.write_bytes(b"GGUF")
        model = ModelSummary(id=1, name="a/b", paths=(path,), size_bytes=4)
        async with serving(models=[model]) as (proxy, _):
            reply = await ask(proxy.port, "POST", "/gglib/models/a/b/verify")
        assert (reply.status, reply.is_whole) == (200, True)
        first, last = list(read_events([reply.body]))
        assert (first.name, json.loads(first.data)) == (
            "progress",
            {"file": "m.gguf", "done_bytes": 0, "total_bytes": 4},
        )
        assert last.name == "result"
        check(json.loads(last.data), ref(responses.Verification))
        assert json.loads(last.data)["checks"][0]["verdict"] == "unknown"

    async def test_unknown_model_and_failing_catalogue_have_a_status(self) -> None:
        """The status is sent after the first step."""
        async with serving() as (proxy, library):
            unknown = await ask(proxy.port, "POST", "/gglib/models/code/verify")
            library.fails_with = errors.CatalogError("The catalogue is broken.")
            broken = await ask(proxy.port, "POST", "/gglib/models/coder/verify")
        assert (unknown.status, unknown.error["code"]) == (404, "model_not_found")
        assert "coder" in unknown.error["message"]
        assert (broken.status, broken.error["code"]) == (500, "catalog_error")

    async def test_a_disconnect_stops_it(self) -> None:
        """Heartbeats keep a waiting stream alive until then."""
        async with serving(options=ProxyOptions(heartbeat_s=0.01)) as (proxy, library):
            library.may_verify.clear()
            async with await connect(proxy.port) as client:
                await client.send("POST", "/gglib/models/coder/verify", body=b"")
                await client.read_until(b"event: progress\n")
                assert b":\n\n" in await client.read_until(b":\n\n")
                assert library.verifying == 1
            await until(lambda: library.verifying == 0)


class TestFits:
    async def test_a_model_in_memory_fits(self) -> None:
        """Others have the verdict of the library."""
        runtime = FakeRuntime({MODEL.name: RunningTarget.local(1, MODEL.id, MODEL.name, 1)})
        await runtime.ensure_model_running(MODEL.name, None, 1)
        catalog = FakeCatalog([MODEL, SEARCHED])
        async with proxy_running(runtime, catalog, library=FakeLibrary(catalog)) as proxy:
            fits = (await ask(proxy.port, "GET", "/gglib/fits")).json()["fits"]
        assert [(fit["model_name"], fit["fit"], fit["reason"]) for fit in fits] == [
            (MODEL.name, "fits", "It is in memory."),
            ("search", "unknown", "The fake has no memory."),
        ]

    async def test_updates_and_first_models_have_their_shapes(self) -> None:
        """With every kind of value."""
        offered = OfferedModel(
            title="Coder",
            target="owner/coder:Q4_K_M",
            size_bytes=9,
            licence="mit",
            machine_gb=8,
            need=found().results[0].need,
            fit=Fit.TOO_LARGE,
            slots=1,
        )
        change = FileChange(name="c.gguf", old_sha256="00", new_sha256=None, new_size_bytes=7)
        update = UpstreamCheck(
            model=MODEL, repo="Org/coder", state=Upstream.CHANGED, target="Org/coder:Q4", changes=(change,)
        )
        async with serving() as (proxy, library):
            library.updates = [update]
            library.first_models = replace(
                library.first_models, models=(offered,), recommended=offered.target
            )
            updates = (await ask(proxy.port, "GET", "/gglib/hub/updates")).json()
            first = (await ask(proxy.port, "GET", "/gglib/hub/first-models")).json()
        check(updates, ref(responses.Updates))
        check(first, ref(responses.FirstModels))
        assert (updates["updates"][0]["state"], updates["updates"][0]["new_size_bytes"]) == ("changed", 7)
        assert first["models"][0]["pull"] == first["recommended"]
        assert (first["date"], first["models"][0]["need_bytes"]) == ("2026-01-01", 12)


class TestPauses:
    async def test_a_pause_is_the_last_event_and_a_resume_starts_anew(self) -> None:
        """A page that follows sees the pause, and follows again after the resume."""
        async with serving() as (proxy, library):
            started = await library.start_download("owner/coder")
            path = f"/gglib/downloads/{started.id}"
            paused = await ask(proxy.port, "POST", f"{path}/pause")
            events = await ask(proxy.port, "GET", f"{path}/events")
            resumed = await ask(proxy.port, "POST", f"{path}/resume")
            library.finish(started.id, "coder")
            done = await ask(proxy.port, "POST", f"{path}/resume")
        assert (paused.json()["state"], resumed.json()["state"]) == ("paused", "running")
        assert [event["state"] for event in events_of(events.body)] == ["paused"]
        assert (done.status, done.error["code"]) == (409, "download_done")

    async def test_files_are_discarded_on_request(self) -> None:
        """And kept without it."""
        async with serving() as (proxy, library):
            started = await library.start_download("owner/coder")
            kept = await ask(proxy.port, "DELETE", f"/gglib/downloads/{started.id}")
            assert (kept.json()["state"], library.discarded) == ("cancelled", [])
            await ask(proxy.port, "DELETE", f"/gglib/downloads/{started.id}?files=true")
        assert library.discarded == ["owner/coder"]


class TestDescription:
    async def test_the_page_is_shown_and_may_run_nothing(self) -> None:
        """HTML with a content security policy, and the document as JSON with every path."""
        async with serving() as (proxy, _):
            page = await ask(proxy.port, "GET", "/docs")
            payload = await ask(proxy.port, "GET", "/openapi.json")
        assert page.values("content-type") == ["text/html; charset=utf-8"]
        assert page.values("content-security-policy")[0].startswith("default-src 'none'; style-src 'sha256-")
        assert page.values("x-content-type-options") == ["nosniff"]
        assert page.body.startswith(b"<!doctype html>")
        assert set(payload.json()["paths"]) == {one.path for one in DESCRIBED.values()}

    @pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
    async def test_it_needs_a_key_where_keys_are_set(self, path: str) -> None:
        """Like everything but ``/health``, it requires a key if keys are configured."""
        async with serving(options=KEYED) as (proxy, _):
            assert (await ask(proxy.port, "GET", path)).status == 401
            assert (await ask(proxy.port, "GET", path, headers=WITH_KEY)).status == 200

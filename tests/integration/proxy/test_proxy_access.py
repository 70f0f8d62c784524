"""What a key may do: admin routes, models, priorities, and keys that are replaced on an open connection."""

import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from gglib.core.api_keys import ApiKey
from gglib.core.errors import EngineArgumentError, EngineBrokenError, ModelLoadFailedError
from gglib.core.models import ModelCapabilities, ModelSettings, ModelSource, ModelSummary, RunningTarget
from gglib.core.priority import Priority
from gglib.proxy import ProxyOptions
from gglib.proxy.access.cors import CorsRules
from gglib.proxy.access.hosts import HostRules
from gglib.proxy.access.keys import AccessKeys
from gglib.proxy.access.policy import AccessPolicy
from gglib.proxy.app import ProxyApp
from gglib.proxy.names.served_paths import BACKEND_PATHS
from gglib.proxy.routes.operation_spec import Access, OperationSpec
from gglib.proxy.routes.requests import Forwarded
from gglib.proxy.routes.table import OPERATIONS
from gglib.testing import FakeCatalog, FakeLibrary, FakeRuntime

from .support import (
    CHAT,
    Client,
    Exchange,
    Proxy,
    Reply,
    ask,
    connect,
    engine_running,
    json_answer,
    proxy_running,
)

TINY = ModelSummary(id=1, name="chat-tiny", aliases=("Org/assistant",))
HIDDEN = ModelSummary(
    id=2,
    name="secret-model",
    aliases=("Org/assistant-secret",),
    settings=ModelSettings(context=9876543),
    source=ModelSource(origin="hub", repo="Org/secret"),
)
OPTIONS = ProxyOptions(
    api_keys={
        "alice": "alice-admin-key",
        "bob": ApiKey(key="bob-client-key"),
        "carol": ApiKey(key="carol-chat-key", models=("CHAT*",)),
        "batch": ApiKey(key="dave-batch-key", priority=Priority.BATCH),
    }
)
ALICE, BOB, CAROL, DAVE = "alice-admin-key", "bob-client-key", "carol-chat-key", "dave-batch-key"
SPECS = [operation.spec for operation in OPERATIONS]
ADMIN_SPECS = [spec for spec in SPECS if spec.access in {Access.ADMIN, Access.ADMIN_KEY}]
CLIENT_SPECS = [spec for spec in SPECS if spec.access is Access.CLIENT]
FORWARDED_SPECS = [spec for spec in SPECS if spec.body is Forwarded]
NAMED_SPECS = [spec for spec in CLIENT_SPECS if spec.is_template]
SECRET_WORDS = ("secret", "9876543")


def path_of(spec: OperationSpec, name: str = TINY.name) -> str:
    """Return a path for an operation, with a model's name for each parameter."""
    return re.sub(r"{\w+}", quote(name, safe=""), spec.path)


def as_key(key: str) -> tuple[str, str]:
    """Return the header with a key."""
    return ("Authorization", f"Bearer {key}")


async def request(proxy: Proxy, spec: OperationSpec, key: str | None, name: str = TINY.name) -> Reply:
    """Send a request to an operation, with HEAD instead of GET because event streams have no end."""
    headers = () if key is None else (as_key(key),)
    body = json.dumps({"model": name}).encode() if spec.body is Forwarded else b""
    method = "HEAD" if spec.method == "GET" else spec.method
    return await ask(proxy.port, method, path_of(spec, name), body=body, headers=headers)


async def answer(exchange: Exchange) -> None:
    """Respond as an engine."""
    await exchange.write(json_answer({"path": exchange.path}))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
async def test_every_route_by_key(spec: OperationSpec) -> None:
    """Admin routes need an admin key, the others any key, and public ones none. The table of routes decides."""
    library = FakeLibrary(FakeCatalog([TINY, HIDDEN]))
    async with proxy_running(FakeRuntime(), library.store, options=OPTIONS, library=library) as proxy:
        statuses = [(await request(proxy, spec, key)).status for key in (None, BOB, CAROL, ALICE)]
    without, bob, carol, alice = statuses
    assert (without == 401) is (spec.access is not Access.PUBLIC)
    assert (bob == 403) is (carol == 403) is (spec in ADMIN_SPECS)
    assert 401 not in statuses[1:]
    assert alice not in {401, 403}


@pytest.mark.parametrize("spec", ADMIN_SPECS, ids=lambda spec: spec.id)
async def test_admin_route_has_no_effect_without_admin_rights(spec: OperationSpec) -> None:
    """The refusal says what to do; nothing is stopped, removed or downloaded."""
    library = FakeLibrary(FakeCatalog([TINY, HIDDEN]))
    async with proxy_running(FakeRuntime(), library.store, options=OPTIONS, library=library) as proxy:
        reply = await ask(proxy.port, spec.method, path_of(spec), body=b"", headers=(as_key(BOB),))
        assert reply.status == 403
        message = reply.json()["error"] if spec.path.startswith("/api/") else reply.error["message"]
        assert "'admin = true'" in message
        assert "bob" not in message
        assert proxy.runtime.stops == 0
        assert await library.store.list_models() == [TINY, HIDDEN]
        assert await library.list_downloads() == []


@pytest.mark.parametrize("spec", CLIENT_SPECS, ids=lambda spec: spec.id)
async def test_no_route_for_clients_reveals_a_hidden_model(spec: OperationSpec) -> None:
    """For a key with ``models = ["CHAT*"]`` every route answers as if the other models did not exist."""
    names = (*HIDDEN.aliases, HIDDEN.name, HIDDEN.name.upper(), str(HIDDEN.id), "secret", "Org/assistan")
    async with proxy_running(
        FakeRuntime(
            {
                TINY.name: RunningTarget.local(1, 1, TINY.name, 1),
                HIDDEN.name: RunningTarget.local(1, 2, "x", 1),
            }
        ),
        FakeCatalog([TINY, HIDDEN]),
        options=OPTIONS,
    ) as proxy:
        for name in names:
            content = {"input" if "responses" in spec.path else "prompt": "x"}
            body = b"" if spec.body is None else json.dumps({"model": name, **content}).encode()
            reply = await ask(
                proxy.port, spec.method, path_of(spec, name), body=body, headers=(as_key(CAROL),)
            )
            shown = reply.body.decode().replace(f"'{name}'", "")
            assert not [word for word in SECRET_WORDS if word in shown], shown
            if spec.is_template or spec.body is Forwarded:
                assert reply.status == 404
                assert b"not_found" in reply.body
        assert proxy.runtime.admitted == []


async def test_hidden_model_is_answered_like_an_unknown_one() -> None:
    """The two responses differ only in the requested name, so that a key cannot find out which names exist."""
    async with proxy_running(FakeRuntime(), FakeCatalog([TINY, HIDDEN]), options=OPTIONS) as proxy:
        replies = []
        for name in (HIDDEN.name, "nosuch-model"):
            body = json.dumps({"model": name}).encode()
            reply = await ask(proxy.port, "POST", CHAT, body=body, headers=(as_key(CAROL),))
            replies.append((reply.status, reply.error["code"], reply.error["message"].replace(name, "NAME")))
    assert replies[0] == replies[1]
    assert replies[0][:2] == (404, "model_not_found")
    assert "the models that this API key may use: chat-tiny" in replies[0][2]


@pytest.mark.parametrize(
    "spec",
    [spec for spec in FORWARDED_SPECS if "responses" not in spec.path and spec.path not in BACKEND_PATHS],
    ids=lambda spec: spec.id,
)
async def test_allowed_model_is_served_by_every_name(spec: OperationSpec) -> None:
    """The patterns match one name of the model; requests may use any of them, and unrestricted keys any model.

    Not for Responses, which need the engine's answer to a chat, nor for paths that llama.cpp lacks.
    """
    async with engine_running(answer) as engine:
        target = RunningTarget.local(engine.port, TINY.id, TINY.name, 4096)
        runtime = FakeRuntime({TINY.name: target, HIDDEN.name: target})
        async with proxy_running(runtime, FakeCatalog([TINY, HIDDEN]), options=OPTIONS) as proxy:
            for key, name in [
                (CAROL, TINY.name),
                (CAROL, "ORG/ASSISTANT"),
                (CAROL, "1"),
                (BOB, HIDDEN.name),
                (ALICE, HIDDEN.name),
            ]:
                body = json.dumps({"model": name}).encode()
                reply = await ask(proxy.port, spec.method, spec.path, body=body, headers=(as_key(key),))
                assert reply.status == 200, (key, name)
        assert [lease.model_name for lease in runtime.admitted] == [TINY.name] * 3 + [HIDDEN.name] * 2


async def test_hint_of_an_engine_error_names_allowed_models_only() -> None:
    """For a missing capability the message lists models that have it: a hidden one is not among them."""

    async def refuse(exchange: Exchange) -> None:
        error = {
            "error": {
                "code": 501,
                "message": "This server does not support embeddings",
                "type": "not_supported_error",
            }
        }
        await exchange.write(json_answer(error, b"501 Not Implemented"))

    has_embedding = ModelCapabilities(embedding=True)
    models = [
        TINY,
        replace(HIDDEN, capabilities=has_embedding),
        ModelSummary(id=3, name="chat-vectors", capabilities=has_embedding),
    ]
    async with engine_running(refuse) as engine:
        runtime = FakeRuntime({TINY.name: RunningTarget.local(engine.port, TINY.id, TINY.name, 4096)})
        async with proxy_running(runtime, FakeCatalog(models), options=OPTIONS) as proxy:
            messages = []
            for key in (BOB, CAROL):
                body = json.dumps({"model": TINY.name}).encode()
                reply = await ask(proxy.port, "POST", "/v1/embeddings", body=body, headers=(as_key(key),))
                assert reply.error["code"] == "unsupported_by_model"
                messages.append(reply.error["message"])
    assert HIDDEN.name in messages[0]
    assert HIDDEN.name not in messages[1]
    assert "chat-vectors" in messages[1]


async def test_lists_have_the_models_of_the_key() -> None:
    """Both lists; file paths only for admins."""
    models = [TINY, HIDDEN]
    async with proxy_running(FakeRuntime(), FakeCatalog(models), options=OPTIONS) as proxy:
        for key, names in [
            (CAROL, [TINY.name]),
            (BOB, [TINY.name, HIDDEN.name]),
            (ALICE, [TINY.name, HIDDEN.name]),
        ]:
            openai = await ask(proxy.port, "GET", "/v1/models", headers=(as_key(key),))
            own = await ask(proxy.port, "GET", "/gglib/models", headers=(as_key(key),))
            assert [model["id"] for model in openai.json()["data"]] == names
            assert [model["name"] for model in own.json()["models"]] == names
            assert [model["paths"] is None for model in own.json()["models"]] == [key != ALICE] * len(names)
            one = await ask(proxy.port, "GET", f"/gglib/models/{TINY.name}", headers=(as_key(key),))
            assert (one.json()["paths"] is None) is (key != ALICE)


@pytest.mark.parametrize(
    ("key", "header", "priority"),
    [
        (BOB, None, Priority.INTERACTIVE),
        (BOB, "batch", Priority.BATCH),
        (BOB, "Interactive", Priority.INTERACTIVE),
        (DAVE, None, Priority.BATCH),
        (DAVE, "interactive", Priority.BATCH),
    ],
)
async def test_priority_reaches_the_runtime_and_not_the_engine(
    key: str, header: str | None, priority: Priority
) -> None:
    """By header, else by key; a batch key cannot raise itself. The engine gets no header of gglib."""
    async with engine_running(answer) as engine:
        runtime = FakeRuntime({TINY.name: RunningTarget.local(engine.port, TINY.id, TINY.name, 4096)})
        async with proxy_running(runtime, FakeCatalog([TINY]), options=OPTIONS) as proxy:
            headers = [
                as_key(key),
                ("X-Gglib-Future", "x"),
                *([("X-Gglib-Priority", header)] if header else []),
            ]
            body = json.dumps({"model": TINY.name}).encode()
            reply = await ask(proxy.port, "POST", CHAT, body=body, headers=tuple(headers))
        assert reply.status == 200
        assert [lease.priority for lease in runtime.admitted] == [priority]
        assert [name for name, _ in engine.exchanges[0].headers if name.lower().startswith("x-gglib")] == []


async def test_invalid_priority_is_refused() -> None:
    """A misspelt priority would be served with another one unnoticed. ``/health`` ignores it."""
    async with proxy_running(FakeRuntime(), options=OPTIONS) as proxy:
        headers = (as_key(BOB), ("x-gglib-priority", "urgent"))
        reply = await ask(proxy.port, "POST", CHAT, body=b'{"model": "tiny"}', headers=headers)
        assert (reply.status, reply.error["code"]) == (400, "invalid_request")
        assert "'interactive' or 'batch'" in reply.error["message"]
        assert proxy.runtime.admitted == []
        assert (await ask(proxy.port, "GET", "/health", headers=headers)).status == 200


DISGUISES = (
    *(
        "//gglib/status",
        "/gglib//status",
        "/gglib/status/",
        "/gglib/./status",
        "/gglib/%73tatus",
        "/GGLIB/status",
    ),
    *("/v1/gglib/status", "/v1/v1/gglib/status", "/v1/../gglib/status", "/health/../gglib/status"),
    *(
        "/gglib/models/x/../../status",
        "/gglib/models/..%2Fstatus",
        "/gglib/status%00",
        "/gglib/status;x",
        "/gglib/status?key=alice-admin-key",
    ),
    *(
        "//metrics",
        "/metrics/",
        "/v1/metrics",
        "/%6detrics",
        "/metrics?x",
        "/health/../metrics",
        "/%68ealth/../metrics",
    ),
    *(
        "/gglib/events/",
        "//gglib/downloads",
        "/gglib/downloads/x/events/",
        "/slots",
        "/props",
        "/v1/slots",
        "/lora-adapters",
    ),
)
"""Other spellings of admin paths, and paths of the engine."""


@pytest.mark.parametrize("key", [CAROL, None], ids=["limited", "none"])
async def test_no_spelling_of_a_path_is_a_way_around_the_check(key: str | None) -> None:
    """Nor a method, an upgrade, or a header that other servers honour."""
    headers: list[tuple[tuple[str, str], ...]] = [
        (),
        (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")),
        (("X-Original-URL", "/gglib/status"), ("X-HTTP-Method-Override", "GET")),
        (
            ("X-Forwarded-For", "127.0.0.1"),
            ("Cookie", f"key={ALICE}"),
            ("Proxy-Authorization", f"Bearer {ALICE}"),
        ),
    ]
    own = () if key is None else (as_key(key),)
    library = FakeLibrary(FakeCatalog([TINY, HIDDEN]))
    async with proxy_running(FakeRuntime(), library.store, options=OPTIONS, library=library) as proxy:
        for path in DISGUISES:
            for more in headers:
                for method in ("GET", "HEAD", "OPTIONS", "POST", "TRACE"):
                    reply = await ask(proxy.port, method, path, headers=(*own, *more))
                    assert reply.status in {400, 401, 403, 404, 405}, (method, path)
                    assert not any(word in reply.body.decode() for word in SECRET_WORDS), (method, path)


MACHINE = replace(
    TINY,
    paths=(Path("/srv/private/tiny.gguf"),),
    projector=Path("/srv/private/mmproj.gguf"),
    settings=ModelSettings(engine_args=("--private-flag", "x")),
    last_used_at=1_750_000_000,
)


async def test_only_admins_see_the_machine_and_the_times_of_use() -> None:
    """Paths, engine arguments and the last use are null for other keys, in the list and for one model."""
    async with proxy_running(FakeRuntime(), FakeCatalog([MACHINE]), options=OPTIONS) as proxy:
        for key, is_admin in ((ALICE, True), (BOB, False), (CAROL, False)):
            listed = await ask(proxy.port, "GET", "/gglib/models", headers=(as_key(key),))
            shown = await ask(proxy.port, "GET", "/gglib/models/chat-tiny", headers=(as_key(key),))
            expected = (
                ["/srv/private/tiny.gguf"],
                "/srv/private/mmproj.gguf",
                ["--private-flag", "x"],
                1_750_000_000,
            )
            for model in (listed.json()["models"][0], shown.json()):
                seen = tuple(model[name] for name in ("paths", "projector", "engine_args", "last_used_at"))
                assert seen == (expected if is_admin else (None,) * 4)
            assert is_admin or b"private" not in listed.body + shown.body


@pytest.mark.parametrize(
    ("error", "secret"),
    [
        (EngineBrokenError(Path("/srv/private/llama-server"), "it is private"), "private"),
        (EngineArgumentError("Engine argument '--private' takes no value."), "private"),
        (ModelLoadFailedError(TINY.name, "no tensors", ("private log line",)), "private"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_errors_show_the_machine_to_admins_only(error: Exception, secret: str) -> None:
    """Neither a path, nor an engine argument, nor the engine's log reaches another key."""
    async with proxy_running(FakeRuntime(fails_with=error), FakeCatalog([TINY]), options=OPTIONS) as proxy:
        for key, is_admin in ((ALICE, True), (BOB, False), (CAROL, False)):
            body = json.dumps({"model": TINY.name}).encode()
            reply = await ask(proxy.port, "POST", CHAT, body=body, headers=(as_key(key),))
            assert (reply.status, reply.error["code"]) == (500, getattr(error, "code", None))
            assert (secret in reply.error["message"]) is is_admin


async def test_engine_arguments_cannot_be_changed_over_http() -> None:
    """An admin key can read them; a body that names them is refused with the command that sets them."""
    library = FakeLibrary(FakeCatalog([MACHINE]))
    async with proxy_running(FakeRuntime(), library.store, options=OPTIONS, library=library) as proxy:
        body = json.dumps({"engine_args": ["--host", "box.lan"]}).encode()
        for method, path in (("PATCH", "/gglib/models/chat-tiny"), ("POST", "/gglib/models/chat-tiny/load")):
            reply = await ask(proxy.port, method, path, body=body, headers=(as_key(ALICE),))
            assert (reply.status, reply.error["code"]) == (403, "forbidden")
            assert "gglib set M --engine-args" in reply.error["message"]
        reply = await ask(proxy.port, "GET", "/gglib/models/chat-tiny", headers=(as_key(ALICE),))
        assert reply.json()["engine_args"] == ["--private-flag", "x"]


async def test_protected_field_is_forbidden_whatever_the_key() -> None:
    """An admin key may read engine arguments and paths, but not set them."""
    library = FakeLibrary(FakeCatalog([TINY]))
    async with proxy_running(FakeRuntime(), library.store, options=OPTIONS, library=library) as proxy:
        body = json.dumps({"path": "/m.gguf", "engine_args": ["--host", "box.lan"]}).encode()
        reply = await ask(proxy.port, "POST", "/gglib/models", body=body, headers=(as_key(ALICE),))
    assert (reply.status, reply.error["code"]) == (403, "forbidden")
    assert "gglib set M --engine-args" in reply.error["message"]


class TestReplacedKeys:
    """The server gets another set of keys while a client keeps its connection."""

    @pytest.fixture
    def apps(self, monkeypatch: pytest.MonkeyPatch) -> list[ProxyApp]:
        """Return the applications that ``serve`` creates."""
        made: list[ProxyApp] = []

        class Recorded(ProxyApp):
            def __init__(self, *arguments: object) -> None:
                super().__init__(*arguments)  # type: ignore[arg-type]
                made.append(self)

        monkeypatch.setattr("gglib.proxy.server.ProxyApp", Recorded)
        return made

    async def test_they_apply_to_the_next_request_of_a_connection(self, apps: list[ProxyApp]) -> None:
        """Equal heads of a connection are checked once; new keys make that check invalid, in both directions."""
        async with proxy_running(FakeRuntime(), FakeCatalog([TINY, HIDDEN]), options=OPTIONS) as proxy:
            async with await connect(proxy.port) as client:
                assert await self._names(client) == [TINY.name]
                assert await self._names(client) == [TINY.name]
                apps[0].replace_policy(policy({"carol": ApiKey(key=CAROL, models=("secret*",))}))
                assert await self._names(client) == [HIDDEN.name]
                apps[0].replace_policy(policy({"carol": ApiKey(key=CAROL)}))
                assert await self._names(client) == [TINY.name, HIDDEN.name]
                apps[0].replace_policy(policy({"alice": ApiKey(key=ALICE)}))
                assert await self._names(client) == 401
            apps[0].replace_policy(policy({}))
            async with await connect(proxy.port) as client:
                assert await self._names(client) == [TINY.name, HIDDEN.name]
                apps[0].replace_policy(policy({"alice": ApiKey(key=ALICE)}))
                assert await self._names(client) == 401

    async def test_admin_rights_are_lost_on_an_open_connection(self, apps: list[ProxyApp]) -> None:
        """The same head: first an admin, then a client."""
        async with (
            proxy_running(FakeRuntime(), FakeCatalog([TINY]), options=OPTIONS) as proxy,
            await connect(proxy.port) as client,
        ):
            statuses = []
            for keys in (None, {"alice": ApiKey(key=ALICE)}, {"alice": ApiKey(key=ALICE, is_admin=True)}):
                if keys is not None:
                    apps[0].replace_policy(policy(keys))
                headers = (as_key(ALICE), ("Connection", "keep-alive"))
                await client.send("GET", "/gglib/status", body=b"", headers=headers)
                statuses.append((await client.read_reply()).status)
        assert statuses == [200, 403, 200]

    async def _names(self, client: Client) -> list[str] | int:
        """Return the names in the list of models, or the status of a refusal."""
        headers = (as_key(CAROL), ("Connection", "keep-alive"))
        await client.send(
            "GET", "/v1/models", body=b"", headers=headers
        )  # only heads with a length are cached
        reply = await client.read_reply()
        return [model["id"] for model in reply.json()["data"]] if reply.status == 200 else reply.status


def policy(keys: dict[str, ApiKey]) -> AccessPolicy:
    """Return a policy with other keys."""
    return AccessPolicy(HostRules(frozenset(), frozenset()), CorsRules(), AccessKeys(keys))

"""Loading, unloading, pinning and changing one model over HTTP, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.support.waiting import until

from gglib.core.errors import ModelLoadFailedError
from gglib.core.models import ModelSettings, ModelSummary, RunningTarget
from gglib.core.priority import Priority
from gglib.testing import FakeCatalog, FakeLibrary, FakeRuntime

from .support import Proxy, Reply, ask, proxy_running

CODER = ModelSummary(
    id=7, name="Org/coder:Q4", aliases=("coder",), settings=ModelSettings(engine_args=("--mlock",))
)
CHAT = ModelSummary(id=8, name="chat")


class World(FakeRuntime):
    """A runtime with both models that counts how often pins were applied."""

    def __init__(self) -> None:
        models = (CODER, CHAT)
        super().__init__({model.name: RunningTarget.local(1, model.id, model.name, 512) for model in models})
        self.store = FakeCatalog(models)
        self.pins_applied = 0

    async def apply_pins(self) -> None:
        """Count the call."""
        self.pins_applied += 1


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Proxy, World]]:
    """Serve two models."""
    world = World()
    async with proxy_running(world, world.store, library=FakeLibrary(world.store)) as proxy:
        yield proxy, world


async def send(proxy: Proxy, method: str, path: str, body: Any = None) -> Reply:
    """Send a request with a JSON body."""
    content = b"" if body is None else json.dumps(body).encode()
    return await ask(proxy.port, method, f"/gglib/models/{path}", body=content)


@pytest.mark.parametrize("name", ["Org/coder:Q4", "Org%2Fcoder%3AQ4", "coder", "7"])
async def test_a_model_is_loaded_and_unloaded_by_any_name(name: str) -> None:
    """The response to a load has the model and its context; a second unload stops nothing."""
    async with serving() as (proxy, world):
        loaded = await send(proxy, "POST", f"{name}/load")
        assert loaded.status == 200
        assert loaded.json() == {
            "model_id": 7,
            "model_name": "Org/coder:Q4",
            "effective_ctx": 512,
            "node": None,
        }
        current = await world.current_model()
        assert current is not None
        assert current.model_id == 7
        unloaded = [(await send(proxy, "POST", f"{name}/unload")).json() for _ in range(2)]
        assert unloaded == [
            {"stopped": ["Org/coder:Q4"], "node": None},
            {"stopped": [], "node": None},
        ]
        assert await world.current_model() is None


async def test_an_unload_leaves_other_models_in_memory() -> None:
    """The current model is another one."""
    async with serving() as (proxy, world):
        await send(proxy, "POST", "chat/load")
        assert (await send(proxy, "POST", "coder/unload")).json() == {"stopped": [], "node": None}
        assert await world.current_model() is not None


async def test_a_load_waits_until_the_model_is_ready() -> None:
    """A load that fails has the status and code that a request gets; a disconnect ends the wait."""
    async with serving() as (proxy, world):
        world.gate = asyncio.Event()
        task = asyncio.create_task(send(proxy, "POST", "chat/load", {"num_ctx": 100}))
        await until(lambda: world.waiting == 1)
        assert not task.done()
        world.fails_with = ModelLoadFailedError("chat", "out of memory")
        world.gate.set()
        failed = await task
    assert (failed.status, failed.error["code"]) == (500, "model_load_failed")


async def test_a_pin_is_stored_and_applied_at_once() -> None:
    """The response is the model with its pin."""
    async with serving() as (proxy, world):
        assert (await send(proxy, "POST", "coder/pin")).json()["is_pinned"] is True
        stored = await world.store.resolve_model("coder")
        assert stored is not None
        assert stored.settings == ModelSettings(engine_args=("--mlock",), is_pinned=True)
        assert (await send(proxy, "POST", "coder/unpin")).json()["is_pinned"] is False
        assert world.pins_applied == 2


async def test_a_patch_changes_the_fields_it_has() -> None:
    """Names, tags and settings are changed in one request; null resets a setting."""
    async with serving() as (proxy, world):
        changes = {"aliases": ["c"], "tags": ["t"], "context": 1024, "idle_ttl_s": 60, "priority": "batch"}
        changed = await send(proxy, "PATCH", "coder", changes)
        assert changed.status == 200
        shown = changed.json()
        assert {name: shown[name] for name in changes} == changes
        assert shown["is_pinned"] is False
        await send(proxy, "PATCH", "c", {"context": None, "is_pinned": True})
        stored = await world.store.resolve_model("c")
    assert stored is not None
    assert stored.settings == ModelSettings(
        engine_args=("--mlock",), idle_ttl_s=60.0, is_pinned=True, priority=Priority.BATCH
    )
    assert world.pins_applied == 2


async def test_a_patch_renames_a_model() -> None:
    """The response has the new name; the old one is none any more, and the alias stays."""
    async with serving() as (proxy, world):
        changed = await send(proxy, "PATCH", "coder", {"name": "new", "tags": ["t"]})
        assert (changed.status, changed.json()["name"], changed.json()["tags"]) == (200, "new", ["t"])
        assert (await send(proxy, "PATCH", "Org/coder:Q4", {"tags": []})).status == 404
        stored = await world.store.resolve_model("new")
    assert stored == replace(CODER, name="new", tags=("t",))


async def test_null_resets_every_field() -> None:
    """Also the fields whose default is empty or false."""
    names = ("aliases", "tags", "context", "idle_ttl_s", "kind", "is_pinned", "priority")
    async with serving() as (proxy, world):
        changes = {"tags": ["t"], "context": 1024, "idle_ttl_s": 60, "is_pinned": True, "priority": "batch"}
        assert (await send(proxy, "PATCH", "coder", changes)).status == 200
        changed = await send(proxy, "PATCH", "coder", dict.fromkeys(names))
        assert changed.status == 200
        stored = (await world.store.list_models())[0]
    assert stored == replace(CODER, aliases=())


@pytest.mark.parametrize(
    ("name", "body", "status", "code", "param"),
    [
        ("coder", {"engine_args": ["--mlock"]}, 403, "forbidden", None),
        ("coder", {"context": 0}, 400, "invalid_request", "context"),
        ("coder", {"aliases": [None]}, 400, "invalid_request", "aliases"),
        ("coder", {"name": None}, 400, "invalid_request", "name"),
        ("coder", {"name": ""}, 400, "invalid_request", "name"),
        ("coder", {"name": "x" * 201}, 400, "invalid_request", "name"),
        ("coder", {"name": "CHAT"}, 409, "model_exists", None),
        ("coder", {"colour": 1}, 400, "invalid_request", "colour"),
        ("coder", {"aliases": ["chat"]}, 409, "model_exists", None),
        ("code", {"context": 1}, 404, "model_not_found", "model"),
    ],
)
async def test_a_patch_that_is_refused_changes_nothing(
    name: str, body: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    """The error names the field."""
    async with serving() as (proxy, world):
        reply = await send(proxy, "PATCH", name, {"tags": ["new"], **body})
        stored = await world.store.list_models()
    assert (reply.status, reply.error["code"], reply.error["param"]) == (status, code, param)
    assert stored == [CODER, CHAT]


@pytest.mark.parametrize("action", ["load", "unload", "pin", "unpin"])
async def test_an_unknown_model_is_not_found(action: str) -> None:
    """The error suggests similar names."""
    async with serving() as (proxy, _):
        reply = await send(proxy, "POST", f"code/{action}")
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")
    assert "coder" in reply.error["message"]

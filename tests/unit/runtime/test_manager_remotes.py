"""Models with a URL in the manager: beside the scheduler, whatever it does."""

import asyncio
import math
from pathlib import Path

import pytest
from tests.unit.runtime.test_manager import MemoryLauncher, run_pending_tasks

from gglib.core.backends import UrlBackend
from gglib.core.errors import BackendKeyMissingError, ShuttingDownError, UpstreamError
from gglib.core.models import ModelSettings, ModelSummary
from gglib.runtime import EngineManager, RuntimeConfig
from gglib.testing import FakeCatalog

SERVER = UrlBackend(base_url="https://box/openai/v1", model="theirs")


def manager_of(launcher: MemoryLauncher, backend: UrlBackend = SERVER) -> EngineManager:
    """Return a manager of a local model and a pinned one at a URL, with room for one model."""
    catalog = FakeCatalog(
        [
            ModelSummary(id=1, name="a", paths=(Path("/models/a.gguf"),)),
            ModelSummary(
                id=2, name="r", backend=backend, settings=ModelSettings(is_pinned=True, context=4096)
            ),
        ]
    )
    return EngineManager(catalog, launcher, RuntimeConfig(watch_interval_s=0, drain_s=math.inf))


async def test_a_remote_model_needs_no_room() -> None:
    """Its request gets a target at once, while the only place is taken, and nothing is launched or evicted."""
    launcher = MemoryLauncher()
    async with manager_of(launcher) as manager:
        await manager.apply_pins()
        async with manager.admit("a", None, 8192), manager.admit("r", None, 8192) as target:
            assert (target.base_url, target.path_prefix) == ("https://box", "/openai/v1")
            assert (target.served_name, target.effective_ctx, target.is_remote) == ("theirs", 4096, True)
            assert manager.in_flight == 2
            status = await manager.status()
            assert [r.model_name for r in status.residents] == ["a"]
            assert [(r.model_name, r.in_flight) for r in status.remotes] == [("r", 1)]
            assert manager.take_used_model_ids() == {1, 2}
        assert manager.in_flight == 0
        assert launcher.calls == ["prepare", "check a", "start a"]
        assert (await manager.status()).remotes[0].is_reachable is True


async def test_a_removed_model_leaves_the_status() -> None:
    """With the next look at the catalogue."""
    catalog = FakeCatalog([ModelSummary(id=2, name="r", backend=SERVER)])
    async with EngineManager(catalog, MemoryLauncher(), RuntimeConfig(watch_interval_s=0)) as manager:
        async with manager.admit("r", None, 8192):
            pass
        await manager.replace_changed()
        assert len((await manager.status()).remotes) == 1
        await catalog.remove_model("r")
        await manager.replace_changed()
        assert (await manager.status()).remotes == ()


async def test_a_load_and_an_unload_do_nothing() -> None:
    """It is never in memory: a load returns its target, and there is nothing to unload."""
    async with manager_of(MemoryLauncher()) as manager:
        assert (await manager.load("r", None, 8192)).model_name == "r"
        assert await manager.loaded_target("r") is None
        assert await manager.current_model() is None
        assert not await manager.unload("r")
        assert manager.in_flight == 0
        assert (await manager.status()).remotes[0].is_reachable is None  # nothing was sent to it


async def test_a_failed_exchange_is_in_the_status_and_keeps_its_error() -> None:
    """Errors of the server are those of the proxy; the next request tries again."""
    async with manager_of(MemoryLauncher()) as manager:
        with pytest.raises(UpstreamError, match="It broke off"):
            async with manager.admit("r", None, 8192):
                raise UpstreamError("It broke off.")
        (remote,) = (await manager.status()).remotes
        assert (remote.is_reachable, remote.last_failure, remote.in_flight) == (False, "It broke off.", 0)
        async with manager.admit("r", None, 8192):
            pass
        assert (await manager.status()).remotes[0].is_reachable is True


async def test_a_missing_key_refuses_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable; with it the request succeeds, without a restart."""
    monkeypatch.delenv("BOX_KEY", raising=False)
    async with manager_of(
        MemoryLauncher(), UrlBackend(base_url="http://box/v1", key_env="BOX_KEY")
    ) as manager:
        with pytest.raises(BackendKeyMissingError, match="BOX_KEY"):
            await manager.ensure_model_running("r", None, 8192)
        assert manager.in_flight == 0
        monkeypatch.setenv("BOX_KEY", "k")
        assert (await manager.ensure_model_running("r", None, 8192)).bearer_key == "k"


async def test_a_drain_waits_for_remote_requests_and_refuses_new_ones() -> None:
    """As for local models."""
    async with manager_of(MemoryLauncher()) as manager:
        async with manager.admit("r", None, 8192):
            draining = asyncio.create_task(manager.drain())
            await run_pending_tasks()
            assert not draining.done()
            with pytest.raises(ShuttingDownError):
                await manager.ensure_model_running("r", None, 8192)
        await draining

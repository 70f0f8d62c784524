"""Prompts that are kept over a swap: real processes of the scripted engine, real files, and what may go wrong."""

import asyncio
import errno
import logging
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.fixed_accounts import FixedAccounts
from tests.support.waiting import until

from gglib.core.models import ModelSettings
from gglib.core.ports import ResidentStatus
from gglib.http.client.one_shot import OneShotRequest, request_once
from gglib.runtime import EngineManager
from gglib.runtime.local.kept_prompts import saving
from gglib.runtime.local.kept_prompts.model_record import ModelRecord
from gglib.runtime.local.kept_prompts.service import KeepSettings
from gglib.runtime.local.kept_prompts.store import KeptStore
from gglib.runtime.memory import MemoryAccounts
from gglib.testing import Script

if TYPE_CHECKING:
    from tests.integration.runtime.conftest import World
else:
    World = object

TOKENS = 1000
SCRIPT = Script(slot_tokens=TOKENS)
ON = ModelSettings(keep_conversations=True)


@asynccontextmanager
async def keeping(
    world: World,
    script: Script = SCRIPT,
    *,
    settings: ModelSettings = ON,
    memory: MemoryAccounts | None = None,
    **config: Any,
) -> AsyncIterator[EngineManager]:
    """Run a manager that keeps prompts; model ``a`` has the settings."""
    world._set("a", settings)
    keep = KeepSettings(directory=world.home / "kept", limit_bytes=config.pop("limit_bytes", 10**9), **config)
    async with world.manager(script, keep=keep, memory=memory) as manager:
        yield manager


async def talk(manager: EngineManager, name: str = "a", times: int = 1) -> ResidentStatus:
    """Send completions to a model, and return its status."""
    for _ in range(times):
        async with manager.admit(name, None, 4096) as target:
            request = OneShotRequest(b"POST", b"/v1/completions", b"", b'{"prompt":"x"}')
            async with request_once(target, request, connect_timeout_s=5) as connection:
                assert connection.head.status == 200
                _ = [part async for part in connection]
    (resident,) = (await manager.status()).residents
    return resident


def files(world: World) -> list[str]:
    """Return the names of the saved conversations of model ``a``."""
    return sorted(path.name for path in (world.home / "kept").glob("1/slot-*"))


def actions(world: World, action: str) -> list[str]:
    """Return the paths of the requests that saved or restored slots."""
    return [event["path"] for event in world.events("request") if f"action={action}" in event["path"]]


async def test_prompts_return_to_their_slots(world: World) -> None:
    """All of them, in one save and one restore each; what no request has used since is not written again."""
    async with keeping(world) as manager:
        await talk(manager, times=2)
        await talk(manager, "b")
        assert files(world) == ["slot-0.bin", "slot-0.json", "slot-1.bin", "slot-1.json"]
        resident = await _loaded(manager)
        assert resident.restored is not None
        assert (resident.restored.slots, resident.restored.tokens) == (2, 2 * TOKENS)
        target = await manager.loaded_target("a")
        assert target is not None
        assert (target.slots, sorted(target.kept_slots)) == (4, [0, 1])
        assert len(actions(world, "save")) == 2
        assert await manager.unload("a")
        assert len(actions(world, "save")) == 2
        assert len(files(world)) == 4
        totals = (await manager.status()).kept
        assert totals is not None
        assert (totals.saved.slots, totals.restored.slots, totals.files) == (2, 2, 2)
    assert files(world) == []
    assert world.living() == []


async def _loaded(manager: EngineManager) -> ResidentStatus:
    await manager.ensure_model_running("a", None, 4096)
    (resident,) = (await manager.status()).residents
    return resident


async def test_they_outlast_a_restart_if_the_setting_says_so(world: World) -> None:
    """Saved at the shutdown, too."""
    async with keeping(world, keeps_over_restart=True) as manager:
        await talk(manager)
    assert len(files(world)) == 2
    async with keeping(world, keeps_over_restart=True) as manager:
        resident = await _loaded(manager)
        assert resident.restored is not None
    async with keeping(world):
        assert files(world) == []


async def test_a_shutdown_saves_nothing(world: World) -> None:
    """Without the setting: it would be deleted at once."""
    async with keeping(world) as manager:
        await talk(manager)
    assert actions(world, "save") == []


async def test_a_swap_waits_for_a_twentieth_of_the_load_at_most(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """By default: these saves would take longer than that, and a hint names the command."""
    caplog.set_level(logging.INFO, "gglib.runtime")
    script = replace(SCRIPT, slot_bytes=1, slot_save_s=0.2)
    memory = FixedAccounts(1.5)  # not for both
    async with keeping(world, script, settings=ModelSettings(), memory=memory) as manager:
        note_slow_saves(world)
        await talk(manager)
        await talk(manager, "b")
        assert actions(world, "save") == []
        resident = await _loaded(manager)
        assert resident.keep_hint is not None
    assert "'gglib set a --keep-conversations on'" in caplog.text


def note_slow_saves(world: World) -> None:
    """Note that a save of model ``a`` takes a second, as if that had been measured."""
    store = KeptStore(world.home / "kept")
    store.open_model(1)
    store.write_record(1, ModelRecord(prompt_tokens_s=100.0, bytes_token=1.0, save_bytes_s=1000.0))


async def test_one_slow_save_does_not_end_them(world: World) -> None:
    """A disk that was busy at that moment: after some stops without a save there is another try."""
    script = replace(SCRIPT, slot_bytes=4096, slot_save_s=0.0)
    async with keeping(world, script) as manager:
        store = KeptStore(world.home / "kept")
        store.open_model(1)
        slow = ModelRecord(prompt_tokens_s=100.0, bytes_token=4096.0, save_bytes_s=4096.0 * TOKENS / 12)
        store.write_record(1, slow)
        await talk(manager)
        assert await manager.unload("a")
        assert actions(world, "save") == []
        for _ in range(40):
            await talk(manager)
            assert await manager.unload("a")
            if actions(world, "save"):
                break
        else:
            raise AssertionError("no save was tried again")
        record = store.record(1)
        assert record.save_bytes_s is not None
        assert slow.save_bytes_s is not None
        assert record.save_bytes_s > 10 * slow.save_bytes_s


@asynccontextmanager
async def saving_beside(world: World, *, save_s: float, **overrides: Any) -> AsyncIterator[EngineManager]:
    """Run a manager on a machine with memory for two, in which ``a`` saves while ``b`` loads."""
    script = replace(SCRIPT, slot_bytes=1, slot_save_s=save_s, **overrides)
    memory = FixedAccounts(2.5)
    async with keeping(world, script, settings=ModelSettings(), memory=memory) as manager:
        note_slow_saves(world)
        await talk(manager)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(manager.ensure_model_running("b", None, 4096))
            await until(lambda: bool(actions(world, "save")))
        yield manager


async def states(manager: EngineManager) -> dict[str, str]:
    """Return the state of each model that is in memory."""
    return {resident.model_name: resident.state for resident in (await manager.status()).residents}


async def wait_for_exit(manager: EngineManager, name: str = "a") -> None:
    """Return when a model is not in memory any more."""
    async with asyncio.timeout(20):
        while name in await states(manager):  # noqa: ASYNC110 - the exit sets no event
            await asyncio.sleep(0.01)


async def test_a_load_begins_beside_the_saves(world: World) -> None:
    """Where there is memory for both: the next model is ready before the saves end, and the swap has them."""
    async with saving_beside(world, save_s=1.5) as manager:
        assert await states(manager) == {"a": "stopping", "b": "ready"}
        assert files(world) == []
        (swap,) = manager.swaps(1)
        assert (swap.from_model, swap.to_model, swap.saved) == ("a", "b", None)
        await wait_for_exit(manager)
        assert files(world) == ["slot-0.bin", "slot-0.json"]
        (swap,) = manager.swaps(1)
        assert swap.saved is not None
        assert (swap.saved.tokens, swap.saved.slots) == (TOKENS, 1)
        assert swap.stop_s < 1.0
        resident = await _loaded(manager)
        assert resident.restored is not None


async def test_a_model_that_saves_is_loaded_again_after_its_exit(world: World) -> None:
    """There are never two engines of one model; the new one has what was saved."""
    async with saving_beside(world, save_s=1.0) as manager:
        await manager.ensure_model_running("a", None, 4096)
        assert await states(manager) == {"a": "ready"}
        resident = await _loaded(manager)
        assert resident.restored is not None


async def test_a_third_model_ends_saves_beside_a_load(world: World) -> None:
    """It may need the memory; a request for the model that loads does not."""
    async with saving_beside(world, save_s=8.0) as manager:
        await manager.ensure_model_running("b", None, 4096)
        assert "a" in await states(manager)
        began_s = time.monotonic()
        await manager.ensure_model_running("broken", None, 4096)
        await wait_for_exit(manager)
        assert time.monotonic() - began_s < 6.0


async def test_a_load_without_enough_memory_ends_saves(world: World) -> None:
    """It is repeated once the memory of the engine that saves is free."""
    fails = {"b": {"load_fails_with": "ggml: failed to allocate CPU buffer: out of memory", "load_s": 0.5}}
    began_s = time.monotonic()
    with pytest.raises(ExceptionGroup):
        async with saving_beside(world, save_s=8.0, scripts=fails):
            pass
    assert time.monotonic() - began_s < 7.0
    names = [event["argv"][event["argv"].index("--alias") + 1] for event in world.events("start")]
    assert names == ["a", "b", "b"]


async def test_a_shutdown_ends_saves_beside_a_load(world: World) -> None:
    """Both engines are gone, and nothing is left."""
    async with saving_beside(world, save_s=20.0) as manager:
        began_s = time.monotonic()
        await manager.close()
        assert time.monotonic() - began_s < 8.0
    assert files(world) == []
    assert world.living() == []


async def test_off_means_off(world: World) -> None:
    """For the model, with the reason; and for all by ``kv_keep = 0``."""
    async with keeping(world, settings=ModelSettings(keep_conversations=False)) as manager:
        resident = await talk(manager)
        assert resident.kept_off_reason == "its setting keep-conversations is off"
        await manager.unload("a")
    async with keeping(world, limit_bytes=0) as manager:
        assert (await talk(manager)).kept_off_reason is None
        await manager.unload("a")
    assert actions(world, "save") == []


async def test_nothing_is_kept_any_more(world: World) -> None:
    """After a reload with ``kv_keep = 0``: what there is goes."""
    world._set("a", ON)
    keep = KeepSettings(directory=world.home / "kept", limit_bytes=10**9)
    async with world.manager(SCRIPT, keep=keep) as manager:
        await talk(manager)
        await manager.unload("a")
        launcher, config = world.launcher, world.launch_config
        assert launcher is not None
        assert config is not None
        launcher.reconfigure(replace(config, keep=replace(keep, limit_bytes=0)))
        await until(lambda: not files(world))
        await talk(manager)
        await manager.unload("a")
        assert files(world) == []


async def test_an_engine_that_refuses_is_not_asked_again(world: World) -> None:
    """It cannot with a projector."""
    async with keeping(world, replace(SCRIPT, slot_fault="unsupported")) as manager:
        await talk(manager)
        await manager.unload("a")
        resident = await talk(manager)
        assert resident.kept_off_reason == "a model with a projector cannot save its slots"
        await manager.unload("a")
    assert len(actions(world, "save")) == 1


@pytest.mark.parametrize("fault", ["full disk", "die in save"])
async def test_a_failed_save_is_cold(world: World, caplog: pytest.LogCaptureFixture, fault: str) -> None:
    """Nothing is left of it; the next load works."""
    async with keeping(world, replace(SCRIPT, slot_fault=fault)) as manager:
        await talk(manager)
        await talk(manager, "b")
        assert files(world) == []
        resident = await talk(manager)
        assert resident.restored is None
    assert "conversations of 'a' cannot be saved" in caplog.text or fault == "die in save"
    assert not list((world.home / "run" / "engines").glob("*"))
    assert world.living() == []


@pytest.mark.parametrize("fault", ["refused restore", "die in restore"])
async def test_a_failed_restore_is_cold(world: World, fault: str) -> None:
    """The file is deleted; an engine that dies of it starts again without it."""
    async with keeping(world, replace(SCRIPT, slot_fault=fault)) as manager:
        await talk(manager)
        await manager.unload("a")
        assert len(files(world)) == 2
        resident = await talk(manager)
        assert resident.restored is None
        assert files(world) == []
    assert world.living() == []


async def test_a_truncated_file_and_another_model_file_are_not_used(world: World) -> None:
    """Nor sent to the engine: they are deleted."""
    async with keeping(world) as manager:
        await talk(manager)
        await manager.unload("a")
        data = world.home / "kept" / "1" / "slot-0.bin"
        data.write_bytes(data.read_bytes()[:-1])
        assert (await _loaded(manager)).restored is None
        assert files(world) == []
        await talk(manager)
        await manager.unload("a")
        assert len(files(world)) == 2
        later = time.time() + 5
        os.utime(world.home / "a.gguf", (later, later))
        assert (await _loaded(manager)).restored is None
        assert files(world) == []
    assert actions(world, "restore") == []


async def test_a_directory_that_cannot_be_used_is_one_sentence(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The model runs as without it."""
    (world.home / "kept").write_text("a file")
    async with keeping(world) as manager:
        resident = await talk(manager)
        assert resident.kept_off_reason == "its directory or its engine cannot be used"
        await manager.unload("a")
    assert caplog.text.count("conversations of 'a' are not kept") == 1


@pytest.fixture
def elsewhere(world: World) -> Iterator[Path]:
    """Return a private directory on another file system than the home."""
    memory = Path("/dev/shm")  # noqa: S108 - of the tests
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == world.home.stat().st_dev:
        pytest.skip("needs a second file system, /dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        yield Path(directory)


async def test_a_directory_on_another_file_system_is_not_used(
    world: World, elsewhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file cannot be moved there: without this, each stop would write all of them for nothing."""
    world._set("a", ON)
    keep = KeepSettings(directory=elsewhere, limit_bytes=10**9)
    async with world.manager(SCRIPT, keep=keep) as manager:
        await talk(manager)
        await manager.unload("a")
    assert "is on another file system than the rest of gglib's home" in caplog.text
    assert actions(world, "save") == []


async def test_a_crashed_engine_saves_nothing(world: World) -> None:
    """What was saved before is still right."""
    async with keeping(world) as manager:
        resident = await talk(manager)
        assert resident.pid is not None
        os.kill(resident.pid, 9)
        while (await manager.status()).residents:  # noqa: ASYNC110 - the exit sets no event
            await asyncio.sleep(0.01)
        await talk(manager)
    assert actions(world, "save") == []


async def test_a_request_ends_saves_that_nothing_waited_for(world: World) -> None:
    """The engine stops at once; nothing half is left."""
    script = replace(SCRIPT, slot_save_s=8.0)
    async with keeping(world, script, settings=ModelSettings()) as manager:
        await talk(manager)
        unloading = asyncio.create_task(manager.unload("a"))
        await until(lambda: bool(actions(world, "save")))
        began_s = time.monotonic()
        await talk(manager, "b")
        assert time.monotonic() - began_s < 6.0
        await unloading
        assert files(world) == []


async def test_a_shutdown_ends_saves_that_it_would_delete(world: World) -> None:
    """Also of a model that may use the whole time."""
    async with keeping(world, replace(SCRIPT, slot_save_s=20.0)) as manager:
        await talk(manager)
        unloading = asyncio.create_task(manager.unload("a"))
        await until(lambda: bool(actions(world, "save")))
        began_s = time.monotonic()
        await manager.close()
        await unloading
        assert time.monotonic() - began_s < 8.0
    assert files(world) == []
    assert world.living() == []


async def test_an_engine_that_hangs_is_not_waited_for(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing of its slots, so nothing is saved."""
    monkeypatch.setattr(saving, "STATE_LIMIT_S", 0.2)
    async with keeping(world) as manager:
        resident = await talk(manager)
        assert resident.pid is not None
        os.kill(resident.pid, signal.SIGSTOP)
        unloading = asyncio.create_task(manager.unload("a"))
        await until(lambda: "that takes longer than expected" in caplog.text)
        os.kill(resident.pid, signal.SIGCONT)
        await unloading
    assert actions(world, "save") == []


async def test_a_full_disk_at_a_restore_costs_no_second_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is not the cause: it goes on, and so do the files."""

    def fail(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    async with keeping(world) as manager:
        await talk(manager, times=2)
        await manager.unload("a")
        monkeypatch.setattr(Path, "symlink_to", fail)
        starts = len(world.events("start"))
        assert (await _loaded(manager)).restored is None
        assert len(world.events("start")) == starts + 1
        assert len(files(world)) == 4


async def test_restores_without_reuse_switch_it_off(world: World) -> None:
    """Three in a row; one with reuse would begin anew."""
    async with keeping(world) as manager:
        for _ in range(3):
            await talk(manager)
            manager.note_cached("a", 0, time.time() + 1)
            await manager.unload("a")
        await _loaded(manager)
        manager.note_cached("a", 0, time.time() + 1)
        await manager.unload("a")
        resident = await _loaded(manager)
        assert resident.kept_off_reason == "three restores in a row were not reused by this build"
        assert resident.restored is None


async def test_what_a_crash_left_goes_at_the_next_start(world: World) -> None:
    """Halves in any case, and complete files without the setting."""
    directory = world.home / "kept" / "1"
    directory.mkdir(parents=True)
    for path in (world.home / "kept", directory):
        path.chmod(0o700)
    for name in ("slot-0.bin", "slot-1.json", "slot-2.json.tmp"):
        (directory / name).write_text("x")
    async with keeping(world, keeps_over_restart=True):
        assert list(directory.iterdir()) == []

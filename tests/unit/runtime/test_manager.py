"""The manager over an in-memory launcher: requests and launches, without a process."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gglib.core.errors import (
    BatchSlotsFullError,
    EngineDiedError,
    ModelFileNotFoundError,
    ModelLoadFailedError,
    ModelOutOfMemoryError,
    ShuttingDownError,
    UpstreamError,
)
from gglib.core.memory import DeviceBytes, DeviceMemory
from gglib.core.models import ModelEdit, ModelLaunchSpec, ModelSettings, ModelSummary, RunningTarget
from gglib.core.priority import Priority
from gglib.core.runtime.events import ModelPromptsRestored, ModelPromptsSaved, ModelReady, ModelUnloaded
from gglib.core.runtime.kept_prompts import NO_TRANSFER, KeptTotals, KeptTransfer
from gglib.core.runtime.slots import SlotCopy
from gglib.runtime import EngineManager, RuntimeConfig
from gglib.runtime.launcher import EngineRun, Launcher, MakeWay, RunEvent, UnexpectedExit
from gglib.runtime.memory import LaunchedEngine, Measurement, RunningEngine
from gglib.runtime.scheduler import keep_warm
from gglib.runtime.scheduler.events import BecameReady, Died, Launch, LoadFailed
from gglib.runtime.scheduler.kept_events import PromptsRestored, PromptsSaved
from gglib.runtime.scheduler.saving import SaveLimits
from gglib.testing import FakeCatalog

MODELS = ("a", "b")


@pytest.fixture(autouse=True)
def keeps_nothing_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evict an idle model at once: how long it is kept depends on its load, which is slow on a busy machine."""
    monkeypatch.setattr(keep_warm, "UNKNOWN_CLIENT_DIVISOR", math.inf)


class MemoryRun:
    """A launch that becomes ready, fails, crashes and ends when the test says so."""

    def __init__(
        self, launch: Launch, on_event: Callable[[RunEvent], None], on_exit: Callable[[EngineRun], None]
    ) -> None:
        self.launch = launch
        self.spec = launch.spec
        self.started_at = asyncio.get_running_loop().time()
        self.ready_at: float | None = None
        self.pid: int | None = None
        self.slots: int | None = None
        self.prompt_cache_mib: int | None = None
        self.threads: int | None = None
        self.restored: KeptTransfer | None = None
        self.kept_off_reason: str | None = None
        self.keep_hint: str | None = None
        self.keep_conversations: bool | None = None
        self.saves: KeptTransfer | None = None
        self.target: RunningTarget | None = None
        self.unavailable = asyncio.Event()
        self.unexpected_exit: UnexpectedExit | None = None
        self.is_overwritten = False
        self.copies: list[SlotCopy] = []
        self.was_stopped = False
        self.was_hurried = False
        self.save_limits: SaveLimits | None = None
        self.make_way: MakeWay | None = None
        self.lingers = False
        """Whether it goes on after its stop, until the test calls ``end``."""
        self.reuses: list[bool] = []
        self._on_event = on_event
        self._on_exit = on_exit
        self._is_gone = asyncio.Event()

    def restore(self, transfer: KeptTransfer) -> None:
        """Restore prompts."""
        self.restored = transfer
        self._on_event(PromptsRestored(self.launch.generation, transfer))

    def become_ready(self) -> None:
        """Become ready."""
        spec = self.spec
        self.ready_at = asyncio.get_running_loop().time()
        self.target = RunningTarget.local(1, spec.model_id, spec.model_name, self.launch.context)
        self._on_event(BecameReady(self.launch.generation))

    def fail(self, reason: str) -> None:
        """Fail before ready."""
        self._on_event(LoadFailed(self.launch.generation, ModelLoadFailedError(self.spec.model_name, reason)))
        self.end()

    def run_out_of_memory(self) -> None:
        """Fail before ready for lack of memory."""
        error = ModelOutOfMemoryError(self.spec.model_name, "out of memory")
        self._on_event(LoadFailed(self.launch.generation, error))
        self.end()

    def die(self, ended: UnexpectedExit) -> None:
        """Exit; ``end`` finishes the cleanup."""
        self.unexpected_exit = ended
        self.unavailable.set()
        self._on_event(Died(self.launch.generation, ended.reason))

    def end(self) -> None:
        """Finish the cleanup, after a save if the test wants one."""
        if self.saves is not None:
            self._on_event(PromptsSaved(self.launch.generation, self.saves))
        self._is_gone.set()
        self._on_exit(self)

    async def is_file_overwritten(self) -> bool:
        """Whether the test set it."""
        return self.is_overwritten

    async def prompt_cost_s(self) -> float | None:
        """Unknown."""
        return None

    async def copy_slot(self, copy: SlotCopy) -> bool:
        """Note the copy."""
        self.copies.append(copy)
        return True

    def hurry(self, *, is_shutdown: bool = False) -> None:  # noqa: ARG002 - of the protocol
        """Note that a request waits."""
        self.was_hurried = True

    def note_reuse(self, *, is_reused: bool) -> None:
        """Note the reuse."""
        self.reuses.append(is_reused)

    def stop(self, saves: SaveLimits | None = None, make_way: MakeWay | None = None) -> None:
        """Stop soon."""
        self.save_limits, self.make_way = saves, make_way
        if not self.was_stopped:
            self.was_stopped = True
            self.unavailable.set()
            if not self.lingers:
                asyncio.get_running_loop().call_soon(self.end)

    async def wait(self) -> None:
        """Return when the run has ended."""
        await self._is_gone.wait()


class MemoryLauncher:
    """Starts only ``MemoryRun`` objects; each is ready at once unless ``is_manual``."""

    def __init__(self, *, is_manual: bool = False) -> None:
        self.calls: list[str] = []
        self.runs: list[MemoryRun] = []
        self.refused: set[str] = set()
        self.totals: KeptTotals | None = None
        self._is_manual = is_manual

    async def prepare(self) -> None:
        """Record the call."""
        self.calls.append("prepare")

    async def check(self, spec: ModelLaunchSpec) -> ModelLaunchSpec:
        """Raise for the models in ``refused``."""
        self.calls.append(f"check {spec.model_name}")
        if spec.model_name in self.refused:
            raise ModelFileNotFoundError(spec.model_name)
        return spec

    @property
    def stopped(self) -> list[str]:
        """The models whose runs were stopped, in the order of their starts."""
        return [run.spec.model_name for run in self.runs if run.was_stopped]

    def start(
        self, launch: Launch, *, on_event: Callable[[RunEvent], None], on_exit: Callable[[EngineRun], None]
    ) -> EngineRun:
        """Return a run."""
        self.calls.append(f"start {launch.spec.model_name}")
        run = MemoryRun(launch, on_event, on_exit)
        self.runs.append(run)
        if not self._is_manual:
            asyncio.get_running_loop().call_soon(run.become_ready)
        return run

    @property
    def started(self) -> list[str]:
        """The starts, in order."""
        return [call for call in self.calls if call.startswith("start")]

    def kept_totals(self) -> KeptTotals | None:
        """Return what the test set."""
        return self.totals


if TYPE_CHECKING:
    _: Launcher = MemoryLauncher()


def catalog_of_models() -> FakeCatalog:
    """Return a catalogue of two models."""
    return FakeCatalog(
        [
            ModelSummary(id=n, name=name, paths=(Path(f"/models/{name}.gguf"),))
            for n, name in enumerate(MODELS, 1)
        ]
    )


def manager_over(launcher: Launcher, catalog: FakeCatalog | None = None, **config: object) -> EngineManager:
    """Return a manager of two models, which does not poll the catalogue."""
    catalog = catalog or catalog_of_models()
    return EngineManager(catalog, launcher, RuntimeConfig(watch_interval_s=0, **config))  # type: ignore[arg-type]


async def run_pending_tasks(count: int = 5) -> None:
    """Let pending tasks and callbacks run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_swap_waits_for_the_request_in_flight_and_the_exit_of_its_engine() -> None:
    """The second model is started after the first one's process has exited, which is after its last request."""
    launcher = MemoryLauncher()
    exits: list[list[str]] = []
    async with manager_over(launcher, on_engine_exit=lambda: exits.append(launcher.calls[:])) as manager:
        async with manager.admit("a", None, 8192) as target:
            assert target.model_name == "a"
            waiting = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
            await run_pending_tasks()
            assert not waiting.done()
            assert launcher.stopped == []
        assert (await waiting).model_name == "b"
        assert launcher.stopped == ["a"]
        assert launcher.calls == ["prepare", "check a", "start a", "check b", "start b"]
        assert [r.model_name for r in (await manager.status()).residents] == ["b"]
    assert len(exits) == 2
    assert launcher.stopped == ["a", "b"]


async def test_slots_are_copied_by_the_run_of_the_target() -> None:
    """A target that runs no more copies nothing."""
    launcher = MemoryLauncher()
    copy = SlotCopy(source=0, destination=1, shared_bytes=1, size_bytes=1)
    async with manager_over(launcher) as manager:
        target = await manager.ensure_model_running("a", None, 4096)
        assert await manager.copy_slot(target, copy)
        assert launcher.runs[-1].copies == [copy]
        await manager.stop_current()
        assert not await manager.copy_slot(target, copy)


async def test_model_that_cannot_be_loaded_stops_nothing() -> None:
    """The check comes before the swap."""
    launcher = MemoryLauncher()
    launcher.refused.add("b")
    async with manager_over(launcher) as manager:
        await manager.ensure_model_running("a", None, 8192)
        with pytest.raises(ModelFileNotFoundError):
            await manager.ensure_model_running("b", None, 8192)
        assert launcher.stopped == []
        assert launcher.calls[-1] == "check b"


async def test_failed_load_refuses_the_waiting_request() -> None:
    """The error has the launcher's own message."""
    launcher = MemoryLauncher(is_manual=True)
    async with manager_over(launcher) as manager:
        waiting = asyncio.create_task(manager.ensure_model_running("a", None, 8192))
        await run_pending_tasks()
        launcher.runs[0].fail("invalid magic")
        with pytest.raises(ModelLoadFailedError, match="invalid magic"):
            await waiting
        assert (await manager.status()).residents == ()


@pytest.mark.parametrize(
    ("requests", "has_changed_file", "was_only_request"),
    [(1, False, True), (2, False, False), (1, True, False)],
)
async def test_interrupted_request_gets_the_exit_reason(
    *, requests: int, has_changed_file: bool, was_only_request: bool
) -> None:
    """Also if the connection breaks before the exit is known; the error says whether the request may be the cause."""
    launcher = MemoryLauncher()
    ended = UnexpectedExit(reason="SIGSEGV", last_lines=("at 0x0",), has_changed_file=has_changed_file)
    async with manager_over(launcher) as manager:

        async def be_cut_off() -> None:
            async with manager.admit("a", None, 8192):
                await asyncio.sleep(0.01)
                raise UpstreamError("the connection was closed")

        cut_off = [asyncio.create_task(be_cut_off()) for _ in range(requests)]
        await asyncio.sleep(0.02)
        launcher.runs[0].die(ended)
        launcher.runs[0].end()
        errors = await asyncio.gather(*cut_off, return_exceptions=True)
    for error in errors:
        assert isinstance(error, EngineDiedError)
        assert (error.reason, error.log_tail, error.was_only_request) == (
            "SIGSEGV",
            ("at 0x0",),
            was_only_request,
        )


async def test_the_launch_after_a_crash_waits_for_the_cleanup() -> None:
    """The memory of the engine that died may not be free before."""
    launcher = MemoryLauncher()
    async with manager_over(launcher) as manager:
        await manager.ensure_model_running("a", None, 8192)
        launcher.runs[0].die(UnexpectedExit(reason="signal 6"))
        waiting = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
        await run_pending_tasks()
        assert len(launcher.runs) == 1
        launcher.runs[0].end()
        assert (await waiting).model_name == "b"


async def test_model_whose_file_was_overwritten_is_unloaded() -> None:
    """The next request gets a new launch."""
    launcher = MemoryLauncher()
    async with manager_over(launcher) as manager:
        await manager.ensure_model_running("a", None, 8192)
        launcher.runs[0].is_overwritten = True
        await manager._model_watch.poll()
        await run_pending_tasks()
        assert launcher.stopped == ["a"]
        await manager.ensure_model_running("a", None, 8192)
        assert len(launcher.runs) == 2


async def test_concurrent_drains_end_with_the_last_request() -> None:
    """Each drain returns as soon as nothing is in flight, long before the limit; nothing is granted meanwhile."""
    async with manager_over(MemoryLauncher(), drain_s=60) as manager:
        await manager.ensure_model_running("a", None, 8192)
        async with manager.admit("a", None, 8192):
            drains = [asyncio.create_task(manager.drain()) for _ in range(2)]
            await run_pending_tasks()
            assert not any(drain.done() for drain in drains)
            with pytest.raises(ShuttingDownError):
                await manager.ensure_model_running("a", None, 8192)
        async with asyncio.timeout(1):
            await asyncio.gather(*drains)


async def test_models_with_changed_options_are_replaced_at_once() -> None:
    """The changed one stops, the other keeps its launch; their names are returned once."""
    launcher, catalog = MemoryLauncher(), catalog_of_models()
    async with manager_over(launcher, catalog, capacity=2) as manager:
        for name in MODELS:
            await manager.ensure_model_running(name, None, 8192)
        assert await manager.replace_changed() == ()
        await catalog.edit_model(
            "a", lambda _: ModelEdit(settings=ModelSettings(engine_args=("--parallel", "2")))
        )
        assert await manager.replace_changed() == ("a",)
        await run_pending_tasks()
        assert launcher.stopped == ["a"]
        await manager.ensure_model_running("a", None, 8192)
        assert await manager.replace_changed() == ()
        assert len(launcher.runs) == 3


async def test_new_limits_apply_to_a_waiting_request_at_once() -> None:
    """More models may be resident; the hook for exits stays."""
    launcher = MemoryLauncher()
    exits: list[None] = []
    async with (
        manager_over(launcher, on_engine_exit=lambda: exits.append(None)) as manager,
        manager.admit("a", None, 8192),
    ):
        waiting = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
        await run_pending_tasks()
        assert not waiting.done()
        await manager.reconfigure(RuntimeConfig(capacity=2))
        assert (await waiting).model_name == "b"
    assert len(exits) == 2


class _Accounts:
    """Accounts in which each model takes 40 bytes."""

    def __init__(self, budget: int) -> None:
        self.budget: DeviceBytes = {"ram": budget}
        self.sized: list[str] = []
        self.size: DeviceBytes = {"ram": 40}
        self.measurement: Measurement | None = None
        self.may_size, self.may_limit = asyncio.Event(), asyncio.Event()
        """Whether sizes and limits are returned at once."""
        self.may_size.set()
        self.may_limit.set()

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        del context
        self.sized.append(spec.model_name)
        size = self.size
        await self.may_size.wait()
        return size

    async def fits_with_all_slots(self, spec: ModelLaunchSpec, context: int) -> bool:
        del spec, context
        return True

    async def estimate(self, engine: LaunchedEngine) -> DeviceBytes:
        del engine
        return {"ram": 35}

    async def devices(self) -> dict[str, DeviceMemory]:
        return {"ram": DeviceMemory(total_bytes=200, available_bytes=50)}

    async def limits(self, engines: Sequence[RunningEngine]) -> DeviceBytes:
        del engines
        await self.may_limit.wait()
        return self.budget

    async def measure(self, engine: LaunchedEngine, pid: int) -> Measurement | None:
        del engine, pid
        return self.measurement

    async def record_out_of_memory(self, engine: LaunchedEngine, size: DeviceBytes) -> DeviceBytes:
        del engine
        return size

    async def advice(self, spec: ModelLaunchSpec, context: int) -> str:
        del spec, context
        return ""


@asynccontextmanager
async def swapping(accounts: _Accounts | None) -> AsyncIterator[tuple[EngineManager, MemoryLauncher]]:
    """Run a manager in which ``a`` is stopped for ``b``, and goes on; a request waits for ``b``."""
    launcher, config = MemoryLauncher(), RuntimeConfig(watch_interval_s=0)
    async with EngineManager(catalog_of_models(), launcher, config, accounts) as manager:
        await manager.ensure_model_running("a", None, 8192)
        launcher.runs[0].lingers = True
        waiting = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
        await run_pending_tasks()
        try:
            yield manager, launcher
        finally:
            launcher.runs[0].end()
        assert (await waiting).model_name == "b"


async def test_a_load_begins_beside_one_that_makes_way() -> None:
    """If there is memory for both. Requests for the model that loads end no saves; others do."""
    async with swapping(_Accounts(80)) as (manager, launcher):
        saving = launcher.runs[0]
        assert saving.save_limits is not None
        assert saving.save_limits.may_make_way
        assert saving.make_way is not None
        assert launcher.started == ["start a"]
        assert await saving.make_way()
        assert launcher.started == ["start a", "start b"]
        saving.was_hurried = False
        await manager.ensure_model_running("b", None, 8192)
        assert not saving.was_hurried


@pytest.mark.parametrize("accounts", [None, _Accounts(79)])
async def test_a_load_waits_for_the_exit_without_memory_for_both(accounts: _Accounts | None) -> None:
    """Also if the memory is unknown."""
    async with swapping(accounts) as (_, launcher):
        saving = launcher.runs[0]
        assert saving.make_way is not None
        assert not await saving.make_way()
        assert launcher.started == ["start a"]


@pytest.mark.parametrize("is_closing", [False, True])
async def test_nothing_makes_way_for_requests_that_have_left(*, is_closing: bool) -> None:
    """While the memory was read, the user stopped the load that waits; or gglib stops."""
    launcher, accounts, config = MemoryLauncher(), _Accounts(80), RuntimeConfig(watch_interval_s=0)
    async with EngineManager(catalog_of_models(), launcher, config, accounts) as manager:
        await manager.ensure_model_running("a", None, 8192)
        saving = launcher.runs[0]
        saving.lingers = True
        waiting = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
        await run_pending_tasks()
        assert saving.make_way is not None
        accounts.may_limit.clear()
        making_way = asyncio.ensure_future(saving.make_way())
        await run_pending_tasks()
        if is_closing:
            closing = asyncio.create_task(manager.close())
        else:
            waiting.cancel()
            await run_pending_tasks()
            closing = asyncio.create_task(manager.stop_current())
        await run_pending_tasks()
        accounts.may_limit.set()
        assert not await making_way
        assert launcher.started == ["start a"]
        saving.end()
        await asyncio.gather(closing, waiting, return_exceptions=True)
        assert launcher.started == ["start a"]


async def test_nothing_makes_way_for_another_context() -> None:
    """The memory was compared with a smaller one."""
    launcher, accounts, config = MemoryLauncher(), _Accounts(80), RuntimeConfig(watch_interval_s=0)
    async with EngineManager(catalog_of_models(), launcher, config, accounts) as manager:
        await manager.ensure_model_running("a", None, 8192)
        saving = launcher.runs[0]
        saving.lingers = True
        waiting = [asyncio.create_task(manager.ensure_model_running("b", None, 8192))]
        await run_pending_tasks()
        assert saving.make_way is not None
        accounts.may_limit.clear()
        making_way = asyncio.ensure_future(saving.make_way())
        await run_pending_tasks()
        waiting.append(asyncio.create_task(manager.ensure_model_running("b", 16384, 8192)))
        await run_pending_tasks()
        accounts.may_limit.set()
        assert not await making_way
        assert launcher.started == ["start a"]
        saving.end()
        await asyncio.gather(*waiting)


async def test_a_load_that_ran_out_of_memory_ends_saves() -> None:
    """It is repeated once the one that made way has exited."""
    launcher = MemoryLauncher(is_manual=True)
    config = RuntimeConfig(watch_interval_s=0)
    async with EngineManager(catalog_of_models(), launcher, config, _Accounts(80)) as manager:
        first = asyncio.create_task(manager.ensure_model_running("a", None, 8192))
        await run_pending_tasks()
        saving = launcher.runs[0]
        saving.become_ready()
        await first
        saving.lingers = True
        waiting = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
        await run_pending_tasks()
        assert saving.make_way is not None
        assert await saving.make_way()
        saving.was_hurried = False
        launcher.runs[1].run_out_of_memory()
        await run_pending_tasks()
        assert saving.was_hurried
        assert launcher.started == ["start a", "start b"]
        saving.end()
        await run_pending_tasks()
        assert launcher.started == ["start a", "start b", "start b"]
        launcher.runs[2].become_ready()
        assert (await waiting).model_name == "b"


async def test_devices_are_those_of_the_accounts() -> None:
    """Without accounts nothing is known."""
    config = RuntimeConfig(watch_interval_s=0)
    async with EngineManager(catalog_of_models(), MemoryLauncher(), config, _Accounts(100)) as manager:
        assert await manager.devices() == {"ram": DeviceMemory(total_bytes=200, available_bytes=50)}
    async with EngineManager(catalog_of_models(), MemoryLauncher(), config) as manager:
        assert await manager.devices() == {}


async def test_swaps_are_listed_newest_first_with_the_time_of_their_end() -> None:
    """The first model was loaded into free memory, the second replaced it; the status has the newest one."""
    config = RuntimeConfig(watch_interval_s=0)
    async with EngineManager(catalog_of_models(), MemoryLauncher(), config) as manager:
        began_at = time.time()
        for name in ("a", "b"):
            await manager.ensure_model_running(name, None, 8192)
        newest, oldest = manager.swaps(10)
        assert [(swap.from_model, swap.to_model) for swap in (newest, oldest)] == [("a", "b"), (None, "a")]
        for swap in (newest, oldest):
            assert swap.ended_at is not None
            assert began_at - 0.01 <= swap.ended_at <= time.time() + 0.01
        assert [swap.to_model for swap in manager.swaps(1)] == ["b"]
        last = (await manager.status()).last_swap
        assert last is not None
        assert last.ended_at == newest.ended_at


async def test_a_new_budget_is_read_from_the_accounts_and_stops_idle_models() -> None:
    """Both fit at first; the reduced budget leaves one, and without a limit of memory both may be loaded again."""
    launcher, accounts = MemoryLauncher(), _Accounts(100)
    limited = RuntimeConfig(capacity=8, limits_memory=True, watch_interval_s=0)
    async with EngineManager(catalog_of_models(), launcher, limited, accounts) as manager:
        for name in MODELS:
            await manager.ensure_model_running(name, None, 8192)
        await manager.reconfigure(limited)
        assert launcher.stopped == []
        accounts.budget = {"ram": 60}
        await manager.reconfigure(limited)
        assert len(launcher.stopped) == 1
        await run_pending_tasks()
        await manager.reconfigure(RuntimeConfig(capacity=8))
        for name in MODELS:
            await manager.ensure_model_running(name, None, 8192)
        assert len(launcher.stopped) == 1


async def test_a_new_budget_counts_models_and_requests_from_before() -> None:
    """The waiting model does not fit beside the one in use, whose size was not known either: it waits."""
    launcher, accounts = MemoryLauncher(), _Accounts(60)
    unlimited = RuntimeConfig(capacity=1, watch_interval_s=0)
    async with EngineManager(catalog_of_models(), launcher, unlimited, accounts) as manager:
        async with manager.admit("a", None, 8192):
            waiting = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
            await run_pending_tasks()
            await manager.reconfigure(RuntimeConfig(capacity=8, limits_memory=True))
            await run_pending_tasks()
            assert launcher.calls.count("start b") == 0
            assert [dict(r.size) for r in (await manager.status()).residents] == [{"ram": 40}]
        assert (await waiting).model_name == "b"
        assert [dict(r.size) for r in (await manager.status()).residents] == [{"ram": 40}]


async def test_a_new_budget_counts_what_a_measured_model_may_take() -> None:
    """Without a limit it counts with what it took, beside which the other model would be launched at once."""
    launcher, accounts = MemoryLauncher(), _Accounts(60)
    accounts.measurement = Measurement(taken={"ram": 10}, size={"ram": 40})
    unlimited = RuntimeConfig(capacity=1, watch_interval_s=0)
    async with EngineManager(catalog_of_models(), launcher, unlimited, accounts) as manager:
        async with manager.admit("a", None, 8192):
            launcher.runs[0].pid = 7
            await manager._memory_watch.poll_engines(1.0)
            assert [dict(r.size) for r in (await manager.status()).residents] == [{"ram": 10}]
            waiting = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
            await run_pending_tasks()
            await manager.reconfigure(RuntimeConfig(capacity=8, limits_memory=True))
            await run_pending_tasks()
            assert launcher.calls.count("start b") == 0
            assert [dict(r.size) for r in (await manager.status()).residents] == [{"ram": 40}]
        assert (await waiting).model_name == "b"


async def test_a_request_during_a_reload_gets_the_size_of_the_new_settings() -> None:
    """The new size does not fit into the old budget, which applies until the end of the reload."""
    launcher, accounts = MemoryLauncher(), _Accounts(30)
    limited = RuntimeConfig(capacity=8, limits_memory=True, watch_interval_s=0)
    async with EngineManager(catalog_of_models(), launcher, limited, accounts) as manager:
        accounts.size, accounts.budget = {"ram": 50}, {"ram": 60}
        of_others, accounts.may_limit = accounts.may_limit, asyncio.Event()
        reconfigured = asyncio.create_task(manager.reconfigure(limited))
        await run_pending_tasks()
        of_reload, accounts.may_limit = accounts.may_limit, of_others
        waiting = asyncio.create_task(manager.ensure_model_running("a", None, 8192))
        await run_pending_tasks()
        of_reload.set()
        await reconfigured
        assert (await waiting).model_name == "a"


async def test_a_size_of_the_former_settings_is_computed_again() -> None:
    """It was read before the reload, and does not fit into the new budget."""
    launcher, accounts = MemoryLauncher(), _Accounts(100)
    limited = RuntimeConfig(capacity=8, limits_memory=True, watch_interval_s=0)
    async with EngineManager(catalog_of_models(), launcher, limited, accounts) as manager:
        accounts.size = {"ram": 80}
        accounts.may_size.clear()
        waiting = asyncio.create_task(manager.ensure_model_running("a", None, 8192))
        await run_pending_tasks()
        accounts.size, accounts.budget = {"ram": 40}, {"ram": 60}
        await manager.reconfigure(limited)
        accounts.may_size.set()
        assert (await waiting).model_name == "a"


async def test_the_size_of_a_ready_model_is_not_computed() -> None:
    """Neither for a batch request nor beside requests that wait for another model."""
    accounts = _Accounts(60)
    limited = RuntimeConfig(capacity=8, limits_memory=True, watch_interval_s=0)
    async with EngineManager(catalog_of_models(), MemoryLauncher(), limited, accounts) as manager:
        async with manager.admit("a", None, 8192):
            waiting = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
            await run_pending_tasks()
            assert accounts.sized == ["a", "b"]
            async with manager.admit("a", None, 8192):
                pass
            assert accounts.sized == ["a", "b"]
        await waiting
        async with manager.admit("b", None, 8192, priority=Priority.BATCH):
            assert accounts.sized == ["a", "b"]


@pytest.mark.parametrize("wait_s", [0.0, 0.01])
async def test_a_batch_request_that_finds_no_slot_is_refused_as_such(wait_s: float) -> None:
    """The model is loaded: the error does not say that it loads."""
    launcher = MemoryLauncher(is_manual=True)
    async with manager_over(launcher) as manager:
        loaded = asyncio.create_task(manager.ensure_model_running("a", None, 8192))
        await run_pending_tasks()
        launcher.runs[0].slots = 1
        launcher.runs[0].become_ready()
        await loaded
        async with manager.admit("a", None, 8192, priority=Priority.BATCH, wait_s=wait_s):
            with pytest.raises(BatchSlotsFullError, match="'a' is loaded"):
                async with manager.admit("a", None, 8192, priority=Priority.BATCH, wait_s=wait_s):
                    pass


class CheckingLauncher(MemoryLauncher):
    """Its check returns the catalogue's spec, as that of models with headers does."""

    async def check(self, spec: ModelLaunchSpec) -> ModelLaunchSpec:
        """Return the spec as the catalogue has it."""
        return replace(await super().check(spec), keep_alive_s=None)


async def test_a_request_determines_how_long_its_model_stays() -> None:
    """Also a request whose model has to be loaded, so that its spec is checked again."""
    launcher = CheckingLauncher()
    async with manager_over(launcher) as manager:
        spec = await manager._catalog.resolve_for_launch("a")
        assert spec is not None
        async with manager.admit("a", None, 8192, spec=replace(spec, keep_alive_s=0)):
            (resident,) = (await manager.status()).residents
            assert (resident.idle_ttl_s, resident.idle_s) == (0, None)
        assert launcher.stopped == ["a"]
        async with manager.admit("a", None, 8192, spec=replace(spec, keep_alive_s=60)):
            pass
        (resident,) = (await manager.status()).residents
        assert resident.idle_ttl_s == 60
        assert resident.idle_s is not None
        assert 0 <= resident.idle_s < 60
    assert launcher.stopped == ["a", "a"]


async def test_the_target_of_a_ready_model_needs_no_lease() -> None:
    """Of several launches of one model the last used; a model that loads or stops has none."""
    launcher = MemoryLauncher(is_manual=True)
    config = RuntimeConfig(capacity=2, watch_interval_s=0)
    async with EngineManager(catalog_of_models(), launcher, config) as runtime:
        assert await runtime.loaded_target("a") is None
        load = asyncio.create_task(runtime.load("a", None, 512))
        await run_pending_tasks()
        assert await runtime.loaded_target("a") is None
        launcher.runs[0].become_ready()
        assert await load == await runtime.loaded_target("a") == await runtime.current_model()
        assert await runtime.loaded_target("b") is None
        assert runtime.in_flight == 0
        await runtime.unload("a")
        assert await runtime.loaded_target("a") is None


async def test_kept_prompts_are_in_the_status_and_in_the_swap_and_are_published() -> None:
    """The prompts that the unloaded model saved, and those that the loaded one restored."""
    launcher = MemoryLauncher(is_manual=True)
    saved = KeptTransfer(slots=1, tokens=2006, size_bytes=9, seconds=0.02)
    restored = KeptTransfer(slots=2, tokens=50, size_bytes=7, seconds=0.01)
    async with manager_over(launcher) as manager:
        first = asyncio.create_task(manager.ensure_model_running("a", None, 8192))
        await run_pending_tasks()
        launcher.runs[0].become_ready()
        await first
        with manager.subscribe() as events:
            launcher.runs[0].saves = saved
            second = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
            await run_pending_tasks(10)
            launcher.runs[1].restore(restored)
            launcher.runs[1].become_ready()
            await second
            names = [type(await events.next(0)) for _ in range(8)]
        assert names.count(ModelPromptsSaved) == names.count(ModelPromptsRestored) == 1
        assert names.index(ModelPromptsSaved) < names.index(ModelUnloaded)
        assert names.index(ModelPromptsRestored) < names.index(ModelReady)
        launcher.totals = KeptTotals(
            saved=saved, restored=NO_TRANSFER, files=1, files_bytes=9, limit_bytes=100
        )
        launcher.runs[1].kept_off_reason = "its engine has a disk cache"
        launcher.runs[1].keep_hint = "keep its prompts."
        status = await manager.status()
        assert status.kept == launcher.totals
        assert status.last_swap is not None
        assert (status.last_swap.saved, status.last_swap.restored) == (saved, restored)
        (resident,) = status.residents
        assert (resident.restored, resident.kept_off_reason) == (restored, "its engine has a disk cache")
        assert status.hints == ("keep its prompts.",)

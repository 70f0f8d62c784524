"""The memory watch passes sizes, limits and measurements between the accounts and the scheduler."""

import asyncio
import itertools
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gglib.core.errors import EngineArgumentError, ModelLoadFailedError, ModelOutOfMemoryError
from gglib.core.memory import DeviceBytes, DeviceMemory
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.memory import LaunchedEngine, Measurement, RunningEngine
from gglib.runtime.memory_watch import MEASURE_INTERVAL_S, MemoryWatch
from gglib.runtime.scheduler.events import (
    BecameReady,
    Event,
    LimitsChanged,
    LoadFailed,
    Measured,
    Requested,
    RequestEnded,
)
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.swap_hint import KnownSizes

A = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))
B = ModelLaunchSpec(model_id=2, model_name="b", path=Path("/b.gguf"))
LOADING = RunningEngine(pid=7, size={"ram": 8}, is_ready=False)
LAUNCHED = LaunchedEngine(spec=A, context=8, slots=3, prompt_cache_mib=100)


class Accounts:
    """Accounts with fixed figures, which record the calls."""

    def __init__(self) -> None:
        self.budget: DeviceBytes = {"ram": 100}
        self.free: DeviceBytes = {"ram": 100}
        self.calls: list[object] = []
        self.fails_with: Exception | None = None
        self.has_slots = True

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        assert spec.model_name == "a"
        self._fail()
        return {"ram": context}

    async def fits_with_all_slots(self, spec: ModelLaunchSpec, context: int) -> bool:
        self._fail()
        del spec, context
        return self.has_slots

    async def estimate(self, engine: LaunchedEngine) -> DeviceBytes:
        self._fail()
        self.calls.append(("estimate", engine))
        return {"ram": 25}

    async def devices(self) -> dict[str, DeviceMemory]:
        return {"ram": DeviceMemory(total_bytes=200, available_bytes=50)}

    async def limits(self, engines: Sequence[RunningEngine]) -> DeviceBytes:
        self._fail()
        self.calls.append(tuple(engines))
        return self.free

    async def measure(self, engine: LaunchedEngine, pid: int) -> Measurement | None:
        self._fail()
        self.calls.append((engine, pid))
        return Measurement(taken={"ram": 30}, size={"ram": 42})

    async def record_out_of_memory(self, engine: LaunchedEngine, size: DeviceBytes) -> DeviceBytes:
        self.calls.append((engine, dict(size)))
        return size

    async def advice(self, spec: ModelLaunchSpec, context: int) -> str:
        assert spec is A
        return f"Use less than {context}."

    def _fail(self) -> None:
        if self.fails_with is not None:
            raise self.fails_with


class Watched:
    """A memory watch of a scheduler in which model A has launched."""

    def __init__(self, accounts: Accounts | None, *, budget: DeviceBytes | None) -> None:
        self.scheduler = Scheduler(capacity=4, budget=budget)
        self.events: list[Event] = []
        self.run: Any = SimpleNamespace(
            spec=A,
            launch=SimpleNamespace(context=8, generation=1),
            pid=7,
            slots=3,
            prompt_cache_mib=100,
            ready_at=None,
            unavailable=asyncio.Event(),
            prompt_cost_s=self._prompt_cost_s,
        )
        self.known_sizes = KnownSizes(lambda: {"ram": 16})
        self.runs = {1: self.run}
        self.watch = MemoryWatch(accounts, self.scheduler, self.runs, self.dispatch, self.known_sizes)
        self.scheduler.handle(Requested(1, A, 8, 8, size={"ram": 8}), 0)

    def dispatch(self, event: Event) -> None:
        """Pass an event on, and record it."""
        self.events.append(event)
        self.scheduler.handle(event, 0)

    def become_ready(self, now: float) -> None:
        """Finish the load and the request."""
        self.run.ready_at = now
        self.scheduler.handle(BecameReady(1), now)
        self.scheduler.handle(RequestEnded(1), now)

    async def _prompt_cost_s(self) -> float | None:
        return 1.5


async def test_without_accounts_nothing_is_known() -> None:
    """Sizes are empty, and nothing is polled."""
    watched = Watched(None, budget=None)
    assert await watched.watch.size_of(A, 8) == {}
    assert not await watched.watch.advice(A, 8)
    await watched.watch.refresh_limits()
    await watched.watch.run(0.0)
    assert watched.events == []


async def test_memory_beside_all_that_run() -> None:
    """Sizes that the scheduler does not know are those of the accounts; what cannot be read has no room."""
    accounts = Accounts()
    watched = Watched(accounts, budget=None)
    accounts.free = {"ram": 16}
    assert await watched.watch.fits_beside_all(A, 8)
    assert not await watched.watch.fits_beside_all(A, 9)
    watched.scheduler.handle(Measured(1, {"ram": 2}), 0)
    assert await watched.watch.fits_beside_all(A, 14)
    assert not await watched.watch.fits_beside_all(A, 15)
    accounts.has_slots = False
    assert not await watched.watch.fits_beside_all(A, 14)
    accounts.has_slots = True
    accounts.free = {"gpu0": 100}
    assert not await watched.watch.fits_beside_all(A, 1)
    accounts.fails_with = OSError("no driver")
    assert not await watched.watch.fits_beside_all(A, 1)
    assert not await Watched(None, budget=None).watch.fits_beside_all(A, 1)


async def test_limits_are_reported_when_they_change() -> None:
    """Only with a limit on memory, and with the pids of the engines."""
    accounts = Accounts()
    watched = Watched(accounts, budget={"ram": 100})
    assert await watched.watch.size_of(A, 8) == {"ram": 8}
    assert await watched.watch.advice(A, 8) == "Use less than 8."
    await watched.watch.refresh_limits()
    accounts.free = {"ram": 60}
    await watched.watch.refresh_limits()
    await watched.watch.refresh_limits()
    assert watched.events == [LimitsChanged({"ram": 60})]
    assert accounts.calls == [(LOADING,)] * 3
    counted = Watched(accounts, budget=None)
    assert await counted.watch.size_of(A, 8) == {}
    await counted.watch.refresh_limits()
    assert counted.events == []


async def test_engines_are_measured_when_ready_and_while_they_are_used() -> None:
    """Once when ready; again after ``MEASURE_INTERVAL_S`` if used since. Always with the options of the launch."""
    accounts = Accounts()
    watched = Watched(accounts, budget={"ram": 100})
    await watched.watch.poll_engines(1.0)
    assert [event for event in watched.events if isinstance(event, Measured)] == []
    watched.become_ready(2.0)
    await watched.watch.poll_engines(3.0)
    assert watched.events == [Measured(1, {"ram": 42}), Measured(1, prompt_s=1.5)]
    await watched.watch.poll_engines(3.0 + MEASURE_INTERVAL_S)
    assert len(watched.events) == 2
    assert watched.scheduler.try_grant(2, A, 8, 4.0) == 1
    await watched.watch.poll_engines(3.0 + MEASURE_INTERVAL_S)
    assert len(watched.events) == 4
    assert [call for call in accounts.calls if call != (LOADING,)] == [(LAUNCHED, 7)] * 2


async def test_the_most_that_an_engine_took_is_known_once_it_is_measured() -> None:
    """Beside the size that it counts with."""
    watched = Watched(Accounts(), budget={"ram": 100})
    assert (watched.watch.measured_size(1), watched.watch.estimated_size(1)) == ({}, {})
    watched.become_ready(2.0)
    await watched.watch.poll_engines(3.0)
    assert watched.watch.measured_size(1) == {"ram": 30}
    unknown = Watched(None, budget=None)
    assert (unknown.watch.measured_size(1), unknown.watch.estimated_size(1)) == ({}, {})


@pytest.mark.parametrize("budget", [None, {"ram": 100}])
async def test_the_size_of_a_launch_within_the_budget_is_known_for_the_swap_hint(
    budget: DeviceBytes | None,
) -> None:
    """The running engine may have more slots and a larger prompt cache than it would have within a budget."""
    watched = Watched(Accounts(), budget=budget)
    watched.become_ready(2.0)
    await watched.watch.poll_engines(3.0)
    assert watched.known_sizes.fit_together("a", "a")


async def test_without_a_limit_an_engine_counts_with_what_it_took_until_there_is_one() -> None:
    """Its size has the whole prompt cache, which a single model may fill. A reload may limit the memory."""
    watched = Watched(Accounts(), budget=None)
    watched.become_ready(2.0)
    await watched.watch.poll_engines(3.0)
    assert watched.events == [Measured(1, {"ram": 30})]
    assert watched.watch.measured_sizes(limits_memory=False) == {1: {"ram": 30}}
    assert watched.watch.measured_sizes(limits_memory=True) == {1: {"ram": 42}}


async def test_without_a_known_total_there_is_no_size_for_the_swap_hint() -> None:
    """It is unknown whether two models fit."""
    accounts = Accounts()
    accounts.budget = {}
    watched = Watched(accounts, budget=None)
    watched.become_ready(2.0)
    await watched.watch.poll_engines(3.0)
    assert not watched.known_sizes.fit_together("a", "a")


async def test_limits_are_polled_while_requests_wait() -> None:
    """Other programs may return memory."""
    accounts = Accounts()
    watched = Watched(accounts, budget={"ram": 100})
    await watched.watch.poll_limits()
    assert accounts.calls == [(LOADING,)]
    watched.become_ready(2.0)
    watched.run.unavailable.set()
    await watched.watch.poll_limits()
    await watched.watch.poll_engines(3.0)
    assert accounts.calls == [(LOADING,)]


async def test_a_load_that_ran_out_of_memory_is_recorded() -> None:
    """Other failures are not."""
    accounts = Accounts()
    watched = Watched(accounts, budget={"ram": 100})
    watched.watch.record_failure(LoadFailed(1, ModelLoadFailedError("a", "bad")), {"ram": 8})
    watched.watch.record_failure(LoadFailed(2, ModelOutOfMemoryError("a", "no memory")), {"ram": 8})
    watched.watch.record_failure(LoadFailed(1, ModelOutOfMemoryError("a", "no memory")), {"ram": 8})
    await asyncio.sleep(0)
    assert accounts.calls == [(LAUNCHED, {"ram": 8})]


async def test_an_engine_that_has_exited_is_not_measured() -> None:
    """The scheduler still has its resident for a moment."""
    watched = Watched(Accounts(), budget={"ram": 100})
    watched.become_ready(2.0)
    watched.runs.clear()
    await watched.watch.poll_engines(3.0)
    assert watched.events == []


async def test_advice_that_fails_is_empty() -> None:
    """The refusal itself is more important."""

    class Failing(Accounts):
        async def advice(self, spec: ModelLaunchSpec, context: int) -> str:
            raise OSError(f"{spec.model_name}, {context}")

    watched = Watched(Failing(), budget={"ram": 100})
    assert not await watched.watch.advice(A, 8)


async def test_limits_are_read_again_for_an_engine_that_started_meanwhile() -> None:
    """What it takes would count as memory of other programs. The number of reads is limited."""
    accounts = Accounts()
    watched = Watched(accounts, budget={"ram": 100})
    pids = itertools.count(8)

    async def limits(engines: Sequence[RunningEngine]) -> DeviceBytes:
        accounts.calls.append([engine.pid for engine in engines])
        if next(pids) < 100:
            watched.run.pid += 1
        return {"ram": 50}

    accounts.limits = limits  # type: ignore[method-assign]
    await watched.watch.refresh_limits()
    assert accounts.calls == [[7], [8], [9]]
    pids = itertools.count(100)
    await watched.watch.refresh_limits()
    assert accounts.calls[3:] == [[10]]


async def test_an_older_read_does_not_replace_the_limits_of_a_newer_one() -> None:
    """Reads overlap, and the first may be the slowest."""
    accounts = Accounts()
    watched = Watched(accounts, budget={"ram": 100})
    slow: asyncio.Future[DeviceBytes] = asyncio.get_running_loop().create_future()
    results: list[Awaitable[DeviceBytes]] = [slow]

    async def limits(engines: Sequence[RunningEngine]) -> DeviceBytes:
        del engines
        return await results.pop() if results else {"ram": 60}

    accounts.limits = limits  # type: ignore[method-assign]
    older = asyncio.create_task(watched.watch.refresh_limits())
    await asyncio.sleep(0)
    await watched.watch.refresh_limits()
    slow.set_result({"ram": 90})
    await older
    assert watched.scheduler.placement.memory_limits == {"ram": 60}


async def test_errors_of_the_accounts_do_not_fail_requests(caplog: pytest.LogCaptureFixture) -> None:
    """The last known limits stay, the size is that of the files, and there is one warning for each cause."""
    accounts = Accounts()
    watched = Watched(accounts, budget={"ram": 100})
    accounts.free = {"ram": 60}
    await watched.watch.refresh_limits()
    accounts.fails_with = OSError("gone")
    for _ in range(2):
        await watched.watch.refresh_limits()
        assert await watched.watch.size_of(replace(A, size_bytes=5), 8) == {"ram": 5}
    assert watched.scheduler.placement.memory_limits == {"ram": 60}
    watched.become_ready(2.0)
    await watched.watch.poll_engines(3.0)
    assert watched.events[-1] == Measured(1, prompt_s=1.5)
    assert [record.message for record in caplog.records] == [
        "the free memory cannot be read: OSError: gone",
        "the size of 'a' cannot be estimated: OSError: gone",
        "the memory of 'a' cannot be read: OSError: gone",
    ]
    accounts.fails_with = EngineArgumentError("--bad")
    with pytest.raises(EngineArgumentError):
        await watched.watch.size_of(A, 8)


async def test_a_slow_engine_does_not_delay_the_limits() -> None:
    """Both are polled independently, until the watch is cancelled."""
    accounts = Accounts()
    watched = Watched(accounts, budget={"ram": 100})
    watched.become_ready(0.0)
    is_slow, is_polled = asyncio.Event(), asyncio.Event()

    async def slow() -> float | None:
        is_slow.set()
        await asyncio.Event().wait()
        return None

    async def limits(engines: Sequence[RunningEngine]) -> DeviceBytes:
        if engines and is_slow.is_set():
            is_polled.set()
        return accounts.free

    watched.run.prompt_cost_s = slow
    accounts.limits = limits  # type: ignore[method-assign]
    assert watched.scheduler.try_grant(2, A, 8, 1.0) == 1
    watched.scheduler.handle(Requested(3, B, 8, 8, size={"ram": 99}), 1.0)  # waits for A
    running = asyncio.create_task(watched.watch.run(0.0))
    async with asyncio.timeout(10):
        await is_slow.wait()
        await is_polled.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert Measured(1, {"ram": 42}) in watched.events


async def test_a_poll_that_fails_is_repeated(caplog: pytest.LogCaptureFixture) -> None:
    """A bug in one poll does not end the watch."""
    watched = Watched(Accounts(), budget={"ram": 100})
    watched.become_ready(0.0)
    calls = asyncio.Semaphore(0)

    async def failing() -> float | None:
        calls.release()
        raise ValueError("no figures")

    watched.run.prompt_cost_s = failing
    running = asyncio.create_task(watched.watch.run(0.0))
    async with asyncio.timeout(10):
        await calls.acquire()
        while not caplog.records:  # noqa: ASYNC110 - the next turn of the loop logs it
            await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert caplog.records[0].message == "the memory of the engines could not be read"

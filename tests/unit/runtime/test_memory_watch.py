"""The memory watch passes sizes, limits and measurements between the accounts and the scheduler."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gglib.core.errors import ModelLoadFailedError, ModelOutOfMemoryError
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec
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


class Accounts:
    """Accounts with fixed figures, which record the calls."""

    def __init__(self) -> None:
        self.budget: DeviceBytes = {"ram": 100}
        self.free: DeviceBytes = {"ram": 100}
        self.calls: list[object] = []

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        assert spec is A
        return {"ram": context}

    async def limits(self, pids: Sequence[int]) -> DeviceBytes:
        self.calls.append(tuple(pids))
        return self.free

    async def measure(self, spec: ModelLaunchSpec, context: int, pid: int) -> DeviceBytes | None:
        assert spec is A
        self.calls.append((context, pid))
        return {"ram": 42}

    async def record_out_of_memory(
        self, spec: ModelLaunchSpec, context: int, size: DeviceBytes
    ) -> DeviceBytes:
        assert spec is A
        self.calls.append((context, dict(size)))
        return size

    async def advice(self, spec: ModelLaunchSpec, context: int) -> str:
        assert spec is A
        return f"Use less than {context}."


class Watched:
    """A memory watch of a scheduler in which model A has launched."""

    def __init__(self, accounts: Accounts | None, *, budget: DeviceBytes | None) -> None:
        self.scheduler = Scheduler(capacity=4, budget=budget)
        self.events: list[Event] = []
        self.run: Any = SimpleNamespace(
            spec=A,
            launch=SimpleNamespace(context=8, generation=1),
            pid=7,
            ready_at=None,
            unavailable=asyncio.Event(),
            prompt_cost_s=self._prompt_cost_s,
        )
        self.known_sizes = KnownSizes(dict)
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
    assert accounts.calls == [(7,)] * 3
    counted = Watched(accounts, budget=None)
    assert await counted.watch.size_of(A, 8) == {}
    await counted.watch.refresh_limits()
    assert counted.events == []


async def test_engines_are_measured_when_ready_and_while_they_are_used() -> None:
    """Once when ready; again after ``MEASURE_INTERVAL_S`` if used since."""
    watched = Watched(Accounts(), budget={"ram": 100})
    await watched.watch.poll(1.0)
    assert [event for event in watched.events if isinstance(event, Measured)] == []
    watched.become_ready(2.0)
    await watched.watch.poll(3.0)
    assert watched.events == [Measured(1, {"ram": 42}, 1.5)]
    await watched.watch.poll(3.0 + MEASURE_INTERVAL_S)
    assert len(watched.events) == 1
    assert watched.scheduler.try_grant(2, A, 8, 4.0) == 1
    await watched.watch.poll(3.0 + MEASURE_INTERVAL_S)
    assert len(watched.events) == 2


async def test_limits_are_polled_while_requests_wait() -> None:
    """Other programs may return memory."""
    accounts = Accounts()
    watched = Watched(accounts, budget={"ram": 100})
    await watched.watch.poll(1.0)
    assert accounts.calls == [(7,)]
    watched.become_ready(2.0)
    watched.run.unavailable.set()
    await watched.watch.poll(3.0)
    assert accounts.calls == [(7,)]


async def test_a_load_that_ran_out_of_memory_is_recorded() -> None:
    """Other failures are not."""
    accounts = Accounts()
    watched = Watched(accounts, budget={"ram": 100})
    watched.watch.record_failure(LoadFailed(1, ModelLoadFailedError("a", "bad")), {"ram": 8})
    watched.watch.record_failure(LoadFailed(2, ModelOutOfMemoryError("a", "no memory")), {"ram": 8})
    watched.watch.record_failure(LoadFailed(1, ModelOutOfMemoryError("a", "no memory")), {"ram": 8})
    await asyncio.sleep(0)
    assert accounts.calls == [(8, {"ram": 8})]


async def test_an_engine_that_has_exited_is_not_measured() -> None:
    """The scheduler still has its resident for a moment."""
    watched = Watched(Accounts(), budget={"ram": 100})
    watched.become_ready(2.0)
    watched.runs.clear()
    await watched.watch.poll(3.0)
    assert watched.events == []


async def test_advice_that_fails_is_empty() -> None:
    """The refusal itself is more important."""

    class Failing(Accounts):
        async def advice(self, spec: ModelLaunchSpec, context: int) -> str:
            raise OSError(f"{spec.model_name}, {context}")

    watched = Watched(Failing(), budget={"ram": 100})
    assert not await watched.watch.advice(A, 8)

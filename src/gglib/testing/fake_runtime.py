"""A runtime that launches nothing: it returns given targets and counts the requests that hold them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from gglib.core.errors import ModelLoadingError, ModelNotFoundError
from gglib.core.memory import DeviceBytes, DeviceMemory
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.ports import ModelRuntimePort, ResidentStatus, RuntimeStatus, SwapStatus
from gglib.core.priority import Priority
from gglib.core.runtime.events import RuntimeEvent
from gglib.core.runtime.slots import SlotCopy

RETRY_AFTER_S = 1.0
"""The ``Retry-After`` of a request whose wait ended before the gate opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The arguments of one call of ``admit``."""

    model_name: str
    num_ctx: int | None
    default_ctx: int
    wait_s: float | None
    request_id: str
    priority: Priority = Priority.INTERACTIVE
    keep_alive_s: float | None = None
    """That of the request's spec."""


class FakeSubscription:
    """The events passed to ``FakeRuntime.publish`` since its block began."""

    def __init__(self, among: "set[FakeSubscription]") -> None:
        self._among = among
        self._waiting: deque[RuntimeEvent] = deque()
        self._has_come = asyncio.Event()

    def __enter__(self) -> Self:
        self._among.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._among.discard(self)

    def put(self, event: RuntimeEvent) -> None:
        """Add an event."""
        self._waiting.append(event)
        self._has_come.set()

    async def next(self, timeout_s: float) -> RuntimeEvent | None:
        """Return the oldest event, or None after ``timeout_s`` seconds without one."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._waiting:
                    self._has_come.clear()
                    await self._has_come.wait()
        except TimeoutError:
            return None
        return self._waiting.popleft()


class FakeRuntime(ModelRuntimePort):
    """Serves ``targets`` by model name.

    Set by tests: ``gate``, an event that grants wait for, and ``fails_with``, raised after the gate instead of a grant;
    ``ended_swaps``, newest first, and ``device_memory``, which ``swaps`` and ``devices`` return; ``limits`` are those
    of ``status``.
    Read by tests: ``admitted``, every entered call of ``admit``, including failed ones; ``holds``, the number of
    requests that hold a target; ``waiting``, the number of requests that wait at the gate; ``stops``, the number of
    calls of ``stop_current``; ``subscriptions``, which receive what ``publish`` is given; ``copies``, the slots that
    were copied.
    """

    def __init__(
        self,
        targets: Mapping[str, RunningTarget] | None = None,
        *,
        gate: asyncio.Event | None = None,
        fails_with: Exception | None = None,
    ) -> None:
        self.targets = dict(targets or {})
        self.gate = gate
        self.fails_with = fails_with
        self.admitted: list[Lease] = []
        self.holds = 0
        self.waiting = 0
        self.stops = 0
        self.copies: list[SlotCopy] = []
        self.subscriptions: set[FakeSubscription] = set()
        self.ended_swaps: list[SwapStatus] = []
        self.device_memory: Mapping[str, DeviceMemory] = {}
        self.limits: DeviceBytes = {}
        self._current: RunningTarget | None = None

    async def ensure_model_running(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> RunningTarget:
        """Return the model's target, which becomes the current one; ``ModelNotFoundError`` without one."""
        del num_ctx, default_ctx
        await self._pass_gate()
        if self.fails_with is not None:
            raise self.fails_with
        if model_name not in self.targets:
            raise ModelNotFoundError(model_name)
        self._current = self.targets[model_name]
        return self._current

    async def current_model(self) -> RunningTarget | None:
        """Return the last returned target, until it is stopped."""
        return self._current

    async def stop_current(self) -> None:
        """Clear the current target and count the call."""
        self.stops += 1
        self._current = None

    async def copy_slot(self, target: RunningTarget, copy: SlotCopy) -> bool:
        """Note the copy, and report that it is done."""
        del target
        self.copies.append(copy)
        return True

    def admit(  # noqa: PLR0913 - the arguments of the port
        self,
        model_name: str,
        num_ctx: int | None,
        default_ctx: int,
        *,
        wait_s: float | None = None,
        request_id: str = "",
        spec: ModelLaunchSpec | None = None,
        priority: Priority = Priority.INTERACTIVE,
    ) -> AbstractAsyncContextManager[RunningTarget]:
        """Return the target, held; ``ModelLoadingError`` if the gate stays closed for ``wait_s`` seconds."""
        return self._hold(
            Lease(
                model_name=model_name,
                num_ctx=num_ctx,
                default_ctx=default_ctx,
                wait_s=wait_s,
                request_id=request_id,
                priority=priority,
                keep_alive_s=None if spec is None else spec.keep_alive_s,
            )
        )

    def subscribe(self) -> FakeSubscription:
        """Return a subscription, which begins with its ``with`` block."""
        return FakeSubscription(self.subscriptions)

    def publish(self, event: RuntimeEvent) -> None:
        """Pass an event to every subscription."""
        for subscription in self.subscriptions:
            subscription.put(event)

    def swaps(self, limit: int) -> tuple[SwapStatus, ...]:
        """Return the first of ``ended_swaps``."""
        return tuple(self.ended_swaps[:limit])

    async def devices(self) -> Mapping[str, DeviceMemory]:
        """Return ``device_memory``."""
        return self.device_memory

    async def status(self) -> RuntimeStatus:
        """Return the current model with the number of holds."""
        status = await super().status()
        residents = tuple(self._with_holds(resident) for resident in status.residents)
        return RuntimeStatus(residents=residents, limits=self.limits)

    @asynccontextmanager
    async def _hold(self, lease: Lease) -> AsyncIterator[RunningTarget]:
        self.admitted.append(lease)
        try:
            async with asyncio.timeout(lease.wait_s):
                target = await self.ensure_model_running(lease.model_name, lease.num_ctx, lease.default_ctx)
        except TimeoutError:
            raise ModelLoadingError(lease.model_name, RETRY_AFTER_S) from None
        self.holds += 1
        try:
            yield target
        finally:
            self.holds -= 1

    async def _pass_gate(self) -> None:
        if self.gate is None:
            return
        self.waiting += 1
        try:
            await self.gate.wait()
        finally:
            self.waiting -= 1

    def _with_holds(self, resident: ResidentStatus) -> ResidentStatus:
        return replace(resident, in_flight=self.holds)

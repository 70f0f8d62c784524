"""A runtime that launches nothing: it hands out given targets and counts who holds them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from gglib.core.errors import ModelLoadingError, ModelNotFoundError
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.ports import ModelRuntimePort, ResidentStatus, RuntimeStatus
from gglib.core.runtime.events import RuntimeEvent

RETRY_AFTER_S = 1.0
"""What a caller is told whose wait ended before the gate opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What one call of ``admit`` asked for."""

    model_name: str
    num_ctx: int | None
    default_ctx: int
    wait_s: float | None
    request_id: str


class FakeSubscription:
    """The events that ``FakeRuntime.publish`` was given since its block began."""

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
        """Return the oldest event, or None where none comes in ``timeout_s`` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._waiting:
                    self._has_come.clear()
                    await self._has_come.wait()
        except TimeoutError:
            return None
        return self._waiting.popleft()


class FakeRuntime(ModelRuntimePort):
    """Serves ``targets`` by model name, as often as it is asked.

    Set by tests: ``gate``, an event that grants wait for, and ``fails_with``, raised after the gate instead of a
    grant. Read by tests: ``admitted``, every call of ``admit`` that was entered, also one that failed later;
    ``holds``, the requests that hold a target now; ``waiting``, those that wait at the gate; ``stops``, the
    calls of ``stop_current``; ``subscriptions``, those that get what ``publish`` is given.
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
        self.admitted: list[Admission] = []
        self.holds = 0
        self.waiting = 0
        self.stops = 0
        self.subscriptions: set[FakeSubscription] = set()
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
        """Return the target that was handed out last, until it is stopped."""
        return self._current

    async def stop_current(self) -> None:
        """Forget the current target and count the call."""
        self.stops += 1
        self._current = None

    def admit(  # noqa: PLR0913 - what a request says of what it needs
        self,
        model_name: str,
        num_ctx: int | None,
        default_ctx: int,
        *,
        wait_s: float | None = None,
        request_id: str = "",
        spec: ModelLaunchSpec | None = None,  # noqa: ARG002 - the targets are there already
    ) -> AbstractAsyncContextManager[RunningTarget]:
        """Return the target, held; ``ModelLoadingError`` when the gate stays shut for ``wait_s`` seconds."""
        return self._hold(
            Admission(
                model_name=model_name,
                num_ctx=num_ctx,
                default_ctx=default_ctx,
                wait_s=wait_s,
                request_id=request_id,
            )
        )

    def subscribe(self) -> FakeSubscription:
        """Return a subscription, which begins with its ``with`` block."""
        return FakeSubscription(self.subscriptions)

    def publish(self, event: RuntimeEvent) -> None:
        """Hand an event to every subscription."""
        for subscription in self.subscriptions:
            subscription.put(event)

    async def status(self) -> RuntimeStatus:
        """Return the current model with the number of holds."""
        status = await super().status()
        return RuntimeStatus(residents=tuple(self._with_holds(resident) for resident in status.residents))

    @asynccontextmanager
    async def _hold(self, admission: Admission) -> AsyncIterator[RunningTarget]:
        self.admitted.append(admission)
        try:
            async with asyncio.timeout(admission.wait_s):
                target = await self.ensure_model_running(
                    admission.model_name, admission.num_ctx, admission.default_ctx
                )
        except TimeoutError:
            raise ModelLoadingError(admission.model_name, RETRY_AFTER_S) from None
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

"""Derives runtime events from the scheduler's events and effects, and publishes them to subscribers."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gglib.core.models import ModelLaunchSpec
from gglib.core.runtime.event_queue import EventQueue
from gglib.core.runtime.events import (
    EventsLost,
    ModelLoadFailed,
    ModelLoading,
    ModelPromptsRestored,
    ModelPromptsSaved,
    ModelReady,
    ModelStopping,
    ModelUnloaded,
    RequestQueued,
    RuntimeEvent,
    SwapFinished,
)
from gglib.core.runtime.status import SwapStatus
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Effect,
    Event,
    Exited,
    Grant,
    Launch,
    LoadFailed,
    Refuse,
    Requested,
    Stop,
)
from gglib.runtime.scheduler.kept_events import KeptEvent, PromptsSaved
from gglib.runtime.scheduler.swap_history import failure_reason, reason_code

MAX_QUEUED_EVENTS = 256
"""Queued events of a slow subscriber; beyond this they are dropped and replaced by ``EventsLost``."""


@dataclass(slots=True)
class _Launched:
    spec: ModelLaunchSpec
    started_at: float
    death_reason: str | None = None


class EventTranslator:
    """Translates the scheduler's events and effects into runtime events. Pure: ``now`` is an argument."""

    def __init__(self, expected_s: Callable[[ModelLaunchSpec], float]) -> None:
        self._expected_s = expected_s
        self._launched: dict[int, _Launched] = {}

    def translate(
        self, event: Event, effects: Sequence[Effect], swaps: Sequence[SwapStatus], now: float
    ) -> Iterator[RuntimeEvent]:
        """Return the runtime events of one scheduler event, its effects and the swaps that it finished."""
        yield from self._from_event(event, now)
        if isinstance(event, Requested) and event.waits and not _is_decided(event.ticket, effects):
            yield RequestQueued(model_name=event.spec.model_name, request_id=event.request_id)
        for effect in effects:
            yield from self._from_effect(effect, now)
        for swap in swaps:
            yield SwapFinished(swap=swap)

    def translate_kept(self, event: KeptEvent) -> Iterator[RuntimeEvent]:
        """Return the runtime event of saved or restored prompts; none for a launch that has exited."""
        launched = self._launched.get(event.generation)
        if launched is not None:
            id_, name = launched.spec.model_id, launched.spec.model_name
            kind = ModelPromptsSaved if isinstance(event, PromptsSaved) else ModelPromptsRestored
            yield kind(model_id=id_, model_name=name, transfer=event.transfer)

    def _from_event(self, event: Event, now: float) -> Iterator[RuntimeEvent]:
        match event:
            case BecameReady(generation) if (launched := self._launched.get(generation)) is not None:
                id_, name = launched.spec.model_id, launched.spec.model_name
                yield ModelReady(model_id=id_, model_name=name, load_s=round(now - launched.started_at, 3))
            case LoadFailed(generation, error) if (launched := self._launched.get(generation)) is not None:
                id_, name = launched.spec.model_id, launched.spec.model_name
                yield ModelLoadFailed(model_id=id_, model_name=name, reason=failure_reason(error))
            case Died(generation, reason) if (launched := self._launched.get(generation)) is not None:
                launched.death_reason = reason
            case Exited(generation) if (launched := self._launched.pop(generation, None)) is not None:
                id_, name = launched.spec.model_id, launched.spec.model_name
                yield ModelUnloaded(model_id=id_, model_name=name, died=launched.death_reason)
            case _:
                pass

    def _from_effect(self, effect: Effect, now: float) -> Iterator[RuntimeEvent]:
        match effect:
            case Launch(generation, spec, context):
                self._launched[generation] = _Launched(spec, now)
                yield ModelLoading(
                    model_id=spec.model_id,
                    model_name=spec.model_name,
                    effective_ctx=context,
                    expected_s=round(self._expected_s(spec), 1),
                )
            case Stop(generation, eviction) if eviction is not None and generation in self._launched:
                spec = self._launched[generation].spec
                yield ModelStopping(
                    model_id=spec.model_id, model_name=spec.model_name, reason=reason_code(eviction.reason)
                )
            case _:
                pass


def _is_decided(ticket: int, effects: Sequence[Effect]) -> bool:
    """Whether the request was granted or refused in this step."""
    return any(isinstance(effect, Grant | Refuse) and effect.ticket == ticket for effect in effects)


class Subscription:
    """The events for one subscriber. The runtime never waits for it."""

    def __init__(self, subscriptions: "set[Subscription]") -> None:
        """``subscriptions`` are the active ones, of the hub."""
        self._subscriptions = subscriptions
        self._queue = EventQueue[RuntimeEvent](MAX_QUEUED_EVENTS, EventsLost())
        self._has_events = asyncio.Event()

    def __enter__(self) -> Self:
        self._subscriptions.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._subscriptions.discard(self)

    def put(self, event: RuntimeEvent) -> None:
        """Queue an event; if the queue is full, replace its events by ``EventsLost``."""
        self._queue.put(event)
        self._has_events.set()

    async def next(self, timeout_s: float) -> RuntimeEvent | None:
        """Return the next event, or None after ``timeout_s``. Cancelling the call loses no event."""
        if not self._queue:
            self._has_events.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._has_events.wait()
            except TimeoutError:
                return None
        return self._queue.take_first()


class EventHub:
    """Publishes events to subscribers."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    def subscribe(self) -> Subscription:
        """Return a subscription. It receives events from the start of its ``with`` block."""
        return Subscription(self._subscriptions)

    def publish(self, event: RuntimeEvent) -> None:
        """Queue an event for every subscriber."""
        for subscription in self._subscriptions:
            subscription.put(event)

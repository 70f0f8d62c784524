"""Passes events to the scheduler one at a time, executes the effects and publishes runtime events."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.events import EventHub, EventTranslator
from gglib.runtime.scheduler.events import Event, Grant, Launch, Refuse, Stop, Tick, WakeAt
from gglib.runtime.scheduler.kept_events import KeptEvent
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.swap_hint import SwapHint
from gglib.runtime.scheduler.swap_history import SwapHistory, describe_swap

logger = logging.getLogger("gglib.runtime")


class Dispatcher:
    """Serializes events: events that occur while effects are executed are handled after them.

    Nothing is awaited between an event and its last effect, so the states of the scheduler and of the manager never
    diverge.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        execute: Callable[[Grant | Launch | Refuse | Stop], None],
        expected_s: Callable[[ModelLaunchSpec], float],
        now: Callable[[], float],
        swap_hint: SwapHint | None = None,
    ) -> None:
        """``execute`` gets every effect except ``WakeAt``; ``expected_s`` returns the expected duration of a load.

        ``now`` returns the loop's time.
        """
        self.swap_history = SwapHistory()
        self.event_hub = EventHub()
        self.is_dispatching = False
        """Whether an event is being handled."""
        self._scheduler = scheduler
        self._execute = execute
        self._translator = EventTranslator(expected_s)
        self._now = now
        self._swap_hint = swap_hint
        self._events: deque[Event] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._idle: asyncio.Event | None = None

    @property
    def in_flight(self) -> int:
        """Number of requests in flight."""
        return sum(len(resident.holders) for resident in self._scheduler.residents)

    def dispatch(self, event: Event) -> None:
        """Pass an event to the scheduler and execute its effects; events that occur meanwhile follow in order."""
        if self.is_dispatching:
            self._events.append(event)
            return
        self.is_dispatching = True
        try:
            self._handle(event)
            while self._events:
                self._handle(self._events.popleft())
        finally:
            self.is_dispatching = False
        if self._idle is not None and not self.in_flight:
            self._idle.set()

    def report_kept(self, event: KeptEvent) -> None:
        """Add saved or restored prompts to the swap that they belong to, and publish them."""
        self.swap_history.record_kept(event)
        for runtime_event in self._translator.translate_kept(event):
            self.event_hub.publish(runtime_event)

    async def wait_until_idle(self, timeout_s: float) -> None:
        """Return when no request is in flight, or after ``timeout_s``.

        Only ``dispatch`` detects the end of the last request: do not use ``Scheduler.try_release`` meanwhile.
        """
        if not self.in_flight:
            return
        if self._idle is None:
            self._idle = asyncio.Event()
        self._idle.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()

    def close(self) -> None:
        """Cancel the timer."""
        self._cancel_timer()

    def _handle(self, event: Event) -> None:
        now = self._now()
        effects = self._scheduler.handle(event, now)
        swaps = self.swap_history.record(event, effects, now, unix_now=round(time.time(), 3))
        for swap in swaps:
            logger.info("%s", describe_swap(swap))
            if self._swap_hint is not None and (hint := self._swap_hint.record(swap, now)) is not None:
                logger.warning("%s", hint)
        for effect in effects:
            if isinstance(effect, WakeAt):
                self._cancel_timer()
                self._timer = asyncio.get_running_loop().call_at(effect.time, self.dispatch, Tick())
            else:
                self._execute(effect)
        for runtime_event in self._translator.translate(event, effects, swaps, now):
            self.event_hub.publish(runtime_event)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

"""Would it pay to keep an idle model for a moment while somebody waits for another one? The scheduler, with that.

Ski rental: never hold for longer than a swap back would cost, so that a wrong guess at most doubles that price.
"""

from collections import deque
from collections.abc import Iterator

from gglib.runtime.messages import Effect, Event, Exited, Launch, Left, Requested, Stop, WakeAt
from gglib.runtime.scheduler import DEFAULT_MAX_WAIT_S, Resident, ResidentState, Scheduler, Waiter

RETURNS = 2
"""How many quick returns in a row make a model's clients likely to be back. One is often chance."""


class LingeringScheduler(Scheduler):
    """Holds an idle model up to ``linger_s``, the swap's measured cost, or until the waiter is overdue.

    With ``is_learning`` only where the model's clients came back in so short a time, ``RETURNS`` times in a row.
    """

    def __init__(
        self, *, linger_s: float, is_learning: bool = False, max_wait_s: float = DEFAULT_MAX_WAIT_S
    ) -> None:
        super().__init__(max_wait_s=max_wait_s)
        self._linger_s = linger_s
        self._is_learning = is_learning
        self._began: dict[int, float] = {}
        self._load_s: dict[int, float] = {}
        self._stop_s = 0.0
        self._idle_since: dict[int, float] = {}
        self._returns_s: dict[int, deque[float]] = {}

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Decide as the scheduler does, and measure loads, stops and how soon clients come back."""
        before = {r.generation: r.state for r in self.residents}
        if isinstance(event, Requested):
            model_id = event.spec.model_id
            if (since := self._idle_since.pop(model_id, None)) is not None:
                self._returns_s.setdefault(model_id, deque(maxlen=RETURNS)).append(now - since)
        elif isinstance(event, Left):
            self._note_idle(event.ticket, now)
        elif isinstance(event, Exited) and before.get(event.generation) is ResidentState.STOPPING:
            self._stop_s = now - self._began[event.generation]
        effects = super().handle(event, now)
        for effect in effects:
            if isinstance(effect, Launch | Stop):
                self._began[effect.generation] = now
        return effects

    def _note_idle(self, ticket: int, now: float) -> None:
        for resident in self.residents:
            if resident.holders == {ticket}:
                self._idle_since[resident.spec.model_id] = now

    def _become_ready(self, generation: int, now: float) -> None:
        super()._become_ready(generation, now)
        self._load_s[generation] = now - self._began[generation]

    def _free(self, resident: Resident, waiter: Waiter, now: float) -> Iterator[Effect]:
        is_idle = resident.state is ResidentState.READY and not resident.holders
        if is_idle and now < min(self._held_until(resident), waiter.since + self._max_wait_s):
            return
        yield from super()._free(resident, waiter, now)

    def _wake(self, following: list[Waiter], now: float) -> Iterator[Effect]:
        times = [effect.time for effect in super()._wake(following, now) if isinstance(effect, WakeAt)]
        if following:
            times += [self._held_until(r) for r in self.residents if not r.holders]
        if later := [time for time in times if time > now]:
            yield WakeAt(min(later))

    def _held_until(self, resident: Resident) -> float:
        swap_s = self._load_s.get(resident.generation, 0.0) + self._stop_s
        hold_s = min(self._linger_s, swap_s)
        returns_s = self._returns_s.get(resident.spec.model_id, ())
        are_back_soon = len(returns_s) == RETURNS and max(returns_s) <= hold_s
        return resident.last_used + (hold_s if are_back_soon or not self._is_learning else 0.0)

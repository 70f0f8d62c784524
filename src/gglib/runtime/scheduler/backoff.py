"""Exponential backoff for models that fail to load or keep dying. Pure: ``now`` is an argument.

After a failed load, requests are refused at once with the same reason, for a time that doubles with each consecutive
failure. The same applies to a crash loop: three deaths of a ready process within a minute. A successful load, a changed
spec or the user's stop ends the backoff.
"""

from collections import deque
from dataclasses import dataclass, field

from gglib.core.errors import EngineCrashLoopError, GglibError, ModelLoadFailedError
from gglib.core.models import ModelLaunchSpec

INITIAL_BACKOFF_S = 0.5
MAX_BACKOFF_S = 30.0
CRASH_LOOP_DEATHS = 3
CRASH_LOOP_WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed model. It is not launched again before ``until``; ``count`` consecutive failures set that time."""

    spec: ModelLaunchSpec
    error: GglibError
    count: int
    until: float

    def error_at(self, now: float) -> GglibError:
        """Return the error with the time until the next attempt."""
        if isinstance(self.error, ModelLoadFailedError):
            return self.error.with_retry_after(self.until - now)
        return self.error


@dataclass(frozen=True, slots=True)
class _Deaths:
    spec: ModelLaunchSpec
    times: deque[float] = field(default_factory=deque)


class Backoff:
    """Records failures and deaths by model."""

    def __init__(self) -> None:
        self._failures: dict[int, Failure] = {}
        self._deaths: dict[int, _Deaths] = {}

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every model whose last launch failed, or whose process died too often."""
        return tuple(self._failures.values())

    def refusal(self, spec: ModelLaunchSpec, now: float) -> GglibError | None:
        """Return why this launch is refused now; None if it is allowed."""
        failure = self._failures.get(spec.model_id)
        if failure is None or failure.spec != spec or now >= failure.until:
            return None
        return failure.error_at(now)

    def record_failure(self, spec: ModelLaunchSpec, error: GglibError, now: float) -> Failure:
        """Record a failed launch."""
        before = self._failures.get(spec.model_id)
        count = before.count + 1 if before is not None and before.spec == spec else 1
        return self._begin(spec, error, count, now)

    def record_death(self, spec: ModelLaunchSpec, reason: str, now: float) -> Failure | None:
        """Record the death of a ready process; return the failure if it is a crash loop."""
        deaths = self._deaths.get(spec.model_id)
        if deaths is None or deaths.spec != spec:
            deaths = self._deaths[spec.model_id] = _Deaths(spec)
        deaths.times.append(now)
        while deaths.times[0] <= now - CRASH_LOOP_WINDOW_S:
            deaths.times.popleft()
        excess_deaths = len(deaths.times) - CRASH_LOOP_DEATHS + 1
        if excess_deaths < 1:
            return None
        error = EngineCrashLoopError(spec.model_name, len(deaths.times), CRASH_LOOP_WINDOW_S, reason)
        return self._begin(spec, error, excess_deaths, now)

    def record_success(self, model_id: int) -> None:
        """Clear the failure of a model that became ready. Its deaths count until they leave the window."""
        self._failures.pop(model_id, None)

    def forget(self, model_id: int) -> None:
        """Drop the records of a model that was removed from the catalogue."""
        self._failures.pop(model_id, None)
        self._deaths.pop(model_id, None)

    def clear(self) -> None:
        """Drop all records: every model may be launched again."""
        self._failures.clear()
        self._deaths.clear()

    def _begin(self, spec: ModelLaunchSpec, error: GglibError, count: int, now: float) -> Failure:
        backoff_s = min(INITIAL_BACKOFF_S * 2 ** (count - 1), MAX_BACKOFF_S)
        failure = Failure(spec, error, count, now + backoff_s)
        self._failures[spec.model_id] = failure
        return failure

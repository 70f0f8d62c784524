"""Loads without waiters that have not started, one for each model. Pure: ``now`` is an argument.

A request that does not wait, or that stops waiting, leaves one: its client returns after ``Retry-After``.
"""

from collections.abc import Callable
from dataclasses import replace

from gglib.runtime.scheduler.events import SizesByLaunch
from gglib.runtime.scheduler.placement import largest
from gglib.runtime.scheduler.state import PendingLoad, Waiter, resized

PENDING_LOAD_S = 60.0
"""How long a load without waiters stays pending. Clients return after ``Retry-After``, within seconds."""


class PendingLoads:
    """The pending loads by model, oldest first."""

    def __init__(self) -> None:
        self._loads: dict[int, PendingLoad] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._loads)

    @property
    def all(self) -> tuple[PendingLoad, ...]:
        """Every pending load, oldest first."""
        return tuple(self._loads.values())

    def get(self, model_id: int) -> PendingLoad | None:
        """Return the pending load of a model, or None."""
        return self._loads.get(model_id)

    def add(self, waiter: Waiter, now: float) -> None:
        """Load the model for a request that does not wait; all these requests share one load."""
        model_id = waiter.spec.model_id
        former = self._loads.get(model_id)
        needed, at_launch, size = waiter.needed_ctx, waiter.launch_ctx, waiter.size
        if former is not None and former.spec == waiter.spec and now < former.expires_at:
            needed = max(former.needed_ctx, needed)
            at_launch = max(former.launch_ctx, at_launch)
            size = largest((former.size, size))
        # A launch decided after the first request for this version has this version, or a newer one.
        is_same_version = former is not None and former.spec.path == waiter.spec.path
        self._loads[model_id] = PendingLoad(
            ticket=waiter.ticket,
            spec=waiter.spec,
            needed_ctx=needed,
            launch_ctx=at_launch,
            since=former.since if former is not None and is_same_version else waiter.since,
            size=size,
            expires_at=now + PENDING_LOAD_S,
        )

    def renew(self, model_id: int, now: float) -> None:
        """Let the load of a model, for which a resident was stopped, expire later."""
        if (load := self._loads.get(model_id)) is not None:
            self._loads[model_id] = replace(load, expires_at=max(load.expires_at, now + PENDING_LOAD_S))

    def resize(self, sizes: SizesByLaunch) -> None:
        """Replace the sizes of the loads."""
        self._loads = {model_id: resized(load, sizes) for model_id, load in self._loads.items()}

    def discard(self, model_id: int) -> None:
        """Drop the load of a model."""
        self._loads.pop(model_id, None)

    def drop(self, is_finished: Callable[[PendingLoad], bool]) -> None:
        """Drop the loads for which this is true."""
        self._loads = {model_id: load for model_id, load in self._loads.items() if not is_finished(load)}

    def clear(self) -> None:
        """Drop all loads."""
        self._loads.clear()

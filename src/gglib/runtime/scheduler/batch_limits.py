"""How many batch requests a resident processes at a time. Pure: ``now`` is an argument.

An engine serves its requests in the order of arrival, so a request behind many batch requests would wait for all of
them. Batch requests therefore wait in the scheduler for a slot, and leave one free for interactive requests, as long as
there are any.
"""

from gglib.runtime.scheduler.state import Resident

INTERACTIVE_WINDOW_S = 60.0
"""How long after an interactive request a model keeps a slot free of batch requests."""


class BatchLimits:
    """Records interactive requests, and limits batch requests by resident."""

    def __init__(self) -> None:
        self._interactive_at: dict[int, float] = {}

    def record_interactive(self, model_id: int, at: float) -> None:
        """Record an interactive request that waits, or the last one of a launch that ends.

        ``Resident.interactive_at`` has those that are granted at once.
        """
        self._interactive_at[model_id] = max(at, self._interactive_at.get(model_id, at))

    def shared_until(self, resident: Resident) -> float:
        """Return until when a slot of a resident stays free for interactive requests."""
        recorded = self._interactive_at.get(resident.spec.model_id, float("-inf"))
        return max(recorded, resident.interactive_at) + INTERACTIVE_WINDOW_S

    def has_room(self, resident: Resident, now: float) -> bool:
        """Whether a resident may process another batch request; always if its number of slots is unknown."""
        if resident.slots is None:
            return True
        is_shared = now < self.shared_until(resident)
        limit = max(1, resident.slots - 1) if is_shared else resident.slots
        return len(resident.batch_holders) < limit

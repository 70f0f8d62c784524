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

    def record_interactive(self, model_id: int, now: float) -> None:
        """Record an interactive request that was not granted on the fast path: batch requests use the model, too."""
        self._interactive_at[model_id] = now

    def shared_until(self, model_id: int) -> float:
        """Return until when a slot of a model stays free for interactive requests."""
        return self._interactive_at.get(model_id, float("-inf")) + INTERACTIVE_WINDOW_S

    def has_room(self, resident: Resident, now: float) -> bool:
        """Whether a resident may process another batch request; always if its number of slots is unknown."""
        if resident.slots is None:
            return True
        is_shared = now < self.shared_until(resident.spec.model_id)
        limit = max(1, resident.slots - 1) if is_shared else resident.slots
        return len(resident.batch_holders) < limit

"""Alternatives to the shipped keep-warm rule, for the comparison. Pure."""

from gglib.runtime.scheduler.keep_warm import KeepWarm


class NoKeepWarm(KeepWarm):
    """Evicts an idle model at once."""

    def keep_s(self, model_id: int) -> float:  # noqa: ARG002 - the same for all models
        """Return 0."""
        return 0.0


class TurnaroundOnly(KeepWarm):
    """Keeps every idle model for the same time, whatever its clients did before."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def keep_s(self, model_id: int) -> float:
        """Return the same time for all models, but no more than the cost of a swap."""
        return min(self._seconds, self.swap_s(model_id))


class AlwaysASwap(KeepWarm):
    """Keeps every idle model for the duration of a swap back: ski rental without history."""

    def keep_s(self, model_id: int) -> float:
        """Return the cost of a swap."""
        return self.swap_s(model_id)

"""Alternatives to the shipped keep-warm rule, for the comparison. Pure."""

from gglib.runtime.scheduler.keep_warm import KeepWarm


class NoKeepWarm(KeepWarm):
    """An idle model gives way at once."""

    def keep_s(self, model_id: int) -> float:  # noqa: ARG002 - whichever it is
        """Return nothing."""
        return 0.0


class TurnaroundOnly(KeepWarm):
    """Every idle model is kept for so long, whatever its clients did before."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def keep_s(self, model_id: int) -> float:
        """Return the same for all, but no more than a swap costs."""
        return min(self._seconds, self.swap_s(model_id))


class AlwaysASwap(KeepWarm):
    """Every idle model is kept for as long as a swap back would take: ski rental without experience."""

    def keep_s(self, model_id: int) -> float:
        """Return the cost of a swap."""
        return self.swap_s(model_id)

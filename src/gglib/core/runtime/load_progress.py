"""How far a load is: what has passed and what is expected. Nothing else is known of it."""

from dataclasses import dataclass

_MAX_SHARE = 0.99
"""A load that takes longer than expected is not over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProgress:
    """The progress of a load. Times in seconds."""

    elapsed_s: float | None
    """None while the load has not begun: another model has to leave first."""
    expected_s: float
    """How long the whole load may take, from the last one of this model or from its size."""

    @property
    def state(self) -> str:
        """``queued`` or ``loading``."""
        return "queued" if self.elapsed_s is None else "loading"

    @property
    def share(self) -> float | None:
        """How much of the expected time has passed, below 1; None while the load has not begun."""
        if self.elapsed_s is None:
            return None
        return (
            round(min(self.elapsed_s / self.expected_s, _MAX_SHARE), 2) if self.expected_s > 0 else _MAX_SHARE
        )

    @property
    def eta_s(self) -> float:
        """How long it takes from now, as far as can be said: never below 0."""
        return round(max(0.0, self.expected_s - (self.elapsed_s or 0.0)), 1)

"""A clock for tests, with fixed times."""


class FixedClock:
    """A request that arrived two seconds ago and waited half a second for its model, at a fixed time."""

    def now(self) -> float:
        """Return 2026-11-29 10:00:00.25 UTC."""
        return 1_795_946_400.25

    def elapsed_s(self) -> float:
        """Return the time since the request arrived."""
        return 2.0

    def waited_s(self) -> float:
        """Return the wait for the model."""
        return 0.5


CLOCK = FixedClock()
TIME = "2026-11-29T10:00:00.250Z"

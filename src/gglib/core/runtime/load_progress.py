"""Progress of a load: elapsed and expected time. The engine reports nothing else."""

from dataclasses import dataclass

_UNMEASURED_LOAD_S = 2.0
_UNMEASURED_LOAD_BYTES_S = 500 * 1024 * 1024
"""The estimate before the first load assumes an ordinary SSD."""
_MAX_SHARE = 0.99
"""A load that takes longer than expected never reports 1."""


def estimated_load_s(size_bytes: int) -> float:
    """Return the expected duration in seconds of a load that was never measured, from the size of the files."""
    return _UNMEASURED_LOAD_S + size_bytes / _UNMEASURED_LOAD_BYTES_S


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProgress:
    """The progress of a load. Times in seconds."""

    elapsed_s: float | None
    """None before the load starts: another model has to be unloaded first."""
    expected_s: float
    """Expected duration of the whole load, from this model's last load or its size."""

    @property
    def state(self) -> str:
        """``queued`` or ``loading``."""
        return "queued" if self.elapsed_s is None else "loading"

    @property
    def share(self) -> float | None:
        """Elapsed share of the expected time, below 1; None before the load starts."""
        if self.elapsed_s is None:
            return None
        return (
            round(min(self.elapsed_s / self.expected_s, _MAX_SHARE), 2) if self.expected_s > 0 else _MAX_SHARE
        )

    @property
    def eta_s(self) -> float:
        """Estimated remaining time, at least 0."""
        return round(max(0.0, self.expected_s - (self.elapsed_s or 0.0)), 1)

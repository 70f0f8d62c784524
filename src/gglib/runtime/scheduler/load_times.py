"""Load times of models: measured, or estimated from their size. Pure."""

from gglib.core.models import ModelLaunchSpec

_UNMEASURED_LOAD_S = 2.0
_UNMEASURED_LOAD_BYTES_S = 500 * 1024 * 1024
"""The estimate before the first load assumes an ordinary SSD."""
_MIN_RETRY_AFTER_S = 1.0


class LoadTimes:
    """Records the duration of each model's last load."""

    def __init__(self) -> None:
        self._measured_s: dict[int, float] = {}

    def record(self, model_id: int, seconds: float) -> None:
        """Record a successful load."""
        self._measured_s[model_id] = seconds

    def expected_s(self, spec: ModelLaunchSpec) -> float:
        """Return the expected duration of a whole load: that of the last load, or an estimate from the size."""
        estimate_s = _UNMEASURED_LOAD_S + spec.size_bytes / _UNMEASURED_LOAD_BYTES_S
        return self._measured_s.get(spec.model_id, estimate_s)

    def retry_after_s(self, spec: ModelLaunchSpec, *, elapsed_s: float) -> float:
        """Return the seconds for ``Retry-After``, ``elapsed_s`` after the load began."""
        return max(_MIN_RETRY_AFTER_S, self.expected_s(spec) - elapsed_s)

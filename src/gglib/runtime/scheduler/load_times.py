"""Load times of models: measured, or estimated from their size. Pure."""

from gglib.core.models import ModelLaunchSpec
from gglib.core.runtime.load_progress import estimated_load_s

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
        return self._measured_s.get(spec.model_id, estimated_load_s(spec.size_bytes))

    def retry_after_s(self, spec: ModelLaunchSpec, *, elapsed_s: float) -> float:
        """Return the seconds for ``Retry-After``, ``elapsed_s`` after the load began."""
        return max(_MIN_RETRY_AFTER_S, self.expected_s(spec) - elapsed_s)

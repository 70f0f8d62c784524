"""How long models take to load: measured, or guessed from their size. Pure."""

from gglib.core.models import ModelLaunchSpec

_UNMEASURED_LOAD_S = 2.0
_UNMEASURED_LOAD_BYTES_S = 500 * 1024 * 1024
"""Before a model was ever loaded, its load time is guessed from its size: an ordinary SSD."""
_MIN_RETRY_AFTER_S = 1.0


class LoadTimes:
    """Remembers each model's last load."""

    def __init__(self) -> None:
        self._measured_s: dict[int, float] = {}

    def record(self, model_id: int, seconds: float) -> None:
        """Take note of a load that has ended well."""
        self._measured_s[model_id] = seconds

    def expected_s(self, spec: ModelLaunchSpec) -> float:
        """Return how long a whole load may take: as long as the last one, or what the size says."""
        guess_s = _UNMEASURED_LOAD_S + spec.size_bytes / _UNMEASURED_LOAD_BYTES_S
        return self._measured_s.get(spec.model_id, guess_s)

    def retry_after_s(self, spec: ModelLaunchSpec, *, elapsed_s: float) -> float:
        """Return when it is worth to ask again, ``elapsed_s`` after the load began."""
        return max(_MIN_RETRY_AFTER_S, self.expected_s(spec) - elapsed_s)

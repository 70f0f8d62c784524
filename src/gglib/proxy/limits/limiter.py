"""The meters of all keys with limits, by name. Pure; one object for all calls of ``serve`` with the same keys."""

from collections.abc import Iterable, Mapping

from gglib.core.api_keys import NO_LIMITS, ApiKey
from gglib.core.history.usage import KeyUse as PastUse
from gglib.proxy.limits.key_meter import KeyMeter


class RateLimiter:
    """Keeps a meter for each key with limits."""

    def __init__(self) -> None:
        self._meters: dict[str, KeyMeter] = {}

    @property
    def has_limits(self) -> bool:
        """Whether any key has limits."""
        return any(meter.limits for meter in self._meters.values())

    def set_keys(self, keys: Mapping[str, ApiKey | str]) -> None:
        """Use the limits of these keys from now on. What a key has used stays; that of other keys is forgotten.

        A key whose limits are all removed keeps its meter, in case they come back within a minute.
        """
        self._meters = {name: meter for name, meter in self._meters.items() if name in keys}
        for name, key in keys.items():
            limits = None if isinstance(key, str) else key.limits
            meter = self._meters.get(name)
            if meter is not None:
                meter.limits = limits or NO_LIMITS
            elif limits:
                self._meters[name] = KeyMeter(name, limits)

    def meter(self, key_name: str | None) -> KeyMeter | None:
        """Return the meter of a key; None if nothing limits it."""
        meter = None if key_name is None else self._meters.get(key_name)
        return meter if meter is not None and meter.limits else None

    def restore(self, uses: Iterable[PastUse], offset_s: float) -> None:
        """Add the requests of the last minute, which ran before a restart, after ``set_keys``.

        ``offset_s`` converts their times, seconds since the epoch, to the clock of the requests: it is added.
        """
        by_key: dict[str, list[PastUse]] = {}
        for use in uses:
            by_key.setdefault(use.key, []).append(use)
        for name, used in by_key.items():
            meter = self.meter(name)
            if meter is not None:
                starts = sorted((use.started_at_s + offset_s, use.requests) for use in used)
                ends = sorted((use.ended_at_s + offset_s, use.tokens) for use in used if use.tokens)
                meter.restore(starts, ends)

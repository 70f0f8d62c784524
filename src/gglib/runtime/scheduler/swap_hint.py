"""Detects two models that are swapped repeatedly although both fit into memory. Pure: ``now`` is an argument."""

from collections import deque
from collections.abc import Callable

from gglib.core.memory import DeviceBytes, exceeded_devices
from gglib.core.runtime.status import SwapStatus

SWAPS = 3
WINDOW_S = 60.0
"""This many swaps between the same two models within this time are a reason for the hint."""


class SwapHint:
    """Says once how two models can both stay in memory. Only for a runtime with one model in memory at a time."""

    def __init__(self, fit_together: Callable[[str, str], bool], *, is_enabled: bool = True) -> None:
        """``fit_together`` returns whether two models, by name, fit into memory together; False if it is unknown."""
        self._fit_together = fit_together
        self._is_enabled = is_enabled
        self._swaps: deque[tuple[float, frozenset[str]]] = deque()
        self._text: str | None = None

    @property
    def text(self) -> str | None:
        """The hint; None until there is a reason for it."""
        return self._text

    def enable(self, *, is_enabled: bool) -> None:
        """Start or stop the detection. A stop drops the hint: it does not apply to several models in memory."""
        if not is_enabled:
            self._text = None
            self._swaps.clear()
        self._is_enabled = is_enabled

    def record(self, swap: SwapStatus, now: float) -> str | None:
        """Record a finished swap; return the hint if this swap is the reason for it, for the log."""
        if not self._is_enabled or self._text is not None or swap.error is not None:
            return None
        if swap.from_model is None or swap.to_model is None or swap.from_model == swap.to_model:
            return None
        pair = frozenset((swap.from_model, swap.to_model))
        self._swaps.append((now, pair))
        while self._swaps[0][0] <= now - WINDOW_S:
            self._swaps.popleft()
        if sum(swapped == pair for _, swapped in self._swaps) < SWAPS:
            return None
        first, second = sorted(pair)
        if self._fit_together(first, second):
            self._text = _hint(first, second)
            self._swaps.clear()
        return self._text


class KnownSizes:
    """The last known sizes of models by name, also of those that are not in memory any more."""

    def __init__(self, budget: Callable[[], DeviceBytes]) -> None:
        """``budget`` returns how much memory all models together may take."""
        self._budget = budget
        self._sizes: dict[str, DeviceBytes] = {}

    def record(self, model_name: str, size: DeviceBytes) -> None:
        """Record the size of a launch, expected or measured."""
        self._sizes[model_name] = size

    def fit_together(self, first: str, second: str) -> bool:
        """Whether two models fit into the budget together; False if a size is unknown."""
        one, other = self._sizes.get(first), self._sizes.get(second)
        if not one or not other:
            return False
        together = {device: one.get(device, 0) + other.get(device, 0) for device in {*one, *other}}
        return not exceeded_devices(together, self._budget())


def _hint(first: str, second: str) -> str:
    return (
        f"'{first}' and '{second}' were swapped {SWAPS} times within {WINDOW_S:.0f} s, and both fit into memory: "
        "to keep both, set max_models = \"auto\" in config.toml, or run 'gglib serve --max-models auto'."
    )

"""The compared policies, by their names in the report. Each allows one resident model."""

from collections.abc import Callable

from bench.policies.keep_warm import AlwaysASwap, NoKeepWarm, TurnaroundOnly
from bench.policies.rivals import LULL_S, ArrivalOrder, Collate
from bench.policies.simulator import Policy

from gglib.runtime.scheduler.scheduler import Scheduler

OURS = "gglib"
NO_KEEP_WARM = "gglib, no keep-warm"

RIVALS: dict[str, Callable[[], Policy]] = {
    "arrival order": ArrivalOrder,
    f"collate, lull {LULL_S} s": lambda: Collate(lull_s=LULL_S),
    "evict at once when idle": lambda: Collate(lull_s=0.0),
}
VARIANTS: dict[str, Callable[[], Policy]] = {
    NO_KEEP_WARM: lambda: Scheduler(keep_warm=NoKeepWarm()),
    "gglib, keep-warm 0.25 s": lambda: Scheduler(keep_warm=TurnaroundOnly(0.25)),
    "gglib, keep-warm a swap": lambda: Scheduler(keep_warm=AlwaysASwap()),
}
"""The shipped policy with another rule for idle models."""

POLICIES: dict[str, Callable[[], Policy]] = {OURS: Scheduler, **RIVALS, **VARIANTS}

MAX_WAITS_S = (5.0, 10.0, 15.0, 30.0, 60.0)
SWEPT: dict[str, Callable[[float], Policy]] = {
    OURS: lambda swap_wait_s: Scheduler(swap_wait_s=swap_wait_s),
    NO_KEEP_WARM: lambda swap_wait_s: Scheduler(swap_wait_s=swap_wait_s, keep_warm=NoKeepWarm()),
}
"""Policies that are compared again with other values of ``swap_wait_s``."""

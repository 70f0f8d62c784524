"""The policies that are compared, by the names they have in the report. One resident model each."""

from collections.abc import Callable

from bench.policies.lingering import LingeringScheduler
from bench.policies.rivals import LULL_S, ArrivalOrder, Collate
from bench.policies.simulator import Policy

from gglib.runtime.scheduler import Scheduler

OURS = "gglib"
SWAP_COST = 60.0
"""A linger this long is cut to what a swap was measured to cost."""

POLICIES: dict[str, Callable[[], Policy]] = {
    OURS: Scheduler,
    "arrival order": ArrivalOrder,
    f"collate, lull {LULL_S} s": lambda: Collate(lull_s=LULL_S),
    "evict at once when idle": lambda: Collate(lull_s=0.0),
    "gglib, linger 1 s": lambda: LingeringScheduler(linger_s=1.0),
    "gglib, linger a swap": lambda: LingeringScheduler(linger_s=SWAP_COST),
    "gglib, learned linger": lambda: LingeringScheduler(linger_s=SWAP_COST, is_learning=True),
}

MAX_WAITS_S = (5.0, 10.0, 15.0, 30.0, 60.0)
VARIANTS: dict[str, Callable[[float], Policy]] = {
    OURS: lambda max_wait_s: Scheduler(max_wait_s=max_wait_s),
    "gglib, learned linger": lambda max_wait_s: LingeringScheduler(
        linger_s=SWAP_COST, is_learning=True, max_wait_s=max_wait_s
    ),
}
"""What is compared again for other values of ``max_wait_s``."""

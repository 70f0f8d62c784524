"""Has the collector of garbage look less often at what a server makes, and never again at what it began with."""

import gc

YOUNG_OBJECTS = 10_000
"""How many more objects than before make it look at the young ones. Python's own 700 is what 32 short requests have at
a time: every turn of the loop would be followed by a look that finds them all in use (measured: 5% of the processor
time). What a request leaves behind is freed as it ends, all but the cycles that a failure may make."""


def settle_collector() -> None:
    """Call this once, when everything that stays is there."""
    gc.collect()
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG_OBJECTS, middle, old)

"""The compared policies, by their names in the report, and the sweeps of gglib's constants."""

from collections.abc import Callable
from functools import partial

from bench.nodes.front import Policy
from bench.nodes.ours import Ours
from bench.nodes.rivals import (
    Affinity,
    LeastLoaded,
    LeastLoadedBySnapshot,
    RandomOfTwo,
    RoundRobin,
    StepsAlone,
)

OURS = "gglib"
RIVALS: dict[str, Callable[[], Policy]] = {
    f"{name}{affinity.value}": partial(rival, affinity)
    for name, rival in (
        ("round robin", RoundRobin),
        ("least loaded", LeastLoaded),
        ("random of two", RandomOfTwo),
    )
    for affinity in (Affinity.NONE, Affinity.BOUNDED)
}
VARIANTS: dict[str, Callable[[], Policy]] = {
    "gglib, no moves": partial(Ours, moves_waiters=False),
    "gglib, no conversations": partial(Ours, knows_conversations=False),
    "steps alone": StepsAlone,
    "least loaded, strict affinity": partial(LeastLoaded, Affinity.STRICT),
    "least loaded by snapshot": LeastLoadedBySnapshot,
}
"""Other forms of gglib's rule, and the least loaded node without the front's own requests since its snapshot."""
POLICIES: dict[str, Callable[[], Policy]] = {OURS: Ours, **RIVALS, **VARIANTS}

QUEUEING = ("steps alone", "least loaded, strict affinity")
"""They queue all requests for a model at one node. With many nodes a run takes hours, of virtual time, too."""

LOAD_WEIGHTS = (-0.75, -0.5, -0.25, 0.0, 0.5, 1.0)
SWEPT: dict[float, Callable[[], Policy]] = {
    weight: partial(Ours, load_weight=weight) for weight in LOAD_WEIGHTS
}
"""gglib with other weights of a load."""

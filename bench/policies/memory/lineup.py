"""The compared policies, by their names in the report."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from bench.policies.memory.metrics import MemoryFigures, measure
from bench.policies.memory.rivals import CostForSize, IdleForLoad, LeastRecentlyUsed, ShortestKeepAlive
from bench.policies.memory.traces import SEEDS, MemoryTrace
from bench.policies.simulator import SimulationError

from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.victim_rule import LeastExpectedLoss, VictimRule

OURS = "gglib"
ONE_MODEL = "one model"
SAFE_COUNT = "count, safe"
BEST_COUNT = "count, best in hindsight"

RULES: dict[str, VictimRule] = {
    OURS: LeastExpectedLoss(),
    "least recently used": LeastRecentlyUsed(),
    "shortest keep-alive": ShortestKeepAlive(),
    "idle / (load x weight)": IdleForLoad(),
    "load / size": CostForSize(),
}
"""Rules for evictions within the budget."""


def safe_count(trace: MemoryTrace) -> int:
    """Return the largest number of models that fit whichever they are; 0 if a model does not fit alone."""
    return max(
        (
            count
            for count in range(1, len(trace.models) + 1)
            if all(
                sum(sorted((m.size.get(device, 0) for m in trace.models), reverse=True)[:count]) <= limit
                for device, limit in trace.budget.items()
            )
        ),
        default=0,
    )


def table(trace: MemoryTrace, *, seeds: Iterable[int] = SEEDS) -> dict[str, MemoryFigures]:
    """Measure every policy on a trace."""
    seeds = tuple(seeds)
    rows = {name: _ruled(trace, rule, seeds) for name, rule in RULES.items()}
    counted = by_count(trace, seeds)
    safe, best = safe_count(trace), min(counted, key=lambda count: counted[count].load_s)
    return {
        **rows,
        f"{SAFE_COUNT} ({safe})": counted[safe],
        f"{BEST_COUNT} ({best})": counted[best],
        ONE_MODEL: counted[1],
    }


def by_count(trace: MemoryTrace, seeds: Iterable[int]) -> dict[int, MemoryFigures]:
    """Measure each maximum number of models that never exceeds the memory on this trace."""
    figures: dict[int, MemoryFigures] = {}
    for count in range(1, len(trace.models) + 1):
        try:
            figures[count] = measure(trace, partial(Scheduler, capacity=count), seeds=seeds)
        except SimulationError:
            break  # more models would not fit either
    return figures


def by_budget(
    trace: MemoryTrace, factors: Iterable[float], *, seeds: Iterable[int] = SEEDS
) -> dict[float, dict[str, MemoryFigures]]:
    """Measure the rules with other budgets, by the factor of the budget, if every model fits."""
    machines = {factor: _with_budget(trace, factor) for factor in factors}
    return {
        factor: {name: _ruled(machine, rule, seeds) for name, rule in RULES.items()}
        for factor, machine in machines.items()
        if safe_count(machine)
    }


def _with_budget(trace: MemoryTrace, factor: float) -> MemoryTrace:
    return replace(trace, budget={device: int(limit * factor) for device, limit in trace.budget.items()})


def ruled(trace: MemoryTrace, rule: VictimRule) -> Scheduler:
    """Return a scheduler with the budget of a trace and a rule for evictions."""
    return Scheduler(capacity=len(trace.models), budget=trace.budget, victim_rule=rule)


def _ruled(trace: MemoryTrace, rule: VictimRule, seeds: Iterable[int]) -> MemoryFigures:
    return measure(trace, partial(ruled, trace, rule), seeds=seeds)

"""The effect of an eviction rule on the loads and on the clients' waits, over the runs of all seeds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean, median

from bench.policies.memory.traces import SEEDS, MemoryTrace, is_small
from bench.policies.simulator import Outcome, Policy, Record, Run, Simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFigures:
    """One policy on one trace: means over the seeds, except the worst wait (maximum) and lost requests (sum)."""

    load_s: float
    """Seconds spent in loads, per 1,000 requests."""
    loads: float
    """Loads, per 1,000 requests."""
    small_loads: float
    """Loads of small models, per 1,000 requests."""
    makespan_s: float
    median_wait_s: float
    mean_wait_s: float
    worst_wait_s: float
    lost: int


def measure(
    trace: MemoryTrace, policy: Callable[[], Policy], *, seeds: Iterable[int] = SEEDS
) -> MemoryFigures:
    """Run the trace with a fresh policy for each seed. Raises SimulationError if the budget is exceeded."""
    return merged(
        [
            figures_of(
                Simulation(
                    policy(), trace.clients(seed), capacity=len(trace.models), budget=trace.budget
                ).run(),
                trace,
            )
            for seed in seeds
        ]
    )


def figures_of(run: Run, trace: MemoryTrace) -> MemoryFigures:
    """Compute the figures of one run."""
    models = {model.spec.model_name: model for model in trace.models}
    launched = [models[name] for name in run.launched]
    waits = [_waited_s(record) for record in run.records]
    per_1000 = 1000 / len(run.records)
    return MemoryFigures(
        load_s=per_1000 * sum(model.load_s for model in launched),
        loads=per_1000 * len(launched),
        small_loads=per_1000 * sum(map(is_small, launched)),
        makespan_s=max(record.ended_at or 0.0 for record in run.records),
        median_wait_s=median(waits),
        mean_wait_s=fmean(waits),
        worst_wait_s=max(waits),
        lost=sum(record.outcome is not Outcome.SERVED for record in run.records),
    )


def merged(runs: list[MemoryFigures]) -> MemoryFigures:
    """Return the figures of all runs together."""
    return MemoryFigures(
        load_s=fmean(run.load_s for run in runs),
        loads=fmean(run.loads for run in runs),
        small_loads=fmean(run.small_loads for run in runs),
        makespan_s=fmean(run.makespan_s for run in runs),
        median_wait_s=fmean(run.median_wait_s for run in runs),
        mean_wait_s=fmean(run.mean_wait_s for run in runs),
        worst_wait_s=max(run.worst_wait_s for run in runs),
        lost=sum(run.lost for run in runs),
    )


def _waited_s(record: Record) -> float:
    until = record.granted_at if record.granted_at is not None else record.ended_at
    return (until or 0.0) - record.asked_at

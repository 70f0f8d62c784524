"""The effect of a policy on its clients: figures of one run, and of the runs of all seeds, in seconds."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean, median

from bench.policies.simulator import Outcome, Policy, Record, Run, Simulation
from bench.policies.traces import SEEDS, Trace

from gglib.core.defaults import SWAP_WAIT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One policy on one trace.

    Over several runs: medians, the maximum of the worst waits, and the sum of lost requests.
    """

    launches: float
    makespan_s: float
    """From the start to the end of the last request."""
    median_wait_s: float
    mean_wait_s: float
    worst_wait_s: float
    watched_wait_s: float | None
    """The worst wait of clients of the trace's watched model."""
    lost: int
    """Requests for good models that were refused or not admitted within the total wait."""
    bound_s: float
    """The worst wait that the scheduler promises, given how long requests held a model."""
    is_within_bound: bool


def measure(
    trace: Trace,
    policy: Callable[[], Policy],
    *,
    seeds: Iterable[int] = SEEDS,
    swap_wait_s: float = SWAP_WAIT_S,
    swap_factor: float = 1.0,
) -> Figures:
    """Run the trace with a fresh policy for each seed, on a machine with this swap factor."""
    runs = [Simulation(policy(), trace.clients(seed), swap_factor=swap_factor).run() for seed in seeds]
    return merged([figures_of(run, trace, swap_wait_s=swap_wait_s, swap_factor=swap_factor) for run in runs])


def figures_of(
    run: Run, trace: Trace, *, swap_wait_s: float = SWAP_WAIT_S, swap_factor: float = 1.0
) -> Figures:
    """Compute the figures of one run. Requests for broken models count as traffic, not as waits."""
    good = [record for record in run.records if record.ask.model.is_good]
    waits = [_waited_s(record) for record in good]
    worst_s = max(waits)
    bound_s = bound_of(run, trace, swap_wait_s=swap_wait_s, swap_factor=swap_factor)
    watched = [_waited_s(record) for record in good if record.ask.model is trace.watched]
    return Figures(
        launches=len(run.launched),
        makespan_s=max(record.ended_at or 0.0 for record in run.records),
        median_wait_s=median(waits),
        mean_wait_s=fmean(waits),
        worst_wait_s=worst_s,
        watched_wait_s=max(watched, default=None),
        lost=sum(record.outcome is not Outcome.SERVED for record in good),
        bound_s=bound_s,
        is_within_bound=worst_s <= bound_s + 1e-6,
    )


def bound_of(run: Run, trace: Trace, *, swap_wait_s: float = SWAP_WAIT_S, swap_factor: float = 1.0) -> float:
    """Return the longest possible wait of a request with one resident model.

    A *turn* is the longest time that a model was held, plus its stop and a load. After ``swap_wait_s``, or the end of
    the turn that had begun by then, each other model has at most one turn before the waiting request's model is ready.
    """
    load_s = swap_factor * max(model.load_s for model in trace.models)
    if len(trace.models) == 1:
        return load_s
    held_s = max((r.ended_at or 0.0) - r.granted_at for r in run.records if r.granted_at is not None)
    turn_s = held_s + swap_factor * max(model.stop_s for model in trace.models) + load_s
    return max(swap_wait_s, turn_s) + (len(trace.models) - 1) * turn_s


def least_makespan_s(work_s: float, *, bound_s: float, swap_s: float) -> float:
    """Return the shortest time in which two closed loops on two models can be served within a bound on each wait.

    While one loop works the other waits: for a swap away from its model, the other's turn, and a swap back. So a turn
    lasts no longer than the bound minus two swaps, and each turn costs a swap.
    """
    turns = math.ceil(work_s / (bound_s - 2 * swap_s))
    return work_s + turns * swap_s


def merged(runs: list[Figures]) -> Figures:
    """Return the figures of all runs together."""
    return Figures(
        launches=median(run.launches for run in runs),
        makespan_s=median(run.makespan_s for run in runs),
        median_wait_s=median(run.median_wait_s for run in runs),
        mean_wait_s=median(run.mean_wait_s for run in runs),
        worst_wait_s=max(run.worst_wait_s for run in runs),
        watched_wait_s=max((w for run in runs if (w := run.watched_wait_s) is not None), default=None),
        lost=sum(run.lost for run in runs),
        bound_s=max(run.bound_s for run in runs),
        is_within_bound=all(run.is_within_bound for run in runs),
    )


def _waited_s(record: Record) -> float:
    until = record.granted_at if record.granted_at is not None else record.ended_at
    return (until or 0.0) - record.asked_at

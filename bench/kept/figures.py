"""The figures of a rule: of one run, and of the runs of all seeds."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from bench.kept.keepers import Keeper
from bench.kept.machines import Machine
from bench.kept.simulation import KeptSimulation, run
from bench.policies.traces import Trace

from gglib.runtime.scheduler.scheduler import Scheduler

SEEDS = tuple(range(1, 4))
SLOWER = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Means over the seeds; shares and worst values are over all of them."""

    prompt_s: float
    least_prompt_s: float
    """If each conversation had always found its last prompt."""
    first_token_s: float
    """From the arrival of a request to the end of its prompt: mean."""
    written_gb_h: float
    """For each simulated hour, nights included."""
    found: float
    """The share of the files that a later request found."""
    added_wait_s: float
    """Saves and restores, for each request that waited for them: the sum of a run."""
    slower_swaps: float
    """The share of the swaps with a waiting request that saves made slower by more than 5 %."""
    hours: float


def measure(trace: Trace, keeper: Keeper, machine: Machine, *, seeds: Iterable[int] = SEEDS) -> Figures:
    """Run a trace with gglib's scheduler for each seed."""
    return figures_of(
        [
            run(
                Scheduler,
                trace.clients(seed),
                keeper=keeper,
                rates=machine.rates,
                swap_factor=machine.swap_factor,
            )
            for seed in seeds
        ]
    )


def figures_of(runs: list[KeptSimulation]) -> Figures:
    """Return the figures of all runs together."""
    totals = [one.totals for one in runs]
    hours = sum(one.seconds for one in runs) / 3600
    files = sum(one.files for one in totals)
    slower = [share > SLOWER for one in totals for share in one.slower]
    return Figures(
        prompt_s=fmean(one.prompt_s for one in totals),
        least_prompt_s=fmean(one.least_prompt_s for one in totals),
        first_token_s=fmean(seconds for one in totals for seconds in one.first_token_s),
        written_gb_h=sum(one.written_bytes for one in totals) / 1e9 / hours,
        found=1 - sum(one.unread_files for one in totals) / files if files else 0.0,
        added_wait_s=fmean(one.added_wait_s for one in totals),
        slower_swaps=fmean(slower) if slower else 0.0,
        hours=hours / len(runs),
    )

"""What a policy does to its clients: figures of one run, and of the runs of all seeds. Times in seconds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from statistics import fmean

from bench.nodes.front import Front, Policy, Record
from bench.nodes.machine import Clock, Machine
from bench.nodes.traces import Client, Think, Trace

MAX_RUN_S = 3600.0
SHARE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One policy on one trace; over several seeds the means, except ``worst_wait_s`` (maximum) and ``lost`` (sum)."""

    requests: float
    mean_wait_s: float
    """From the request until a slot begins with it."""
    p95_wait_s: float
    worst_wait_s: float
    mean_first_s: float
    """From the request to the first token."""
    mean_total_s: float
    """From the request to the end of the response."""
    loads: float
    load_s: float
    lost_prompt_s: float
    """Prompts that were computed again, because the conversation had moved or its model was evicted."""
    moves: float
    lost: float
    """Requests that broke off after their first token, because the node died."""


def run(trace: Trace, policy: Callable[[], Policy], *, nodes: int, seed: int) -> Figures:
    """Run a trace with a fresh policy for each front."""
    clock = Clock()
    specs = trace.nodes(nodes)
    machines = [
        Machine(clock, f"n{number:02}", gib=spec.gib, speed=spec.speed, models=spec.models)
        for number, spec in enumerate(specs)
    ]
    for machine, spec in zip(machines, specs, strict=True):
        if spec.dies_at_s is not None:
            clock.after(spec.dies_at_s, machine.die)
    fronts = [Front(clock, machines, policy(), number=number) for number in range(trace.fronts)]
    clients = trace.clients(nodes, seed)
    going = dict(enumerate(clients))
    for number, client in enumerate(clients):
        _go_on(clock, fronts[number % len(fronts)], client, lambda number=number: going.pop(number))  # type: ignore[misc]
    clock.run(is_over=lambda: not going or clock.now > MAX_RUN_S)
    assert not going, f"{len(going)} clients wait for ever: {trace.name}, {nodes} nodes, seed {seed}"
    return figures_of([record for front in fronts for record in front.records], machines)


def _go_on(clock: Clock, front: Front, client: Client, on_end: Callable[[], object]) -> None:
    step = next(client, None)
    if step is None:
        on_end()
    elif isinstance(step, Think):
        clock.after(step.seconds, lambda: _go_on(clock, front, client, on_end))
    else:
        front.ask(step, lambda: clock.after(0, lambda: _go_on(clock, front, client, on_end)))


def figures_of(records: list[Record], machines: list[Machine]) -> Figures:
    """Compute the figures of one run; requests that broke off count as lost alone."""
    answered = [record for record in records if record.is_answered]
    waits = sorted((record.began_at or 0.0) - record.asked_at for record in answered)
    loads = [load for machine in machines for load in machine.loads.values()]
    return Figures(
        requests=len(records),
        mean_wait_s=fmean(waits),
        p95_wait_s=waits[int(SHARE * (len(waits) - 1))],
        worst_wait_s=waits[-1],
        mean_first_s=fmean((record.first_at or 0.0) - record.asked_at for record in answered),
        mean_total_s=fmean((record.ended_at or 0.0) - record.asked_at for record in answered),
        loads=sum(count for count, _ in loads),
        load_s=sum(seconds for _, seconds in loads),
        lost_prompt_s=sum(record.lost_prompt_s for record in answered),
        moves=sum(record.moves for record in records),
        lost=len(records) - len(answered),
    )


def measure(trace: Trace, policy: Callable[[], Policy], *, nodes: int, seeds: Iterable[int]) -> Figures:
    """Run a trace for each seed."""
    return merged([run(trace, policy, nodes=nodes, seed=seed) for seed in seeds])


def merged(runs: list[Figures]) -> Figures:
    """Return the figures of all runs together."""
    values = {name.name: [getattr(figures, name.name) for figures in runs] for name in fields(Figures)}
    means = {name: fmean(numbers) for name, numbers in values.items()}
    return Figures(**{**means, "worst_wait_s": max(values["worst_wait_s"]), "lost": sum(values["lost"])})

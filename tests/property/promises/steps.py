"""Runs a simulated environment of the scheduler to its end, one event at a time."""

from collections.abc import Mapping
from typing import Protocol

HOLD_S, LOAD_S, STOP_S = 7.0, 4.0, 0.3
"""Durations while a sequence is run to its end."""


class Process(Protocol):
    """A launch whose process may exist."""

    @property
    def state(self) -> str: ...

    @property
    def began(self) -> float: ...


class Environment(Protocol):
    """Clients, processes and a clock."""

    now: float
    wake_at: float | None
    holding: dict[int, int]

    @property
    def processes(self) -> Mapping[int, Process]: ...

    def advance(self, seconds: float) -> None: ...

    def finish(self, ticket: int) -> None: ...

    def become_ready(self, generation: int) -> None: ...

    def exit_stopped(self, generation: int) -> None: ...


def take_one_step(world: Environment, done: dict[int, float]) -> None:
    """Advance to the next end of a load, request or stop, or to the next wake-up.

    ``done`` has the time at which each request in flight ends.
    """
    ends: list[tuple[float, int, int]] = []
    for generation, process in world.processes.items():
        if process.state != "ready":
            lasts_s = LOAD_S if process.state == "loading" else STOP_S
            ends.append((max(world.now, process.began + lasts_s), 0, generation))
    ends += [(done.setdefault(ticket, world.now + HOLD_S), 1, ticket) for ticket in world.holding]
    at, kind, number = min(ends, default=(float("inf"), 2, 0))
    if world.wake_at is not None and world.wake_at <= at:
        world.advance(world.wake_at - world.now)
        return
    assert at < float("inf"), "3: a request waits, and no event is due"
    world.advance(at - world.now)
    if kind == 1:
        world.finish(number)
    elif world.processes[number].state == "loading":
        world.become_ready(number)
    else:
        world.exit_stopped(number)

"""The common steps of playbooks with sizes, pins and priorities."""

from pathlib import Path

from gglib.core.models import ModelLaunchSpec
from gglib.core.priority import Priority
from gglib.runtime.scheduler.events import (
    BecameReady,
    Effect,
    Refuse,
    Requested,
    RequestEnded,
    Stop,
    StopReason,
    WakeAt,
)
from gglib.runtime.scheduler.scheduler import Scheduler

A, B, C, D = (
    ModelLaunchSpec(model_id=number, model_name=name, path=Path(f"/{name}.gguf"))
    for number, name in enumerate("abcd", 1)
)
BATCH = Priority.BATCH


def request_for(
    ticket: int,
    spec: ModelLaunchSpec,
    ram: int = 0,
    *,
    context: int = 8192,
    priority: Priority = Priority.INTERACTIVE,
    waits: bool = True,
) -> Requested:
    """Return a request whose launch takes ``ram`` bytes."""
    return Requested(ticket, spec, context, context, waits=waits, priority=priority, size={"ram": ram})


def without_wakeups(effects: list[Effect]) -> list[Effect]:
    """Return the effects without the wake-ups."""
    return [effect for effect in effects if not isinstance(effect, WakeAt)]


def scheduler_with(*residents: tuple[ModelLaunchSpec, int], budget: int = 100) -> Scheduler:
    """Return a scheduler in which models of these sizes became ready and idle in this order, at 0, 1, 2 ... s."""
    scheduler = Scheduler(capacity=64, budget={"ram": budget})
    for number, (spec, ram) in enumerate(residents, 1):
        now = float(number - 1)
        scheduler.handle(request_for(1000 + number, spec, ram), now)
        scheduler.handle(BecameReady(number, slots=4), now)
        scheduler.handle(RequestEnded(1000 + number), now)
    return scheduler


def stopped(effects: list[Effect]) -> dict[int, StopReason]:
    """Return the reason of each stop, by generation."""
    return {
        e.generation: e.eviction.reason for e in effects if isinstance(e, Stop) and e.eviction is not None
    }


def refusals(effects: list[Effect]) -> dict[int, type[Exception]]:
    """Return the class of each refusal's error, by ticket."""
    return {effect.ticket: type(effect.error) for effect in effects if isinstance(effect, Refuse)}

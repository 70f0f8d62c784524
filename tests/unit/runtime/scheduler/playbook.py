"""The common steps of playbooks: models, requests and schedulers."""

from dataclasses import replace
from pathlib import Path

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.events import (
    BecameReady,
    Effect,
    Requested,
    RequestEnded,
    WakeAt,
)
from gglib.runtime.scheduler.scheduler import Scheduler

A = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))
B = ModelLaunchSpec(model_id=2, model_name="b", path=Path("/b.gguf"))
C = ModelLaunchSpec(model_id=3, model_name="c", path=Path("/c.gguf"))
D = ModelLaunchSpec(model_id=4, model_name="d", path=Path("/d.gguf"))


def request_for(ticket: int, spec: ModelLaunchSpec, context: int = 8192) -> Requested:
    """Return a request that needs this context and would launch with it."""
    return Requested(ticket, spec, context, context)


def request_without_wait(ticket: int, spec: ModelLaunchSpec, context: int = 8192) -> Requested:
    """Return a request that does not wait (``Prefer: wait=0``)."""
    return replace(request_for(ticket, spec, context), waits=False)


def effects_without_wakeups(effects: list[Effect]) -> list[Effect]:
    """Return the effects without the wake-ups."""
    return [effect for effect in effects if not isinstance(effect, WakeAt)]


def scheduler_with_ready(spec: ModelLaunchSpec, *, context: int = 8192, capacity: int = 1) -> Scheduler:
    """Return a scheduler in which ``spec`` is ready and idle as generation 1."""
    scheduler = Scheduler(capacity=capacity, swap_wait_s=15)
    scheduler.handle(request_for(100, spec, context), 0)
    scheduler.handle(BecameReady(1), 0)
    scheduler.handle(RequestEnded(100), 0)
    return scheduler

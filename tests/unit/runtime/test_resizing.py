"""Sizes of launches for a new budget: of requests that wait and of residents without a size."""

from pathlib import Path

from gglib.core.errors import EngineArgumentError
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.resizing import read_launch_sizes
from gglib.runtime.scheduler.events import BecameReady, Measured, Requested
from gglib.runtime.scheduler.scheduler import Scheduler

A, B, C = (
    ModelLaunchSpec(model_id=n, model_name=name, path=Path(f"/{name}.gguf"))
    for n, name in enumerate("abc", 1)
)


class Accounts:
    """Sizes by name; a request for C arrives while that of B is computed, and C has no size."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.calls: list[str] = []
        self._scheduler = scheduler

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return the context as the size."""
        self.calls.append(spec.model_name)
        if spec is C:
            raise EngineArgumentError("--nope", "is unknown")
        if len(self._scheduler.waiters) == 1:
            self._scheduler.handle(Requested(3, C, 4096, 4096), 2)
        return {"ram": context}


async def test_requests_that_arrive_meanwhile_are_included() -> None:
    """Each size is computed once; that of a launch with wrong arguments is empty."""
    scheduler = Scheduler(capacity=1)
    scheduler.handle(Requested(1, A, 2048, 2048), 0)
    scheduler.handle(BecameReady(1), 1)
    scheduler.handle(Requested(2, B, 8192, 8192), 1)
    accounts = Accounts(scheduler)
    assert await read_launch_sizes(accounts.size_of, scheduler) == {
        (B, 8192): {"ram": 8192},
        (A, 2048): {"ram": 2048},
        (C, 4096): {},
    }
    assert accounts.calls == ["b", "a", "c"]


async def test_a_measured_model_keeps_its_size() -> None:
    """It is not computed."""
    scheduler = Scheduler(capacity=1)
    scheduler.handle(Requested(1, A, 2048, 2048), 0)
    scheduler.handle(BecameReady(1), 1)
    scheduler.handle(Measured(1, {"ram": 7}), 2)
    assert await read_launch_sizes(Accounts(scheduler).size_of, scheduler) == {}

"""The rule for which residents make room: the default, and that the scheduler uses the one it is given."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.events import BecameReady, Requested, RequestEnded, Stop
from gglib.runtime.scheduler.keep_warm import KeepWarm
from gglib.runtime.scheduler.placement import Candidate, Placement, choose_greedily
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.state import Resident, ResidentState
from gglib.runtime.scheduler.victim_rule import LeastExpectedLoss

A, B, C = (
    ModelLaunchSpec(model_id=n, model_name=name, path=Path(f"/{name}.gguf"))
    for n, name in enumerate("abc", 1)
)


def test_the_expected_loss_is_the_work_per_second_of_absence() -> None:
    """The load and the prompts in the cache, over the idle time."""
    keep_warm = KeepWarm()
    keep_warm.record_load(1, 4.0)
    resident = Resident(1, A, 8192, ResidentState.READY, 0.0, 90.0, prompt_s=6.0)
    limited, counted = Placement(capacity=9, budget={"ram": 1}), Placement(capacity=9)
    rule = LeastExpectedLoss()
    assert rule.value(resident, placement=limited, keep_warm=keep_warm, now=100.0) == 1.0
    assert rule.value(resident, placement=counted, keep_warm=keep_warm, now=100.0) == 90.0


def test_the_cheapest_set_is_chosen() -> None:
    """A larger one alone rather than two."""
    small, other, large = (
        Candidate(generation, {"ram": ram}, 0, value)
        for generation, ram, value in ((1, 5, 1.0), (2, 5, 1.5), (3, 10, 2.0))
    )
    assert LeastExpectedLoss().choose([small, other, large], {"ram": 10}) == (large,)


class MostRecentlyUsed:
    """The opposite of the default without a budget."""

    def value(self, resident: Resident, *, placement: Placement, keep_warm: KeepWarm, now: float) -> float:
        """Return the negative last use."""
        del placement, keep_warm, now
        return -resident.last_used

    def choose(
        self, candidates: Iterable[Candidate], shortage: Mapping[str, int]
    ) -> tuple[Candidate, ...] | None:
        """Return the first that are enough."""
        return choose_greedily(candidates, shortage)


def test_the_scheduler_uses_its_rule() -> None:
    """The model that was used last makes room."""
    scheduler = Scheduler(capacity=2, victim_rule=MostRecentlyUsed())
    for ticket, spec in ((1, A), (2, B)):
        scheduler.handle(Requested(ticket, spec, 8192, 8192), ticket)
        scheduler.handle(BecameReady(ticket), ticket)
        scheduler.handle(RequestEnded(ticket), ticket)
    stops = [e for e in scheduler.handle(Requested(3, C, 8192, 8192), 100) if isinstance(e, Stop)]
    assert [stop.generation for stop in stops] == [2]

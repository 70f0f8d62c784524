"""How many batch requests a resident takes at a time."""

from pathlib import Path

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.batch_limits import INTERACTIVE_WINDOW_S, BatchLimits
from gglib.runtime.scheduler.state import Resident, ResidentState

SPEC = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))


def resident(slots: int | None, batch: int) -> Resident:
    """Return a ready resident with this number of slots and of batch requests in flight."""
    holders = set(range(batch))
    return Resident(
        1, SPEC, 8192, ResidentState.READY, 0.0, 0.0, slots=slots, holders=holders, batch_holders=set(holders)
    )


def test_without_interactive_requests_batch_requests_take_all_slots() -> None:
    """And no more."""
    limits = BatchLimits()
    assert limits.has_room(resident(4, 3), 0)
    assert not limits.has_room(resident(4, 4), 0)


def test_a_slot_is_free_for_a_while_after_an_interactive_request() -> None:
    """Of a single slot, batch requests take that one. Requests for other models do not matter."""
    limits = BatchLimits()
    limits.record_interactive(1, 10)
    assert limits.has_room(resident(4, 2), 11)
    assert not limits.has_room(resident(4, 3), 11)
    assert limits.has_room(resident(4, 3), 10 + INTERACTIVE_WINDOW_S)
    assert limits.has_room(resident(1, 0), 11)
    assert not limits.has_room(resident(1, 1), 11)
    direct = resident(4, 3)
    direct.interactive_at = 10
    assert not BatchLimits().has_room(direct, 11)
    limits.record_interactive(1, 5)
    assert not limits.has_room(resident(4, 3), 10 + INTERACTIVE_WINDOW_S - 1)
    other = BatchLimits()
    other.record_interactive(2, 10)
    assert other.has_room(resident(4, 3), 11)


def test_unknown_slots_are_not_limited() -> None:
    """Only the engine knows how many it processes."""
    limits = BatchLimits()
    limits.record_interactive(1, 10)
    assert limits.has_room(resident(None, 1000), 11)

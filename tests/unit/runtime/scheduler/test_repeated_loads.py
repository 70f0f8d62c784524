"""Loads that ran out of memory: what is stopped for them, and what they are expected to take."""

from pathlib import Path

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.repeated_loads import RepeatedLoads, idle_beside, saving_beside
from gglib.runtime.scheduler.state import Resident, ResidentState


def resident(number: int, size: dict[str, int], *, is_busy: bool = False) -> Resident:
    """Return a ready resident of this size."""
    spec = ModelLaunchSpec(model_id=number, model_name=f"m{number}", path=Path(f"/{number}.gguf"))
    holders = {1} if is_busy else set()
    return Resident(number, spec, 8192, ResidentState.READY, 0.0, 0.0, size=size, holders=holders)


def test_a_repeated_load_is_expected_to_take_a_fifth_more() -> None:
    """But not more than the limit of a device, unless it was expected to take that much before."""
    loads = RepeatedLoads()
    assert 1 not in loads
    loads.add(resident(1, {"ram": 100, "gpu0": 50, "gpu1": 10}), {"ram": 110, "gpu0": 40})
    assert 1 in loads
    assert loads.size_of(1) == {"ram": 110, "gpu0": 50, "gpu1": 12}
    loads.add(resident(1, {"ram": 100}), {"ram": 1000})
    assert loads.size_of(1) == {"ram": 120}
    loads.discard(1)
    loads.discard(1)
    assert 1 not in loads
    assert loads.size_of(1) == {}


def test_a_repeated_load_awaits_what_was_beside_it() -> None:
    """Until it succeeds, fails for good or is not requested any more."""
    loads = RepeatedLoads()
    assert not loads.awaits(1, 2)
    loads.add(resident(1, {}), {}, [resident(2, {}), resident(3, {})])
    assert [loads.awaits(1, generation) for generation in (2, 3, 4)] == [True, True, False]
    assert not loads.awaits(2, 3)
    loads.keep({1})
    assert loads.awaits(1, 2)
    loads.keep({2})
    assert not loads.awaits(1, 2)
    assert 1 not in loads


def test_idle_residents_on_the_same_devices_are_stopped() -> None:
    """Not busy ones, pinned ones, or those on other devices; all if the devices are unknown."""
    failed = resident(1, {"ram": 0, "gpu0": 5})
    on_gpu, on_ram = resident(2, {"gpu0": 5}), resident(3, {"ram": 5})
    busy, pinned, unknown = resident(4, {"gpu0": 5}, is_busy=True), resident(5, {"gpu0": 5}), resident(6, {})
    others = [on_gpu, on_ram, busy, pinned, unknown]
    assert idle_beside(failed, others, {5}) == [on_gpu, unknown]
    assert idle_beside(resident(1, {}), others, {5}) == [on_gpu, on_ram, unknown]


def test_launches_that_have_made_way_on_the_same_devices() -> None:
    """A load cannot have run out of memory because of one on another device."""
    on_gpu, on_ram, other = resident(2, {"gpu0": 5}), resident(3, {"ram": 5}), resident(4, {"gpu0": 5})
    on_gpu.made_way_for = on_ram.made_way_for = 9
    others = [on_gpu, on_ram, other]
    assert saving_beside(resident(1, {"ram": 0, "gpu0": 5}), others) == [on_gpu]
    assert saving_beside(resident(1, {}), others) == [on_gpu, on_ram]

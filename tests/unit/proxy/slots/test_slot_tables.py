"""The tables of the models that run, or ran lately."""

from dataclasses import replace

from gglib.core.models import RunningTarget
from gglib.proxy.slots.slot_tables import MAX_MODELS, SlotTables
from gglib.proxy.slots.turns import Turn


def turn(*hashes: int) -> Turn:
    """Return a turn of 600 bytes with messages of these hashes."""
    return Turn(dict.fromkeys(hashes, 600), hashes[-1], 600, 0, None, b"", len(hashes) == 1)


TARGET = replace(RunningTarget.local(1, 7, "m", 4096), slots=3)


def test_launch_has_one_table() -> None:
    """Also if the runtime returns another object for it."""
    tables = SlotTables()

    assert tables.of(TARGET) is tables.of(replace(TARGET))
    assert tables.of(TARGET) is not tables.of(replace(TARGET, model_id=8))


def test_next_launch_knows_the_restored_slots() -> None:
    """Others are empty, and those of another model are unknown."""
    tables = SlotTables()
    for number in range(2):
        tables.of(TARGET).acquire(turn(number), 0.0)

    table = tables.of(replace(TARGET, base_url="http://127.0.0.1:2", kept_slots=(1,)))

    assert table.acquire(turn(1, 2), 0.0).slot == 1
    assert table.acquire(turn(3), 0.0).slot == 0
    other = tables.of(replace(TARGET, model_id=8, kept_slots=(1,)))
    assert other.acquire(turn(1, 2), 0.0).slot is None


def test_number_of_models_is_bounded() -> None:
    """The table of the model that was launched first is dropped."""
    tables = SlotTables()
    first = tables.of(TARGET)
    for number in range(MAX_MODELS):
        tables.of(replace(TARGET, model_id=100 + number))

    assert tables.of(TARGET) is not first
    assert len(tables._tables) == MAX_MODELS


def test_target_without_slots_has_an_empty_table() -> None:
    """Nothing can be chosen."""
    assert not SlotTables().of(RunningTarget.local(1, 7, "m", 4096)).can_choose(0.0)

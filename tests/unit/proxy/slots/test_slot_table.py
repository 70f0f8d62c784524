"""Which slot a request gets."""

import pytest

from gglib.proxy.slots.slot_table import HOLD_S, MAX_EVICTED, MAX_PREFIXES, SlotTable
from gglib.proxy.slots.turns import Turn


def turn(*messages: str, session: str | None = None, system: int = 1) -> Turn:
    """Return the turn of these messages, of which the first ``system`` are common."""
    prefixes = {
        hash(messages[: count + 1]): sum(map(len, messages[: count + 1])) for count in range(len(messages))
    }
    return Turn(prefixes, sum(map(len, messages[:system])), session)


def run(table: SlotTable, *messages: str, session: str | None = None) -> int | None:
    """Send a request and wait for its response; return its slot."""
    slot = table.acquire(turn(*messages, session=session), 0.0)
    table.release(slot, 0.0)
    return slot


SYSTEM = "system" * 100


def test_conversations_with_one_system_prompt_keep_their_slots() -> None:
    """Each has a slot of its own while there are empty ones, and returns to it."""
    table = SlotTable(3)

    assert [run(table, SYSTEM, f"hello {one}") for one in range(3)] == [0, 1, 2]
    for one in (2, 0, 1, 2):
        assert run(table, SYSTEM, f"hello {one}", "reply", "more") == one


def test_edited_message_returns_to_its_slot() -> None:
    """A request that shares most of a conversation replaces its end."""
    table = SlotTable(2)
    run(table, SYSTEM, "long question " * 9, "reply", "more")

    assert run(table, SYSTEM, "long question " * 9, "reply", "other") == 0
    assert run(table, SYSTEM, "long question " * 9, "reply") == 0


def test_most_similar_of_two_forms_is_replaced() -> None:
    """The slot with the longer common beginning is chosen."""
    table = SlotTable(3)
    first = table.acquire(turn(SYSTEM, "question" * 9, "a", "b" * 9), 0.0)
    second = table.acquire(turn(SYSTEM, "question" * 9, "c", "d" * 9), 0.0)
    table.release(first, 0.0)
    table.release(second, 0.0)

    assert run(table, SYSTEM, "question" * 9, "c", "e") == second


def test_longest_continued_prompt_is_chosen() -> None:
    """Two slots may hold earlier turns of one conversation."""
    table = SlotTable(2)
    first = table.acquire(turn(SYSTEM, "a"), 0.0)
    second = table.acquire(turn(SYSTEM, "a", "b"), 0.0)
    table.release(first, 0.0)
    table.release(second, 0.0)

    assert run(table, SYSTEM, "a", "b", "c") == second


def test_sessions_with_the_same_beginning_are_kept_apart() -> None:
    """The names of sessions distinguish conversations with the same words."""
    table = SlotTable(2)

    assert run(table, SYSTEM, "hi", session="a") == 0
    assert run(table, SYSTEM, "hi", session="b") == 1
    assert run(table, SYSTEM, "hi", "x", "y", session="a") == 0
    assert run(table, SYSTEM, "hi", "x", "z", session="b") == 1


def test_single_requests_are_replaced_before_conversations() -> None:
    """Many short requests take one slot by turns and leave the conversations alone."""
    table = SlotTable(3)
    for messages in (["a"], ["a", "b", "c"], ["d"], ["d", "e", "f"]):
        run(table, SYSTEM, *messages)

    assert [run(table, SYSTEM, f"short {one}") for one in range(4)] == [2, 2, 2, 2]
    assert run(table, SYSTEM, "a", "b", "c", "g", "h") == 0


def test_conversation_unused_for_longest_is_replaced() -> None:
    """Of the conversations with several requests, the oldest loses its slot."""
    table = SlotTable(2)
    for messages in (["a"], ["a", "b", "c"], ["d"], ["d", "e", "f"], ["a", "b", "c", "g", "h"]):
        run(table, SYSTEM, *messages)

    assert run(table, SYSTEM, "new") == 1


def test_conversations_that_take_one_slot_by_turns_are_noticed() -> None:
    """They replace older ones, although each of their requests looked like the first."""
    table = SlotTable(2)
    for messages in (["old"], ["old", "a", "b"], ["x"], ["y"], ["x", "a", "b"], ["y", "a", "b"]):
        run(table, SYSTEM, *messages)

    assert {run(table, SYSTEM, one, "a", "b", "c") for one in "xy"} == {0, 1}


def test_evicted_prompts_are_forgotten() -> None:
    """Their number is bounded; the oldest goes first."""
    table = SlotTable(1)
    for one in range(MAX_EVICTED * 2):
        run(table, SYSTEM, str(one))
        run(table, SYSTEM, "again")

    assert len(table._evicted) == MAX_EVICTED


def test_busy_slot_is_not_chosen() -> None:
    """A second request of a conversation, at the same time, gets another slot; without one the engine chooses."""
    table = SlotTable(2)

    assert table.acquire(turn(SYSTEM, "a"), 0.0) == 0
    assert table.acquire(turn(SYSTEM, "a"), 0.0) == 1
    assert table.acquire(turn(SYSTEM, "a"), 0.0) is None


def test_engine_chooses_while_a_slot_is_unknown() -> None:
    """A request without a turn may be in any slot, until it ends."""
    table = SlotTable(4)
    unknown = table.acquire(None, 0.0)

    assert unknown is None
    other = table.acquire(turn(SYSTEM, "a"), 0.0)
    assert other is None
    table.release(unknown, 0.0)
    table.release(other, 0.0)
    assert table.acquire(turn(SYSTEM, "a"), 0.0) == 0


def test_slot_of_an_aborted_request_is_held() -> None:
    """The engine may compute a moment longer."""
    table = SlotTable(2)
    slot = table.acquire(turn(SYSTEM, "a"), 10.0)
    table.release(slot, 11.0, is_complete=False)

    assert table.acquire(turn(SYSTEM, "a", "b"), 11.0 + HOLD_S / 2) == 1
    assert table.acquire(turn(SYSTEM, "c"), 11.0 + HOLD_S / 2) is None
    table.release(None, 12.0)
    assert table.acquire(turn(SYSTEM, "a", "b"), 11.0 + HOLD_S) == 0


def test_engine_chooses_while_an_aborted_request_may_run_anywhere() -> None:
    """The slot of an aborted request without a turn is not known either."""
    table = SlotTable(2)
    table.release(table.acquire(None, 0.0), 1.0, is_complete=False)

    assert table.acquire(turn(SYSTEM, "a"), 1.0 + HOLD_S / 2) is None
    table.release(None, 1.0 + HOLD_S / 2)
    assert table.acquire(turn(SYSTEM, "a"), 1.0 + HOLD_S) == 0


@pytest.mark.parametrize("count", [MAX_PREFIXES, MAX_PREFIXES * 4])
def test_memory_of_a_slot_is_bounded(count: int) -> None:
    """Only the hashes of the last messages are kept, among them that of the whole prompt."""
    table = SlotTable(1)
    messages = [str(one) for one in range(count)]
    run(table, *messages)

    assert len(table._slots[0].prefixes) == MAX_PREFIXES
    assert run(table, *messages, "more") == 0

"""Which slot a request gets."""

import pytest

from gglib.core.runtime.slots import SlotCopy
from gglib.proxy.slots.slot_table import HOLD_S, MAX_EVICTED, Placement, SlotTable
from gglib.proxy.slots.turns import MAX_PREFIXES, Turn


def turn(*messages: str, session: str | None = None, system: int = 1, beginning: str = "") -> Turn:
    """Return the turn of these messages, of which the first ``system`` are common."""
    prefixes = {
        hash(messages[: count + 1]): sum(map(len, messages[: count + 1])) for count in range(len(messages))
    }
    common_bytes, size_bytes = sum(map(len, messages[:system])), sum(map(len, messages))
    is_first = len(messages) <= system + 1
    return Turn(prefixes, hash(messages), size_bytes, common_bytes, session, beginning.encode(), is_first)


def place(table: SlotTable, *messages: str, session: str | None = None, copies: bool = True) -> Placement:
    """Choose the slot of a request, and copy another one there first if the table has it so."""
    placement = table.acquire(turn(*messages, session=session), 0.0)
    if placement.copy is not None:
        table.end_copy(placement, 0.0, is_done=copies)
    return placement


def run(table: SlotTable, *messages: str, session: str | None = None, copies: bool = True) -> int | None:
    """Send a request and wait for its response; return its slot."""
    placement = place(table, *messages, session=session, copies=copies)
    table.release(placement, 0.0)
    return placement.slot


SYSTEM = "system" * 100


def test_conversations_with_one_system_prompt_keep_their_slots() -> None:
    """Each has a slot of its own while there are empty ones, and returns to it."""
    table = SlotTable(3)

    assert [run(table, SYSTEM, f"hello {one}") for one in range(3)] == [0, 1, 2]
    for one in (2, 0, 1, 2):
        assert run(table, SYSTEM, f"hello {one}", "reply", "more") == one


def test_slot_with_the_same_beginning_is_copied_to_an_empty_one() -> None:
    """The copy names what both have in common, and what it has to take."""
    table = SlotTable(3)
    run(table, SYSTEM, "hello")

    placement = table.acquire(turn(SYSTEM, "other"), 0.0)

    assert placement.slot == 1
    assert placement.copy == SlotCopy(source=0, destination=1, shared_bytes=600, size_bytes=605)


def test_beginning_within_a_message_counts() -> None:
    """A program may have its instructions in the user's message."""
    table = SlotTable(2)
    text = "instructions " * 50
    table.release(table.acquire(turn(f"{text}one", system=0, beginning=f"{text}one"), 0.0), 0.0)

    placement = table.acquire(turn(f"{text}two", system=0, beginning=f"{text}two"), 0.0)

    assert placement.copy is not None
    assert placement.copy.shared_bytes == len(text)


@pytest.mark.parametrize("messages", [["system"], ["other" * 100], [SYSTEM, "long" * 2000]])
def test_nothing_is_copied_for_too_little_in_common(messages: list[str]) -> None:
    """The form of a request, or less than a tenth of the prompt."""
    table = SlotTable(2)
    run(table, SYSTEM if messages[0] == SYSTEM else "system", "hello")

    assert table.acquire(turn(*messages, "new"), 0.0).copy is None


def test_smallest_of_the_most_similar_slots_is_copied() -> None:
    """A copy takes the whole slot."""
    table = SlotTable(4)
    for messages in ([SYSTEM, "a" * 900], [SYSTEM, "b"], [SYSTEM, "c" * 900]):
        run(table, *messages)

    copy = table.acquire(turn(SYSTEM, "new"), 0.0).copy

    assert copy is not None
    assert copy.source == 1


def test_slot_is_not_taken_while_it_is_copied() -> None:
    """Neither as a source nor as a slot, except by its own conversation."""
    table = SlotTable(3)
    run(table, SYSTEM, "hello")
    first = table.acquire(turn(SYSTEM, "one"), 0.0)

    second = table.acquire(turn(SYSTEM, "two"), 0.0)
    assert (second.slot, second.copy) == (2, None)
    unplaced = table.acquire(turn(SYSTEM, "three"), 0.0)
    assert unplaced.slot is None
    table.release(unplaced, 0.0)
    own = table.acquire(turn(SYSTEM, "hello", "reply", "more"), 0.0)
    assert own.slot == 0
    table.end_copy(first, 0.0, is_done=False)
    assert first.slot == 1


def test_engine_chooses_after_a_copy_beside_which_it_chose() -> None:
    """A request that came meanwhile may be in the slot that the copy was for."""
    table = SlotTable(3)
    run(table, SYSTEM, "hello")
    placement = table.acquire(turn(SYSTEM, "one"), 0.0)
    unknown = table.acquire(None, 0.0)
    table.end_copy(placement, 0.0, is_done=True)

    assert placement.slot is None
    table.release(unknown, 0.0)
    assert not table.can_choose(0.0)
    table.release(placement, 0.0)
    assert run(table, SYSTEM, "one") == 1


def test_request_that_ends_during_its_copy_frees_both_slots() -> None:
    """A client may leave at any time; nothing was computed then."""
    table = SlotTable(2)
    run(table, SYSTEM, "hello")
    placement = table.acquire(turn(SYSTEM, "one"), 0.0)
    table.release(placement, 0.0, is_computed=False)

    again = table.acquire(turn(SYSTEM, "one"), 0.0)
    assert (again.slot, again.copy) == (placement.slot, placement.copy)


def test_single_request_is_replaced_if_it_cannot_be_copied() -> None:
    """As the engine would have it; conversations that return still get slots of their own."""
    table = SlotTable(3)
    firsts = [run(table, SYSTEM, f"hello {one}", copies=False) for one in range(3)]
    assert firsts == [0, 0, 0]

    seconds = [run(table, SYSTEM, f"hello {one}", "a", "b", copies=False) for one in range(3)]
    assert seconds == [1, 2, 0]
    assert [
        run(table, SYSTEM, f"hello {one}", "a", "b", "c", "d", copies=False) for one in range(3)
    ] == seconds


def test_conversation_is_not_replaced_if_it_cannot_be_copied() -> None:
    """It had several requests; there is an empty slot."""
    table = SlotTable(2)
    run(table, SYSTEM, "hello")
    run(table, SYSTEM, "hello", "a", "b")

    assert run(table, SYSTEM, "other", copies=False) == 1


def test_end_of_no_copy_changes_nothing() -> None:
    """The slot stays."""
    table = SlotTable(2)
    placement = table.acquire(turn(SYSTEM, "hello"), 0.0)
    table.end_copy(placement, 0.0, is_done=False)

    assert placement.slot == 0


def test_edited_message_returns_to_its_slot() -> None:
    """A request that shares most of a conversation replaces its end."""
    table = SlotTable(2)
    run(table, SYSTEM, "long question " * 9, "reply", "more")

    assert run(table, SYSTEM, "long question " * 9, "reply", "other") == 0
    assert run(table, SYSTEM, "long question " * 9, "reply") == 0


@pytest.mark.parametrize("chosen", [0, 1])
def test_most_similar_of_two_forms_is_replaced(chosen: int) -> None:
    """The slot with the longest common beginning is chosen."""
    table = SlotTable(3)
    placements = [place(table, SYSTEM, "question" * 9, one, one * 9) for one in "ac"]
    for placement in placements:
        table.release(placement, 0.0)

    assert run(table, SYSTEM, "question" * 9, "ac"[chosen], "e") == placements[chosen].slot


def test_longest_continued_prompt_is_chosen() -> None:
    """Two slots may hold earlier turns of one conversation."""
    table = SlotTable(2)
    first = place(table, SYSTEM, "a")
    second = place(table, SYSTEM, "a", "b")
    table.release(first, 0.0)
    table.release(second, 0.0)

    assert run(table, SYSTEM, "a", "b", "c") == second.slot


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
    for messages in (["a" * 500], ["a" * 500, "b", "c"], ["d" * 500], ["d" * 500, "e", "f"]):
        run(table, *messages)

    assert [run(table, f"short {one}") for one in range(4)] == [2, 2, 2, 2]
    assert run(table, "a" * 500, "b", "c", "g", "h") == 0


def test_single_request_with_the_same_beginning_is_replaced_if_it_cannot_be_copied() -> None:
    """What both have in common is not computed again."""
    table = SlotTable(3)
    for messages in (["other", "a"], [SYSTEM, "b"], ["third", "c"]):
        run(table, *messages)

    assert run(table, SYSTEM, "new", copies=False) == 1
    assert run(table, "unlike any", "new") == 0


def test_conversation_unused_for_longest_is_replaced() -> None:
    """Of the conversations with several requests, the oldest loses its slot."""
    table = SlotTable(2)
    for messages in (["a"], ["a", "b", "c"], ["d"], ["d", "e", "f"], ["a", "b", "c", "g", "h"]):
        run(table, SYSTEM, *messages)

    assert run(table, SYSTEM, "new") == 1


def full_table() -> SlotTable:
    """Return a table whose first slot has a conversation of two requests on a document, and the second another one."""
    table = SlotTable(2)
    for messages in ([DOCUMENT, "first"], [DOCUMENT, "first", ANSWER, "second"], [SYSTEM, "other"]):
        run(table, *messages)
    return table


DOCUMENT, ANSWER = "document" * 100, "answer" * 200


def test_slot_with_the_same_beginning_is_copied_to_the_one_that_is_replaced() -> None:
    """Another question on a document does not read it again, and the conversation on it stays."""
    table = full_table()

    placement = table.acquire(turn(DOCUMENT, "question"), 0.0)

    size_bytes = len(DOCUMENT) + len(ANSWER) + len("firstsecond")
    assert placement.copy == SlotCopy(
        source=0, destination=1, shared_bytes=len(DOCUMENT), size_bytes=size_bytes
    )
    table.end_copy(placement, 0.0, is_done=True)
    table.release(placement, 0.0)
    assert placement.slot == 1
    assert run(table, DOCUMENT, "first", ANSWER, "second", "b", "third") == 0


def test_nothing_is_copied_to_a_slot_with_as_much_in_common() -> None:
    """It has the document, too."""
    table = full_table()
    run(table, DOCUMENT, "question")

    placement = table.acquire(turn(DOCUMENT, "another"), 0.0)

    assert (placement.slot, placement.copy) == (1, None)


def test_conversation_is_replaced_if_it_cannot_be_copied_and_little_of_it_is_lost() -> None:
    """The document is not read again, and the other slot is as it was."""
    table = SlotTable(2)
    for messages in ([DOCUMENT, "first"], [DOCUMENT, "first", "a", "second"], ["tiny"]):
        run(table, *messages)

    assert run(table, DOCUMENT, "question", copies=False) == 0
    assert run(table, "tiny", "a", "b") == 1


def test_conversation_is_not_replaced_if_much_of_it_would_be_lost() -> None:
    """Without a copy the request reads the document again."""
    table = full_table()

    assert run(table, DOCUMENT, "question", copies=False) == 1


def test_slot_is_empty_after_a_copy_whose_request_was_refused() -> None:
    """It has the copy, not what it had before."""
    table = full_table()
    placement = table.acquire(turn(DOCUMENT, "question"), 0.0)
    table.end_copy(placement, 0.0, is_done=True)
    table.release(placement, 0.0, is_computed=False)

    assert table._slots[1].prompt is None


@pytest.mark.parametrize("is_done", [False, True])
def test_engine_chooses_beside_a_copy_to_a_full_slot(is_done: bool) -> None:  # noqa: FBT001
    """The slot has what it had before, or is taken for an empty one."""
    table = full_table()
    placement = table.acquire(turn(DOCUMENT, "question"), 0.0)
    unknown = table.acquire(None, 0.0)
    table.end_copy(placement, 0.0, is_done=is_done)
    table.release(unknown, 0.0)
    table.release(placement, 0.0)

    assert placement.slot is None
    assert (table._slots[1].prompt is None) == is_done
    assert run(table, SYSTEM, "other", "a", "b") == 1


def test_slot_that_was_given_back_is_as_old_as_before() -> None:
    """A refused request does not make the prompt in its slot younger."""
    table = SlotTable(2)
    for messages in (["a"], ["a", "b", "c"], ["d"], ["d", "e", "f"]):
        run(table, SYSTEM, *messages)
    for _ in range(3):
        table.release(table.acquire(turn("too long", "x"), 0.0), 0.0, is_computed=False)

    assert run(table, "new") == 0


def test_old_conversation_is_replaced_before_a_new_one() -> None:
    """A prompt is worth less with each choice since its last request."""
    table = SlotTable(3)
    for messages in (["old" * 100], ["old" * 100, "a", "b"], ["newer" * 60], ["newer" * 60, "a", "b"]):
        run(table, *messages)
    for one in range(8):
        run(table, "newer" * 60, "a", "b", *("more" for _ in range(one)))
    run(table, "new" * 100)

    assert run(table, "newest" * 50) == 0


def test_prompt_that_begins_like_the_request_is_replaced_before_others() -> None:
    """The common part is not lost."""
    table = SlotTable(2)
    run(table, DOCUMENT, "first")
    run(table, DOCUMENT, "first", "a", "second")
    run(table, SYSTEM, "other")

    placement = table.acquire(turn(DOCUMENT, "question"), 0.0)

    assert (placement.slot, placement.copy) == (0, None)


def test_conversation_of_another_session_has_not_returned() -> None:
    """It begins with the same words as one that has lost its slot."""
    table = SlotTable(1)
    for text in ("hi", "single"):
        run(table, text, session="b")

    for session, has_returned in (("c", False), ("b", True)):
        run(table, "hi", session=session)
        prompt = table._slots[0].prompt
        assert prompt is not None
        assert prompt.has_returned is has_returned


def test_client_that_leaves_during_a_copy_to_a_full_slot_leaves_its_prompt() -> None:
    """Nothing was sent to the engine."""
    table = full_table()
    placement = table.acquire(turn(DOCUMENT, "question"), 0.0)
    table.release(placement, 0.0, is_computed=False)

    assert run(table, SYSTEM, "other", "a", "b") == 1
    assert run(table, DOCUMENT, "first", ANSWER, "second", "b", "third") == 0


def test_choices_keep_their_order_beside_a_copy_that_fails() -> None:
    """A request that came meanwhile is later."""
    table = SlotTable(3)
    run(table, DOCUMENT, "first")
    run(table, DOCUMENT, "first", "a", "second")
    run(table, "tiny")
    run(table, "third")
    placement = table.acquire(turn(DOCUMENT, "question"), 0.0)
    run(table, "third", "a", "b")
    table.end_copy(placement, 0.0, is_done=False)
    table.release(placement, 0.0)

    assert placement.slot == 0
    assert table._slots[0].last_use < table._slots[2].last_use


def test_undone_choice_leaves_a_restored_prompt_as_it_was() -> None:
    """Whether a request continues a prompt of an earlier launch stays right after a copy that failed."""
    before = SlotTable(2)
    for messages in ([DOCUMENT, "first"], [DOCUMENT, "first", "a", "second"], ["tiny"]):
        run(before, *messages)
    table = before.relaunched(2, [0, 1])
    assert run(table, DOCUMENT, "question", copies=False) == 0

    assert place(table, "tiny", "a", "b").continues_restored is True
    assert place(table, DOCUMENT, "question", "a", "b").continues_restored is False


def test_new_conversations_replace_older_ones() -> None:
    """Three have two slots beside two old ones. The first that returns leaves those of the others alone."""
    table = SlotTable(4)
    for old in ("old 1", "old 2"):
        run(table, old)
        run(table, old, "a", "b")
    new = ["new 1", "new 2", "new 3"]
    assert [run(table, one) for one in new] == [2, 3, 2]

    assert [run(table, one, "a", "b") for one in new] == [0, 3, 2]
    assert [run(table, one, "a", "b", "c", "d") for one in new] == [0, 3, 2]
    assert run(table, "old 2", "a", "b", "c") == 1


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

    assert place(table, SYSTEM, "a").slot == 0
    assert table.can_choose(0.0)
    assert place(table, SYSTEM, "a").slot == 1
    assert not table.can_choose(0.0)
    assert place(table, SYSTEM, "a").slot is None


def test_engine_chooses_while_a_slot_is_unknown() -> None:
    """A request without a turn may be in any slot, until it ends."""
    table = SlotTable(4)
    unknown = table.acquire(None, 0.0)

    assert unknown.slot is None
    assert not table.can_choose(0.0)
    other = place(table, SYSTEM, "a")
    assert other.slot is None
    table.release(unknown, 0.0)
    table.release(other, 0.0)
    assert place(table, SYSTEM, "a").slot == 0


def test_slot_of_an_aborted_request_is_held() -> None:
    """The engine may compute a moment longer."""
    table = SlotTable(2)
    table.release(table.acquire(turn(SYSTEM, "a"), 10.0), 11.0, is_complete=False)
    during_s, after_s = 11.0 + HOLD_S / 2, 11.0 + HOLD_S

    assert table.acquire(turn(SYSTEM, "a", "b"), during_s).slot == 1
    unplaced = table.acquire(turn(SYSTEM, "c"), during_s)
    assert unplaced.slot is None
    table.release(unplaced, 12.0)
    assert table.acquire(turn(SYSTEM, "a", "b"), after_s).slot == 0


def test_engine_chooses_while_an_aborted_request_may_run_anywhere() -> None:
    """The slot of an aborted request without a turn is not known either."""
    table = SlotTable(2)
    table.release(table.acquire(None, 0.0), 1.0, is_complete=False)

    assert not table.can_choose(1.0 + HOLD_S / 2)
    unplaced = table.acquire(turn(SYSTEM, "a"), 1.0 + HOLD_S / 2)
    assert unplaced.slot is None
    table.release(unplaced, 1.0 + HOLD_S / 2)
    assert table.acquire(turn(SYSTEM, "a"), 1.0 + HOLD_S).slot == 0


def test_refused_request_leaves_the_prompt_of_its_slot() -> None:
    """A prompt beyond the context is sent again and again by some programs: it must not cost a conversation."""
    table = SlotTable(1)
    run(table, SYSTEM, "a")
    table.release(table.acquire(turn("too long", "x"), 0.0), 0.0, is_computed=False)

    continued = table.acquire(turn(SYSTEM, "a", "b"), 0.0)
    assert continued.replaced is not None
    assert continued.replaced.tip == turn(SYSTEM, "a").tip


def test_placement_says_whether_a_restored_prompt_is_continued() -> None:
    """A new conversation continues none; the next turn continues what was computed since."""
    before = SlotTable(3)
    for one in range(2):
        run(before, SYSTEM, f"hello {one}")
    table = before.relaunched(3, [0, 1])

    assert place(table, "other", "new").continues_restored is False
    placement = place(table, SYSTEM, "hello 1", "reply", "more")
    assert (placement.slot, placement.continues_restored) == (1, True)
    table.release(placement, 0.0)
    placement = place(table, SYSTEM, "hello 1", "reply", "more", "reply", "yet more")
    assert (placement.slot, placement.continues_restored) == (1, False)
    assert table.acquire(None, 0.0).continues_restored is None


def test_restored_prompts_are_known_after_a_swap() -> None:
    """Other slots are empty; a conversation whose slot was not restored gets another one."""
    before = SlotTable(3)
    for one in "abc":
        run(before, SYSTEM, one)

    table = before.relaunched(3, [2, 0])

    assert run(table, SYSTEM, "c", "x", "y") == 2
    assert run(table, SYSTEM, "a", "x", "y") == 0
    assert run(table, SYSTEM, "b", "x", "y") == 1


def test_engine_chooses_beside_unknown_prompts() -> None:
    """A conversation that began before may go on in a restored slot. One that begins gets an empty slot."""
    table = SlotTable(2, unknown=[0, 7])

    unplaced = table.acquire(turn(SYSTEM, "a", "b", "c"), 0.0)
    assert unplaced.slot is None
    table.release(unplaced, 0.0)
    assert run(table, SYSTEM, "new") == 1
    assert run(table, SYSTEM, "new", "reply", "more") == 1
    assert run(table, SYSTEM, "another") == 1


def test_unknown_prompts_stay_unknown_after_a_swap() -> None:
    """Nothing was learned of them."""
    table = SlotTable(2, unknown=[0]).relaunched(2, [0])

    assert table.acquire(turn(SYSTEM, "a", "b", "c"), 0.0).slot is None


def test_engine_chooses_if_all_prompts_are_unknown() -> None:
    """Also for the first request of a conversation."""
    assert SlotTable(1, unknown=[0]).acquire(turn(SYSTEM, "a"), 0.0).slot is None


@pytest.mark.parametrize("count", [MAX_PREFIXES, MAX_PREFIXES * 4])
def test_memory_of_a_slot_is_bounded(count: int) -> None:
    """Only the hashes of the last messages are kept, among them that of the whole prompt."""
    table = SlotTable(1)
    messages = [str(one) for one in range(count)]
    run(table, *messages)

    prompt = table._slots[0].prompt
    assert prompt is not None
    assert len(prompt.prefixes) == MAX_PREFIXES
    assert run(table, *messages, "more") == 0

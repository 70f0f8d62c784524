"""Which slots are saved and restored."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gglib.runtime.engines.kept_prompts.policy import (
    DISK_RESERVE_BYTES,
    HALF_LIFE_S,
    LIMIT_S,
    MIN_TOKENS,
    RETURN_CHANCE,
    KeptFile,
    Room,
    SavedPrompt,
    SlotPrompt,
    SlotRates,
    WriteAllowance,
    is_worth_saving,
    plan_restores,
    plan_saves,
)

GB = 1024**3
RATES = SlotRates(prompt_tokens_s=200.0, bytes_token=23_000.0, save_bytes_s=1.5e9, restore_bytes_s=3e9)
FAST = SlotRates(prompt_tokens_s=30_000.0, bytes_token=128_000.0, save_bytes_s=0.5e9, restore_bytes_s=1e9)
ROOM = Room(keep_bytes=8 * GB, free_bytes=100 * GB)


def prompt(slot: int, tokens: int, idle_s: float = 0.0) -> SlotPrompt:
    """Return the prompt of a slot."""
    return SlotPrompt(slot=slot, tokens=tokens, idle_s=idle_s)


def kept(name: str, size_bytes: int, gain_s: float, idle_s: float = 0.0) -> KeptFile:
    """Return a file."""
    return KeptFile(name=name, size_bytes=size_bytes, gain_s=gain_s, idle_s=idle_s)


def test_long_prompts_are_saved_and_empty_slots_are_not() -> None:
    """The most valuable first: what was used last."""
    plan = plan_saves([prompt(0, 0), prompt(1, 2000, 60.0), prompt(2, 2000), prompt(3, 1)], RATES, [], ROOM)

    assert plan.save == (2, 1)
    assert plan.delete == ()


def test_short_prompts_are_not_saved() -> None:
    """However slow the machine is: they are mostly a template."""
    slow = SlotRates(prompt_tokens_s=1.0, bytes_token=23_000.0, save_bytes_s=1.5e9, restore_bytes_s=3e9)

    assert not is_worth_saving(MIN_TOKENS - 1, slow)
    assert is_worth_saving(MIN_TOKENS, slow)


def test_what_each_file_has_counts_once() -> None:
    """For the time and the room of a save."""
    rates = SlotRates(
        prompt_tokens_s=100.0, bytes_token=1000.0, fixed_bytes=5e8, save_bytes_s=1e9, restore_bytes_s=1e9
    )

    assert rates.save_s(1000) == 0.005 + 0.501
    assert rates.restore_s(1000) == 0.005 + 0.501
    small = Room(keep_bytes=500_000_000, free_bytes=100 * GB)
    assert plan_saves([prompt(0, 1000)], rates, [], small).save == ()
    assert plan_saves([prompt(0, 1000)], rates, [], ROOM).save == (0,)


def test_nothing_is_saved_where_prompts_are_quicker() -> None:
    """A fast GPU with a slow disk computes a prompt again before its file is written."""
    assert not is_worth_saving(30_000, FAST)
    assert plan_saves([prompt(0, 30_000)], FAST, [], ROOM).save == ()


def test_requests_that_wait_count() -> None:
    """Each of them waits for the save; where the gain is small, it is not worth that."""
    rates = SlotRates(prompt_tokens_s=2000.0, bytes_token=50_000.0, save_bytes_s=0.3e9, restore_bytes_s=2e9)

    assert is_worth_saving(4000, rates)
    assert is_worth_saving(4000, rates, waiting=1)
    assert not is_worth_saving(4000, rates, waiting=4)


def test_prompts_that_may_not_return_are_worth_less() -> None:
    """Half of them do not: a gain of less than twice the save is not expected to pay, and neither is such a restore."""
    rates = SlotRates(prompt_tokens_s=5_000.0, bytes_token=131_072.0, save_bytes_s=1.5e9, restore_bytes_s=3e9)
    slow_disk = SlotRates(
        prompt_tokens_s=5_000.0, bytes_token=131_072.0, save_bytes_s=1.5e9, restore_bytes_s=1e9
    )

    assert rates.gain_s(8000) > rates.save_s(8000)
    assert not is_worth_saving(8000, rates)
    assert slow_disk.gain_s(8000) > 0
    assert plan_restores([SavedPrompt(name="a", tokens=8000, idle_s=0.0)], slow_disk, slots=4) == ()
    assert plan_restores([SavedPrompt(name="a", tokens=8000, idle_s=0.0)], rates, slots=4) == ("a",)


def test_the_limit_of_a_stop_counts() -> None:
    """A long prompt is left out, a short one is saved."""
    plan = plan_saves([prompt(0, 6000), prompt(1, 900, 60.0)], RATES, [], ROOM, waiting=1, limit_s=0.025)

    assert plan.save == (1,)


def test_saves_end_within_their_time() -> None:
    """What does not fit into 10 s is left out; a shorter prompt after it is saved."""
    slow = SlotRates(prompt_tokens_s=10.0, bytes_token=100_000.0, save_bytes_s=1e8, restore_bytes_s=1e9)
    plan = plan_saves([prompt(0, 6000), prompt(1, 5000, 60.0), prompt(2, 3000, 90.0)], slow, [], ROOM)

    assert plan.save == (0, 2)


def test_least_valuable_files_make_room() -> None:
    """Within ``kv_keep``, the file that saves least for each byte goes, and no more than needed."""
    files = [kept("good", 4 * GB, 4000.0), kept("poor", GB, 1.0), kept("poorer", 3 * GB, 1.0)]
    plan = plan_saves([prompt(0, 60_000)], RATES, files, ROOM)

    assert plan.delete == ("poorer",)
    assert plan.save == (0,)


def test_each_file_makes_room_once() -> None:
    """Two prompts need a file each."""
    files = [kept("a", 4 * GB, 1.0), kept("b", 4 * GB, 2.0)]
    plan = plan_saves([prompt(0, 140_000), prompt(1, 140_000)], RATES, files, ROOM)

    assert plan.delete == ("a", "b")
    assert plan.save == (0, 1)


def test_valuable_files_stay() -> None:
    """A prompt that is worth less than all files is not saved, and nothing is deleted for it."""
    files = [kept("good", 8 * GB, 1e6)]

    assert plan_saves([prompt(0, 60_000)], RATES, files, ROOM).save == ()
    assert plan_saves([prompt(0, 60_000)], RATES, files, ROOM).delete == ()


def test_unused_files_lose_their_value() -> None:
    """After days a file makes room for a prompt of now."""
    files = [kept("old", 8 * GB, 1e6, idle_s=30 * HALF_LIFE_S)]

    assert plan_saves([prompt(0, 60_000)], RATES, files, ROOM).delete == ("old",)


def test_smaller_setting_deletes_files() -> None:
    """With ``kv_keep = 0`` everything goes, and nothing is saved."""
    plan = plan_saves([prompt(0, 2000)], RATES, [kept("a", GB, 9.0)], Room(keep_bytes=0, free_bytes=9 * GB))

    assert plan.delete == ("a",)
    assert plan.save == ()


def test_full_disk_saves_nothing() -> None:
    """The reserve stays free."""
    room = Room(keep_bytes=8 * GB, free_bytes=DISK_RESERVE_BYTES)

    assert plan_saves([prompt(0, 2000)], RATES, [], room).save == ()


def test_what_may_be_written_is_limited() -> None:
    """A prompt that is too large does not keep a smaller one from being saved."""
    room = Room(keep_bytes=8 * GB, free_bytes=100 * GB, write_bytes=2500 * 23_000)

    assert plan_saves(
        [prompt(0, 3000), prompt(1, 2000, 60.0), prompt(2, 1000, 90.0)], RATES, [], room
    ).save == (1,)
    assert plan_saves([prompt(0, 2400)], RATES, [], room).save == (0,)


def test_what_may_be_written_returns_with_time() -> None:
    """At once an hour's bytes, and no more after a longer pause; a file larger than that is waited for."""
    allowance = WriteAllowance(3600.0)

    assert allowance.left(1000.0) == 3600.0
    allowance.take(3000, 1000.0)
    assert allowance.left(1000.0) == 600.0
    assert allowance.left(1060.0) == 660.0
    allowance.take(1000, 1060.0)
    assert allowance.left(1060.0) == -340.0
    assert allowance.left(99_999.0) == 3600.0


def test_restores_begin_with_those_used_last() -> None:
    """As many as there are slots; a prompt that is computed as quickly is left out."""
    saved = [
        SavedPrompt(name=str(one), tokens=tokens, idle_s=idle_s)
        for one, (tokens, idle_s) in enumerate(((2000, 9.0), (2000, 1.0), (1, 0.0), (2000, 5.0)))
    ]

    assert plan_restores(saved, RATES, slots=2) == ("1", "3")
    assert plan_restores(saved, FAST, slots=4) == ()


def test_restores_end_within_their_time() -> None:
    """A file that takes too long is left out."""
    slow = SlotRates(prompt_tokens_s=10.0, bytes_token=100_000.0, save_bytes_s=1e8, restore_bytes_s=1e8)
    saved = [
        SavedPrompt(name="long", tokens=11_000, idle_s=0.0),
        SavedPrompt(name="short", tokens=5_000, idle_s=1.0),
    ]

    assert plan_restores(saved, slow, slots=4) == ("short",)


_RATES = st.builds(
    SlotRates,
    prompt_tokens_s=st.floats(1, 2_000),
    bytes_token=st.floats(1e4, 2e5),
    save_bytes_s=st.floats(1e8, 1e10),
    restore_bytes_s=st.floats(1e8, 1e10),
)
_PROMPTS = st.lists(
    st.builds(SlotPrompt, slot=st.integers(0, 15), tokens=st.integers(0, 60_000), idle_s=st.floats(0, 1e5)),
    max_size=8,
    unique_by=lambda one: one.slot,
)
_FILES = st.lists(
    st.builds(
        KeptFile,
        name=st.uuids().map(str),
        size_bytes=st.integers(0, 3 * GB),
        gain_s=st.floats(-10, 10),
        idle_s=st.floats(0, 1e7),
    ),
    max_size=8,
    unique_by=lambda one: one.name,
)
_ROOMS = st.builds(Room, keep_bytes=st.integers(0, 20 * GB), free_bytes=st.integers(0, 20 * GB))


@settings(max_examples=300, deadline=None)
@given(_PROMPTS, _RATES, _FILES, _ROOMS, st.integers(0, 3))
def test_plans_keep_their_limits(
    prompts: list[SlotPrompt], rates: SlotRates, files: list[KeptFile], room: Room, waiting: int
) -> None:
    """Budget, disk, time and worth hold for any state."""
    plan = plan_saves(prompts, rates, files, room, waiting=waiting)

    tokens = {one.slot: one.tokens for one in prompts}
    sizes = {one.name: one.size_bytes for one in files}
    new_bytes = sum(round(tokens[slot] * rates.bytes_token) for slot in plan.save)
    deleted_bytes = sum(sizes[name] for name in plan.delete)
    assert len(set(plan.save)) == len(plan.save)
    assert len(set(plan.delete)) == len(plan.delete)
    assert sum(sizes.values()) - deleted_bytes + new_bytes <= room.keep_bytes
    assert not plan.save or room.free_bytes + deleted_bytes - new_bytes >= DISK_RESERVE_BYTES
    assert sum(rates.save_s(tokens[slot]) for slot in plan.save) <= LIMIT_S * 1.000001
    for slot in plan.save:
        computing_s = tokens[slot] / rates.prompt_tokens_s
        assert RETURN_CHANCE * computing_s > (
            rates.save_s(tokens[slot]) * max(1, waiting) + RETURN_CHANCE * rates.restore_s(tokens[slot])
        )


def test_saves_take_no_longer_than_they_may() -> None:
    """The most valuable that fit into the limit."""
    both = [prompt(0, 2000), prompt(1, 2000, 60.0)]
    one_s = RATES.save_s(2000)
    assert plan_saves(both, RATES, [], ROOM, limit_s=2 * one_s).save == (0, 1)
    assert plan_saves(both, RATES, [], ROOM, limit_s=1.5 * one_s).save == (0,)
    assert plan_saves(both, RATES, [], ROOM, limit_s=0.5 * one_s).save == ()

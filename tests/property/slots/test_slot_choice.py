"""Arbitrary sequences of requests against a model of an engine: what the choice of slots promises."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gglib.proxy.slots.slot_table import HOLD_S, MAX_EVICTED, MAX_PREFIXES, SlotTable
from gglib.proxy.slots.turns import Turn

SLOTS = 3
CONVERSATIONS = 5
SYSTEM_BYTES, MESSAGE_BYTES = 400, 60


@dataclass(slots=True)
class _Request:
    slot: int | None
    """The slot that was chosen for it; None: the engine chose."""
    engine_slot: int | None
    """The slot that computes it; None: queued by the engine."""


def turn_of(conversation: int, messages: int) -> Turn:
    """Return the turn of a conversation with this many messages after the common system message."""
    prefixes = {hash("system"): SYSTEM_BYTES}
    for number in range(messages):
        prefixes[hash((conversation, number))] = SYSTEM_BYTES + (number + 1) * MESSAGE_BYTES
    return Turn(prefixes, SYSTEM_BYTES)


@dataclass(slots=True)
class _Engine:
    """Slots as llama.cpp has them: a request without a number takes any free one, or waits for one."""

    busy: set[int] = field(default_factory=set)

    def start(self, slot: int | None, wish: int) -> int | None:
        free = sorted(set(range(SLOTS)) - self.busy)
        if slot is not None:
            assert slot in free, "a request waits for its slot"
        elif free:
            slot = free[wish % len(free)]
        if slot is not None:
            self.busy.add(slot)
        return slot


class SlotChoice(RuleBasedStateMachine):
    """Requests begin, end and are aborted in any order; the engine ends an aborted one within ``HOLD_S``."""

    def __init__(self) -> None:
        super().__init__()
        self.table = SlotTable(SLOTS)
        self.engine = _Engine()
        self.requests: list[_Request] = []
        self.aborted: list[tuple[float, int | None]] = []
        self.now_s = 0.0
        self.lengths = [1] * CONVERSATIONS

    @rule(conversation=st.integers(0, CONVERSATIONS - 1), wish=st.integers(0, SLOTS - 1))
    def chat(self, conversation: int, wish: int) -> None:
        """Send a conversation's next request; a chosen slot is free in the engine."""
        self._begin(turn_of(conversation, self.lengths[conversation]), wish)
        self.lengths[conversation] += 2

    @rule(wish=st.integers(0, SLOTS - 1))
    def complete_text(self, wish: int) -> None:
        """Send a request without messages: the engine chooses."""
        self._begin(None, wish)

    @precondition(lambda self: self.requests)
    @rule(which=st.integers(0, 99), is_complete=st.booleans())
    def end(self, which: int, *, is_complete: bool) -> None:
        """End a request: the engine frees its slot at once after a response, later after an abort."""
        request = self.requests.pop(which % len(self.requests))
        self.table.release(request.slot, self.now_s, is_complete=is_complete)
        if is_complete:
            self._free(request.engine_slot)
        else:
            self.aborted.append((self.now_s, request.engine_slot))

    @rule(seconds=st.sampled_from((0.1, HOLD_S / 2, HOLD_S)))
    def wait(self, seconds: float) -> None:
        """Let time pass; the engine ends what was aborted."""
        self.now_s += seconds
        over = [one for one in self.aborted if one[0] + HOLD_S <= self.now_s]
        self.aborted = [one for one in self.aborted if one not in over]
        for _, slot in over:
            self._free(slot)

    @precondition(lambda self: not self.requests and not self.aborted)
    @rule(conversations=st.lists(st.integers(0, CONVERSATIONS - 1), min_size=1, max_size=SLOTS, unique=True))
    def return_in_turn(self, conversations: list[int]) -> None:
        """Run up to as many conversations as slots: after three rounds each has its own, whatever happened before."""
        for _ in range(3):
            slots = [self._turn_alone(one) for one in conversations]
        assert len(set(slots)) == len(slots)
        for _ in range(2):
            assert [self._turn_alone(one) for one in reversed(conversations)] == slots[::-1]

    @invariant()
    def memory_is_bounded(self) -> None:
        """Keep a bounded number of hashes."""
        assert all(len(slot.prefixes) <= MAX_PREFIXES for slot in self.table._slots)
        assert len(self.table._evicted) <= MAX_EVICTED

    def _turn_alone(self, conversation: int) -> int:
        slot = self.table.acquire(turn_of(conversation, self.lengths[conversation]), self.now_s)
        assert slot is not None
        self.lengths[conversation] += 2
        self.table.release(slot, self.now_s)
        return slot

    def _begin(self, turn: Turn | None, wish: int) -> None:
        slot = self.table.acquire(turn, self.now_s)
        self.requests.append(_Request(slot, self.engine.start(slot, wish)))

    def _free(self, slot: int | None) -> None:
        """End a request in the engine; one that it queued gets the slot."""
        if slot is None:
            return
        self.engine.busy.discard(slot)
        queued = next((one for one in self.requests if one.engine_slot is None), None)
        if queued is not None:
            queued.engine_slot = self.engine.start(None, slot)


TestSlotChoice = SlotChoice.TestCase
TestSlotChoice.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

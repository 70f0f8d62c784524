"""Arbitrary sequences of requests against a model of an engine: what the choice of slots promises."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gglib.proxy.slots.slot_table import HOLD_S, MAX_EVICTED, Placement, SlotTable
from gglib.proxy.slots.turns import MAX_PREFIXES, Turn

SLOTS = 3
CONVERSATIONS = 5
SYSTEM_BYTES, MESSAGE_BYTES = 400, 60


@dataclass(slots=True)
class _Request:
    placement: Placement
    engine_slot: int | None
    """The slot that computes it; None: queued by the engine."""


def turn_of(conversation: int, messages: int) -> Turn:
    """Return the turn of a conversation with this many messages after the common system message."""
    prefixes = {hash("system"): SYSTEM_BYTES}
    for number in range(messages):
        prefixes[hash((conversation, number))] = SYSTEM_BYTES + (number + 1) * MESSAGE_BYTES
    tip = next(reversed(prefixes))
    return Turn(prefixes, tip, prefixes[tip], SYSTEM_BYTES, None, b"", messages <= 1)


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
        self.copying: list[tuple[Placement, int]] = []
        """Requests that wait for a copy of a slot, and which free slot the engine would take for them."""
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

    @precondition(lambda self: self.copying)
    @rule(which=st.integers(0, 99), is_done=st.booleans())
    def end_copy(self, which: int, *, is_done: bool) -> None:
        """End a copy, or the attempt: the request goes to its slot, which is still free."""
        placement, wish = self.copying.pop(which % len(self.copying))
        self.table.end_copy(placement, self.now_s, is_done=is_done)
        self._send(placement, wish)

    @precondition(lambda self: self.copying)
    @rule(which=st.integers(0, 99))
    def leave_during_copy(self, which: int) -> None:
        """Let a client leave before its request was sent: the slots are as they were."""
        placement, _ = self.copying.pop(which % len(self.copying))
        self.table.release(placement, self.now_s, is_computed=False)

    @precondition(lambda self: self.requests)
    @rule(which=st.integers(0, 99), is_complete=st.booleans(), is_computed=st.booleans())
    def end(self, which: int, *, is_complete: bool, is_computed: bool) -> None:
        """End a request: the engine frees its slot at once after a response, later after an abort."""
        request = self.requests.pop(which % len(self.requests))
        self.table.release(request.placement, self.now_s, is_complete=is_complete, is_computed=is_computed)
        if is_complete:
            self._free(request.engine_slot)
        else:
            self.aborted.append((self.now_s, request.engine_slot))

    @precondition(lambda self: not self.requests and not self.aborted and not self.copying)
    @rule(kept=st.sets(st.integers(0, SLOTS - 1)), is_same_table=st.booleans())
    def swap(self, kept: set[int], *, is_same_table: bool) -> None:
        """Stop the engine and start it again with some of its prompts; gglib may have been restarted, too."""
        self.table = self.table.relaunched(SLOTS, kept) if is_same_table else SlotTable(SLOTS, kept)

    @rule(seconds=st.sampled_from((0.1, HOLD_S / 2, HOLD_S)))
    def wait(self, seconds: float) -> None:
        """Let time pass; the engine ends what was aborted."""
        self.now_s += seconds
        over = [one for one in self.aborted if one[0] + HOLD_S <= self.now_s]
        self.aborted = [one for one in self.aborted if one not in over]
        for _, slot in over:
            self._free(slot)

    @precondition(lambda self: not self.requests and not self.aborted and not self.copying)
    @rule(
        conversations=st.lists(st.integers(0, CONVERSATIONS - 1), min_size=1, max_size=SLOTS, unique=True),
        copies=st.booleans(),
    )
    def return_in_turn(self, conversations: list[int], *, copies: bool) -> None:
        """Run up to as many conversations as slots: after three rounds each has its own, whatever happened before.

        Unless a slot is unknown: the engine chooses then.
        """
        if any(slot.is_unknown for slot in self.table._slots):
            return
        for _ in range(3):
            slots = [self._turn_alone(one, copies=copies) for one in conversations]
        assert len(set(slots)) == len(slots)
        for _ in range(2):
            assert [self._turn_alone(one, copies=copies) for one in reversed(conversations)] == slots[::-1]

    @invariant()
    def copies_are_known(self) -> None:
        """Hold a slot as long as it is copied, and no longer; copy no slot to itself."""
        copies = [placement.copy for placement, _ in self.copying]
        held = [slot.number for slot in self.table._slots if slot.is_copied]
        assert held == sorted(copy.source for copy in copies if copy is not None)
        assert all(copy is not None and copy.source != copy.destination for copy in copies)

    @invariant()
    def requests_are_counted(self) -> None:
        """Count the slots in use, and the requests whose slots are unknown."""
        placements = [one.placement for one in self.requests] + [placement for placement, _ in self.copying]
        used = sorted(placement.slot for placement in placements if placement.slot is not None)
        assert used == [slot.number for slot in self.table._slots if slot.is_busy]
        assert (self.table._busy, self.table._unplaced) == (len(used), len(placements) - len(used))

    @invariant()
    def memory_is_bounded(self) -> None:
        """Keep a bounded number of hashes."""
        prompts = [slot.prompt for slot in self.table._slots if slot.prompt is not None]
        assert all(len(prompt.prefixes) <= MAX_PREFIXES for prompt in prompts)
        assert len(self.table._evicted) <= MAX_EVICTED

    def _turn_alone(self, conversation: int, *, copies: bool) -> int:
        placement = self.table.acquire(turn_of(conversation, self.lengths[conversation]), self.now_s)
        self.table.end_copy(placement, self.now_s, is_done=copies)
        assert placement.slot is not None
        self.lengths[conversation] += 2
        self.table.release(placement, self.now_s)
        return placement.slot

    def _begin(self, turn: Turn | None, wish: int) -> None:
        can_choose = self.table.can_choose(self.now_s)
        placement = self.table.acquire(turn, self.now_s)
        assert can_choose or placement.slot is None
        if placement.copy is None:
            self._send(placement, wish)
            return
        assert placement.copy.destination == placement.slot
        assert placement.copy.source not in self.engine.busy
        self.copying.append((placement, wish))

    def _send(self, placement: Placement, wish: int) -> None:
        self.requests.append(_Request(placement, self.engine.start(placement.slot, wish)))

    def _free(self, slot: int | None) -> None:
        """End a request in the engine; one that it queued gets the slot."""
        if slot is None:
            return
        self.engine.busy.discard(slot)
        queued = next((one for one in self.requests if one.engine_slot is None), None)
        if queued is not None:
            queued.engine_slot = self.engine.start(None, slot)


TestSlotChoice = SlotChoice.TestCase
TestSlotChoice.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)

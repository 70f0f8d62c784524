"""Chooses the slot of one engine for each request, so that conversations do not evict one another. Pure.

llama.cpp gives a request the free slot with the longest common prefix, from a tenth of the prompt on. So conversations
with the same system prompt take the same slot by turns and read their messages anew, although slots are free. With
``id_slot`` in the body the slot is chosen here (measured: ``docs/slots.md``). In this order, among the free ones:

1. the slot whose last prompt the request continues: nothing is lost;
2. a slot with most of an earlier form of the conversation: its last message was edited, or generated anew;
3. an empty slot;
4. the least valuable one: with the smallest sum of the bytes that would be lost and its size, for each choice since its
   last request. One with a single request counts half: its conversation may be over.

If another slot has more in common with the request than the one that 3 or 4 chose, it is copied there first, so that
nothing is read twice. If it cannot be copied, the request replaces it, as the engine would have it, if it had a single
request only, or if no slot is empty and nearly all of it is the beginning of the request.

Without a free slot the engine chooses, and queues the request. A request with ``id_slot`` waits for that slot even
while another one is free. So while a request is in flight whose slot is not known here, the engine chooses for all.
Slots whose prompts are not known here are left to the engine, too: a conversation may go on in one of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gglib.core.runtime.slots import SlotCopy
from gglib.proxy.slots.turns import Turn, is_enough

HOLD_S = 2.0
"""How long the slot of an aborted request is not chosen, or none if it is unknown: the engine frees it after its
running batch. Measured: 0.06 s for a stream, 0.4 s otherwise; longer for a prompt on a slow machine."""
SINGLE_SHARE = 0.5
"""What a prompt with a single request counts, of one that was continued. Simulated: with 1, one conversation beside
many long requests is computed anew more often; with less, new conversations evict one another beside old ones."""
MAX_EVICTED = 64
"""Replaced prompts that are remembered. Without them, conversations that take one slot by turns would count as single
requests for ever, and those that have the other slots would keep them, however old."""


@dataclass(slots=True)
class _Slot:
    number: int
    prompt: Turn | None = None
    """None for an empty slot, and for an unknown one."""
    is_unknown: bool = False
    """Whether it has a prompt that is not known here."""
    last_use: int = 0
    """Number of the choice; higher is later."""
    is_restored: bool = False
    """Whether it has a prompt of an earlier launch that no request has used since."""
    is_busy: bool = False
    is_copied: bool = False
    """Whether it is being copied: only the conversation that it belongs to may use it meanwhile."""
    free_from_s: float = 0.0

    def is_free(self, now_s: float) -> bool:
        """Whether no request is in it."""
        return not self.is_busy and self.free_from_s <= now_s


@dataclass(slots=True, eq=False)
class Placement:
    """Where a request goes; ``release`` must follow."""

    slot: int | None
    """None: the engine chooses."""
    copy: SlotCopy | None = None
    """What to copy to the slot first; ``end_copy`` must follow."""
    replaced: Turn | None = None
    """What was in the slot before."""
    replaced_use: int = 0
    """When that was last used."""
    has_replaced_restored: bool = False
    """Whether that was of an earlier launch, and no request had used it since."""
    continues_restored: bool | None = None
    """Whether the request continues a prompt of an earlier launch; None: unknown."""


_UNPLACED = Placement(None)


class SlotTable:
    """The slots of one launch of an engine. Times are seconds of one clock. Its owner calls it from one thread."""

    __slots__ = ("_busy", "_choices", "_evicted", "_placed_from_s", "_slots", "_unplaced")

    def __init__(self, slots: int, unknown: Iterable[int] = ()) -> None:
        """``unknown`` are the numbers of slots with prompts that are not known here."""
        self._slots = [_Slot(number) for number in range(slots)]
        for number in unknown:
            if number < slots:
                self._slots[number].is_unknown = self._slots[number].is_restored = True
        self._busy = 0
        """How many slots have a request."""
        self._choices = 0
        self._unplaced = 0
        """How many requests are in flight whose slots the engine chose."""
        self._placed_from_s = 0.0
        self._evicted: dict[tuple[int, str | None], None] = {}
        """Tips and sessions of replaced prompts, oldest first: what returns has more than one request."""

    def relaunched(self, slots: int, kept: Iterable[int]) -> "SlotTable":
        """Return the table of the model's next launch, in which the prompts of the ``kept`` slots were restored."""
        table = SlotTable(slots, kept)
        table._choices, table._evicted = self._choices, dict(self._evicted)
        for slot, before in zip(table._slots, self._slots, strict=False):
            if slot.is_unknown and before.prompt is not None:
                slot.prompt, slot.is_unknown, slot.last_use = before.prompt, False, before.last_use
        return table

    def can_choose(self, now_s: float) -> bool:
        """Whether ``acquire`` can choose a slot: otherwise the turn of a request need not be read."""
        return not self._unplaced and self._busy < len(self._slots) and self._placed_from_s <= now_s

    def acquire(self, turn: Turn | None, now_s: float) -> Placement:
        """Choose the slot for a request; ``turn`` is None if the engine has to."""
        slot = copy = None
        has_returned = False
        if turn is not None and self._is_placed(now_s):
            free = [slot for slot in self._slots if not slot.is_busy and slot.free_from_s <= now_s]
            slot = _own_slot(free, turn)
            has_returned = slot is not None
            if slot is None and (turn.is_first or not any(slot.is_unknown for slot in free)):
                has_returned = self._has_been_evicted(turn)
                slot, copy = _other_slot(free, turn, self._choices + 1)
                if slot is not None:
                    self._remember(slot)
        if slot is None or turn is None:
            self._unplaced += 1
            return _UNPLACED
        self._choices += 1
        if copy is not None:
            self._slots[copy.source].is_copied = True
        former = slot.prompt
        continues_restored = slot.is_restored and former is not None and former.is_continued_by(turn)
        placement = Placement(
            slot.number, copy, former, slot.last_use, slot.is_restored, continues_restored=continues_restored
        )
        turn.has_returned = has_returned
        turn.trim()
        slot.prompt, slot.is_busy, slot.last_use = turn, True, self._choices
        slot.is_restored = False
        self._busy += 1
        return placement

    def end_copy(self, placement: Placement, now_s: float, *, is_done: bool) -> None:
        """End the copy of a placement, which may have another slot afterwards, or none.

        Not done is taken for not begun: then the destination has what it had before. If the engine restores it all the
        same, a later turn computes its prompt again.
        """
        copy, placement.copy = placement.copy, None
        if copy is None:
            return
        source, slot = self._slots[copy.source], self._slots[copy.destination]
        source.is_copied = False
        prompt, other = slot.prompt, source.prompt
        if is_done:
            placement.replaced = None  # it is not in the slot any more
        if not self._is_placed(now_s):  # a request that came meanwhile may have been given the slot
            _give_back(slot, placement)
            self._busy -= 1
            placement.slot = None
            self._unplaced += 1
            return
        if prompt is None or other is None or is_done or not source.is_free(now_s):
            return
        is_single = not prompt.has_returned and not other.has_returned
        is_full = placement.replaced is not None
        if is_single or (is_full and other.is_mostly_shared(prompt)):
            self._remember(source)
            last_use = slot.last_use
            _give_back(slot, placement)
            placement.slot, placement.replaced, placement.replaced_use = source.number, other, source.last_use
            placement.has_replaced_restored = source.is_restored
            source.prompt, source.is_busy, source.last_use = prompt, True, last_use
            source.is_restored = False

    def release(
        self, placement: Placement, now_s: float, *, is_complete: bool = True, is_computed: bool = True
    ) -> None:
        """Free the slot of a request.

        ``is_complete``: the engine sent the whole response. ``is_computed``: it was no refusal, so the prompt is in the
        slot now.
        """
        free_from_s = 0.0 if is_complete else now_s + HOLD_S
        if placement.slot is None:
            self._unplaced -= 1
            self._placed_from_s = max(self._placed_from_s, free_from_s)
            return
        if placement.copy is not None:
            self._slots[placement.copy.source].is_copied = False
        slot = self._slots[placement.slot]
        slot.is_busy, slot.free_from_s = False, free_from_s
        self._busy -= 1
        if not is_computed:
            _give_back(slot, placement)

    def _is_placed(self, now_s: float) -> bool:
        """Whether the slots of all requests in flight are known."""
        return not self._unplaced and self._placed_from_s <= now_s

    def _has_been_evicted(self, turn: Turn) -> bool:
        return any(session == turn.session and tip in turn.prefixes for tip, session in self._evicted)

    def _remember(self, slot: _Slot) -> None:
        """Note that the prompt of a slot is replaced."""
        if slot.prompt is None:
            return
        key = slot.prompt.tip, slot.prompt.session
        self._evicted.pop(key, None)
        self._evicted[key] = None
        if len(self._evicted) > MAX_EVICTED:
            del self._evicted[next(iter(self._evicted))]


def _give_back(slot: _Slot, placement: Placement) -> None:
    """Undo a choice: the slot has what it had before; after a copy to it, it counts as empty."""
    slot.prompt, slot.last_use, slot.is_busy = placement.replaced, placement.replaced_use, False
    slot.is_restored = placement.has_replaced_restored and placement.replaced is not None


def _own_slot(free: list[_Slot], turn: Turn) -> _Slot | None:
    """Return the slot that has the conversation of a request, or most of an earlier form of it."""
    best: _Slot | None = None
    best_bytes = 0
    for slot in free:
        prompt = slot.prompt
        if prompt is not None and prompt.size_bytes > best_bytes and prompt.is_continued_by(turn):
            best, best_bytes = slot, prompt.size_bytes
    if best is not None:
        return best
    for slot in free:
        if slot.prompt is not None and slot.prompt.is_earlier_form_of(turn):
            shared_bytes = slot.prompt.same_messages_bytes(turn)
            if shared_bytes > best_bytes:
                best, best_bytes = slot, shared_bytes
    return best


def _other_slot(free: list[_Slot], turn: Turn, choice: int) -> tuple[_Slot | None, SlotCopy | None]:
    """Return the slot for a conversation that has none, and what to copy to it first. ``choice`` is its number."""
    usable = [slot for slot in free if not slot.is_copied]
    slot = next((slot for slot in usable if slot.prompt is None and not slot.is_unknown), None)
    if slot is None:
        least = min(
            (
                (_value(slot.prompt, turn) / (choice - slot.last_use), slot.last_use, slot)
                for slot in usable
                if slot.prompt
            ),
            default=None,
        )
        slot = None if least is None else least[2]
    return slot, None if slot is None else _copy_to(slot, usable, turn)


def _value(prompt: Turn, turn: Turn) -> float:
    """Return the bytes of a prompt that are lost if a request replaces it, and its size.

    With the loss alone, conversations that share most of their prompts replace one another at each turn.
    """
    lost_bytes = max(0, prompt.size_bytes - prompt.shared_bytes(turn))
    return (lost_bytes + prompt.size_bytes) * (1.0 if prompt.has_returned else SINGLE_SHARE)


def _copy_to(destination: _Slot, usable: list[_Slot], turn: Turn) -> SlotCopy | None:
    """Return a copy of the slot with the most in common with a request; of several, the smallest: it costs least.

    None if the destination has about as much in common with it.
    """
    best: SlotCopy | None = None
    own_bytes = 0 if destination.prompt is None else destination.prompt.shared_bytes(turn)
    for slot in usable:
        shared_bytes = 0 if slot.prompt is None else slot.prompt.shared_bytes(turn) - own_bytes
        if slot.prompt is not None and is_enough(shared_bytes, turn):
            size_bytes = max(slot.prompt.size_bytes, shared_bytes + own_bytes)
            if best is None or (shared_bytes, -size_bytes) > (best.shared_bytes, -best.size_bytes):
                best = SlotCopy(
                    source=slot.number,
                    destination=destination.number,
                    shared_bytes=shared_bytes,
                    size_bytes=size_bytes,
                )
    return best

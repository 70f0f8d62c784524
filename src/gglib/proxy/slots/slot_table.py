"""Chooses the slot of one engine for each request, so that conversations do not evict one another. Pure.

llama.cpp gives a request the free slot with the longest common prefix, from a tenth of the prompt on. So conversations
with the same system prompt take the same slot by turns and read their messages anew, although slots are free. With
``id_slot`` in the body the slot is chosen here (measured: ``docs/slots.md``). In this order, among the free ones:

1. the slot whose last prompt the request continues: nothing is lost;
2. a slot with most of an earlier form of the conversation: its last message was edited, or generated anew;
3. an empty slot;
4. the least valuable one: with a single request, whose conversation may be over, then the one unused for longest.

Without a free slot the engine chooses, and queues the request. A request with ``id_slot`` waits for that slot even
while another one is free. So while a request is in flight whose slot is not known here, the engine chooses for all.
"""

from dataclasses import dataclass, field

from gglib.proxy.slots.turns import Turn

HOLD_S = 2.0
"""How long the slot of an aborted request is not chosen, or none if it is unknown: the engine frees it after its
running batch. Measured: 0.06 s for a stream, 0.4 s otherwise; longer for a prompt on a slow machine."""
MAX_PREFIXES = 256
"""Hashes that are kept of a slot's prompt: those of its last messages. Bounds the memory of a table."""
MAX_EVICTED = 64
"""Replaced prompts that are remembered. Without them, conversations that take one slot by turns would count as single
requests for ever, and those that have the other slots would keep them, however old."""
_KEPT_SHARE = 0.5
"""An earlier form of a conversation shares at least this share of what follows the system messages."""
_NO_PREFIXES: dict[int, int] = {}


@dataclass(slots=True)
class _Slot:
    number: int
    prefixes: dict[int, int] = field(default_factory=lambda: _NO_PREFIXES)
    """Of the last prompt, as in ``Turn``; empty for an empty slot."""
    tip: int = 0
    session: str | None = None
    common_bytes: int = 0
    size_bytes: int = 0
    has_returned: bool = False
    """Whether its conversation had more than one request."""
    last_use: int = 0
    """Number of the choice; higher is later."""
    is_busy: bool = False
    free_from_s: float = 0.0


class SlotTable:
    """The slots of one launch of an engine. Times are seconds of one clock. Its owner calls it from one thread."""

    __slots__ = ("_choices", "_evicted", "_placed_from_s", "_slots", "_unplaced")

    def __init__(self, slots: int) -> None:
        self._slots = [_Slot(number) for number in range(slots)]
        self._choices = 0
        self._unplaced = 0
        """How many requests are in flight whose slots the engine chose."""
        self._placed_from_s = 0.0
        self._evicted: dict[int, None] = {}
        """The tips of replaced prompts, oldest first: a conversation that returns has more than one request."""

    def acquire(self, turn: Turn | None, now_s: float) -> int | None:
        """Return the slot for a request; None if the engine has to choose. ``release`` must follow."""
        is_known = not self._unplaced and self._placed_from_s <= now_s
        slot = self._choose(turn, now_s) if turn is not None and is_known else None
        if slot is None or turn is None:
            self._unplaced += 1
            return None
        self._choices += 1
        slot.is_busy, slot.last_use = True, self._choices
        is_own = _is_continued(slot, turn) or _is_earlier_form(slot, turn)
        slot.has_returned = is_own or not self._evicted.keys().isdisjoint(turn.prefixes)
        if slot.size_bytes and not is_own:
            self._remember(slot.tip)
        slot.prefixes, slot.tip = _last_prefixes(turn), turn.tip
        slot.session, slot.common_bytes, slot.size_bytes = turn.session, turn.common_bytes, turn.size_bytes
        return slot.number

    def release(self, number: int | None, now_s: float, *, is_complete: bool = True) -> None:
        """Free what ``acquire`` returned. ``is_complete``: the engine sent the whole response."""
        free_from_s = 0.0 if is_complete else now_s + HOLD_S
        if number is None:
            self._unplaced -= 1
            self._placed_from_s = max(self._placed_from_s, free_from_s)
        else:
            slot = self._slots[number]
            slot.is_busy, slot.free_from_s = False, free_from_s

    def _remember(self, tip: int) -> None:
        self._evicted.pop(tip, None)
        self._evicted[tip] = None
        if len(self._evicted) > MAX_EVICTED:
            del self._evicted[next(iter(self._evicted))]

    def _choose(self, turn: Turn, now_s: float) -> _Slot | None:
        free = [slot for slot in self._slots if not slot.is_busy and slot.free_from_s <= now_s]
        if continued := [slot for slot in free if _is_continued(slot, turn)]:
            return max(continued, key=lambda slot: slot.size_bytes)
        if earlier := [slot for slot in free if _is_earlier_form(slot, turn)]:
            return max(earlier, key=lambda slot: _shared_bytes(slot, turn))
        return min(free, key=_value, default=None)


def _value(slot: _Slot) -> tuple[bool, bool, int]:
    """Return what orders slots by the loss when their prompts are replaced; the least first."""
    return slot.size_bytes > 0, slot.has_returned, slot.last_use


def _is_continued(slot: _Slot, turn: Turn) -> bool:
    return slot.tip in turn.prefixes and slot.session == turn.session


def _is_earlier_form(slot: _Slot, turn: Turn) -> bool:
    own_bytes = slot.size_bytes - slot.common_bytes
    shared_bytes = _shared_bytes(slot, turn) - slot.common_bytes
    return slot.session == turn.session and own_bytes > 0 and shared_bytes >= own_bytes * _KEPT_SHARE


def _shared_bytes(slot: _Slot, turn: Turn) -> int:
    """Return the size of the messages at the beginning that both have."""
    return max((slot.prefixes[key] for key in slot.prefixes.keys() & turn.prefixes.keys()), default=0)


def _last_prefixes(turn: Turn) -> dict[int, int]:
    if len(turn.prefixes) <= MAX_PREFIXES:
        return turn.prefixes
    return dict(list(turn.prefixes.items())[-MAX_PREFIXES:])

"""The slot tables of all models that run, or ran lately. Pure."""

from gglib.core.models import RunningTarget
from gglib.proxy.slots.slot_table import SlotTable

MAX_MODELS = 64
"""Models whose tables are kept: their slots may be restored at their next launch."""


class SlotTables:
    """One table for each launch of a model. Use it from one thread."""

    __slots__ = ("_tables",)

    def __init__(self) -> None:
        self._tables: dict[int, tuple[RunningTarget, SlotTable]] = {}
        """By model id: its last launch, and the table of that; the model launched last is last."""

    def of(self, target: RunningTarget) -> SlotTable:
        """Return the table of a launch. Of the model's launch before, the slots that were restored are known."""
        known = self._tables.get(target.model_id)
        if known is not None and (known[0] is target or known[0] == target):
            return known[1]
        slots = target.slots or 0
        table = (
            SlotTable(slots, target.kept_slots)
            if known is None
            else known[1].relaunched(slots, target.kept_slots)
        )
        self._tables.pop(target.model_id, None)
        self._tables[target.model_id] = target, table
        if len(self._tables) > MAX_MODELS:
            del self._tables[next(iter(self._tables))]
        return table

"""A mapping that keeps its last used entries. Pure."""

from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Values by text; the entry that was set longest ago goes when there are more than ``limit``."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[str, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str | None) -> Value | None:
        """Return a value; None without one."""
        return None if key is None else self._values.get(key)

    def set(self, key: str, value: Value) -> None:
        """Set a value."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def pop(self, key: str) -> Value | None:
        """Remove a value and return it; None without one."""
        return self._values.pop(key, None)

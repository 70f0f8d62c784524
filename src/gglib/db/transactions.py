"""The abstract transactions that the stores of one database share."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class SqliteTransactions(ABC):
    """Runs work in transactions of one database."""

    @abstractmethod
    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in a transaction that sees everything committed before, off the event loop."""

    @abstractmethod
    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in a transaction that is durable when this returns, off the event loop."""

    @abstractmethod
    def _now(self) -> int:
        """Return the current time in its stored form."""

"""How long work tells what it does."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Told what goes on, how many bytes are done, and how many there will be. May be called from any thread."""


def ignore(_what: str, _done_bytes: int, _total_bytes: int) -> None:
    """Tell nobody."""

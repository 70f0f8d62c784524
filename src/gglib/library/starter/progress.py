"""The progress callback of the starter model's download."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the current step, the bytes done and the total, from any thread."""


def ignore(_what: str, _done_bytes: int, _total_bytes: int) -> None:
    """Ignore the progress."""

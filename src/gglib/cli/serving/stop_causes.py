"""Why a server in the foreground stops: the sentences about it, and exit codes. Pure."""

import signal
from dataclasses import dataclass

EXIT_CODE_BASE = 128
"""Shells report a program that a signal ended as 128 + its number; so does a program that exits because of one."""


@dataclass(frozen=True, slots=True)
class StopCause:
    """A signal, and what sent it, as far as this is known."""

    signal_number: int
    sentence_part: str
    """As in ``Stopping: received SIGTERM.``"""

    @property
    def exit_code(self) -> int:
        """The exit code of a process that the signal ended before it could stop in order."""
        return EXIT_CODE_BASE + self.signal_number


def stop_cause(number: int, *, has_terminal: bool, was_requested: bool) -> StopCause:
    """Return the cause of a stop by a signal.

    ``has_terminal``: whether the process has a terminal, whose user presses Ctrl-C. ``was_requested``: whether
    ``gglib stop --server`` announced its SIGTERM (``app.serving.stop_requests``).
    """
    if number == signal.SIGINT and has_terminal:
        return StopCause(number, "interrupted (Ctrl-C)")
    if number == signal.SIGTERM and was_requested:
        return StopCause(number, "requested by 'gglib stop --server'")
    return StopCause(number, f"received {signal.Signals(number).name}")


TERMINAL_CLOSED = StopCause(signal.SIGHUP, "the terminal was closed")


def stopping(cause: StopCause) -> str:
    """Return the sentence for the begin of a stop."""
    return f"Stopping: {cause.sentence_part}."


def stopping_without_waiting(cause: StopCause) -> str:
    """Return the sentence for a second signal, which ends the wait for responses in flight."""
    return f"Stopping without waiting for responses: {cause.sentence_part} again."


def stopping_immediately(cause: StopCause) -> str:
    """Return the sentence for the last signal, after which nothing is cleaned up."""
    return f"Stopping immediately: {cause.sentence_part} again."

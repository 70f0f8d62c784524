"""Why a server stops, in words."""

import signal

import pytest

from gglib.cli.serving.stop_causes import (
    TERMINAL_CLOSED,
    stop_cause,
    stopping,
    stopping_immediately,
    stopping_without_waiting,
)


@pytest.mark.parametrize(
    ("number", "has_terminal", "was_requested", "expected"),
    [
        (signal.SIGINT, True, False, "Stopping: interrupted (Ctrl-C)."),
        (signal.SIGINT, False, False, "Stopping: received SIGINT."),
        (signal.SIGTERM, True, False, "Stopping: received SIGTERM."),
        (signal.SIGTERM, False, False, "Stopping: received SIGTERM."),
        (signal.SIGTERM, False, True, "Stopping: requested by 'gglib stop --server'."),
        (signal.SIGHUP, True, False, "Stopping: received SIGHUP."),
    ],
)
def test_the_sentence_names_the_cause(
    number: int,
    has_terminal: bool,  # noqa: FBT001 - a row's values
    was_requested: bool,  # noqa: FBT001
    expected: str,
) -> None:
    """Only the command counts as a wish of the user; a service manager sends SIGTERM, too."""
    cause = stop_cause(number, has_terminal=has_terminal, was_requested=was_requested)
    assert stopping(cause) == expected


def test_further_signals_say_what_they_skip() -> None:
    """The wait for responses, then everything."""
    cause = stop_cause(signal.SIGTERM, has_terminal=False, was_requested=False)
    assert (
        stopping_without_waiting(cause) == "Stopping without waiting for responses: received SIGTERM again."
    )
    assert stopping_immediately(cause) == "Stopping immediately: received SIGTERM again."


def test_exit_codes_are_those_of_shells() -> None:
    """128 + the number of the signal."""
    assert [
        stop_cause(number, has_terminal=False, was_requested=False).exit_code
        for number in (signal.SIGINT, signal.SIGTERM)
    ] == [130, 143]
    assert TERMINAL_CLOSED.exit_code == 129

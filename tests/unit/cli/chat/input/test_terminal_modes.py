"""Ctrl-C while something is written."""

import os
import signal

import pytest

from gglib.cli.chat.input.terminal_modes import deferred_interrupt, hidden_typing


def interrupt() -> None:
    """Do what Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


def written_after(*, interrupts: int) -> list[str]:
    """Return what is written if so many interrupts come during the write; one is raised at its end in any case."""
    written: list[str] = []

    def write() -> None:
        with deferred_interrupt():
            for _ in range(interrupts):
                interrupt()
            written.append("written")

    with pytest.raises(KeyboardInterrupt):
        write()
    return written


def test_an_interrupt_waits_for_the_end_of_a_write() -> None:
    """It is raised at the end of the block; afterwards Ctrl-C is as before."""
    assert written_after(interrupts=1) == ["written"]
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_a_second_interrupt_ends_a_write_that_blocks() -> None:
    """A reader that does not read must not hold the program."""
    assert written_after(interrupts=2) == []


def test_an_ignored_interrupt_stays_ignored() -> None:
    """A job in the background of a script ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deferred_interrupt():
            interrupt()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_without_a_terminal_nothing_is_hidden() -> None:
    """The stdin of a test is no terminal."""
    with hidden_typing():
        pass

"""Keeps what is typed during an answer out of it, and for the next prompt; keeps writes whole."""

import os
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_STDIN = 0
_INPUT_MODES, _LOCAL_MODES = 0, 3
"""Indexes in the attributes of a terminal."""


@contextmanager
def hidden_typing() -> Iterator[None]:
    """Do not show keys during the block; the next reader of the terminal gets them. No effect without a terminal.

    Enter stays a carriage return (no ICRNL), as the editor of the next prompt, or the shell, expects it. Ctrl-C is a
    signal as ever.
    """
    if not _is_in_foreground():
        yield
        return
    before = termios.tcgetattr(_STDIN)
    changed = [*before]
    changed[_INPUT_MODES] &= ~termios.ICRNL
    changed[_LOCAL_MODES] &= ~(termios.ECHO | termios.ECHOCTL)
    with suppress(termios.error):
        termios.tcsetattr(_STDIN, termios.TCSANOW, changed)
    try:
        yield
    finally:
        if _is_in_foreground():
            with suppress(termios.error):
                termios.tcsetattr(_STDIN, termios.TCSANOW, before)


def _is_in_foreground() -> bool:
    """Whether stdin and stdout are a terminal that this job may change: the kernel stops others that try."""
    try:
        return sys.stdout.isatty() and os.isatty(_STDIN) and os.tcgetpgrp(_STDIN) == os.getpgrp()
    except (OSError, ValueError):
        return False


@contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Raise the ``KeyboardInterrupt`` of a Ctrl-C at the end of the block; a second Ctrl-C raises at once.

    An interrupted flush would write its text again later. For the main thread; without effect where Ctrl-C is ignored.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    was_interrupted = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal was_interrupted
        if was_interrupted:
            signal.default_int_handler(number, frame)
        was_interrupted = True

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if was_interrupted:
        raise KeyboardInterrupt

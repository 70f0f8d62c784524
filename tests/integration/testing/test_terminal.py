"""The terminal that tests of the command line run programs in."""

import os
import signal
import sys

from tests.support.terminal import CTRL_C, ENTER, terminal

ECHO = "import os; print(os.get_terminal_size().columns); print('got', repr(input('> ')))"
ENDLESS = "print('ready', flush=True); import signal; signal.pause()"
MANY_LINES = "[print('line', n) for n in range(100)]"


def test_a_program_sees_the_size_and_the_keys() -> None:
    """The program reads the columns of the terminal and what is typed."""
    with terminal([sys.executable, "-c", ECHO], env=os.environ, columns=97) as shown:
        shown.wait_for("> ")
        shown.send("hello" + ENTER)
        assert shown.wait_for_exit() == 0
    assert shown.lines[0] == "97"
    assert "got 'hello'" in shown.text


def test_ctrl_c_is_a_signal() -> None:
    """A key for an interrupt reaches the program as SIGINT."""
    with terminal([sys.executable, "-c", ENDLESS], env=os.environ) as shown:
        shown.wait_for("ready")
        shown.send(CTRL_C)
        assert shown.wait_for_exit() in {-signal.SIGINT, 1}
    assert "KeyboardInterrupt" in shown.text


def test_lines_that_have_scrolled_away_stay_readable() -> None:
    """More lines than the screen has are all there."""
    with terminal([sys.executable, "-c", MANY_LINES], env=os.environ, rows=10) as shown:
        shown.wait_for_exit()
    assert [line for line in shown.lines if line] == [f"line {n}" for n in range(100)]

"""The output of an answer on a terminal and in a pipe."""

import pytest

from gglib.cli.chat.output.printers import PipePrinter, TerminalPrinter, answer_printer
from gglib.cli.chat.response import ChatDelta


def printed(
    capsys: pytest.CaptureFixture[str], *parts: ChatDelta | str, markdown: bool = True, styled: bool = True
) -> str:
    """Return what a terminal gets; texts are parts of the answer."""
    printer = TerminalPrinter(markdown=markdown, styled=styled)
    for part in parts:
        printer.write(ChatDelta(part) if isinstance(part, str) else part)
    printer.finish()
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a terminal of 20 columns."""
    monkeypatch.setenv("COLUMNS", "20")


def test_empty_lines_around_an_answer_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Those within it stay; the output ends with one line end."""
    assert printed(capsys, "\n\n", "\n a", "\n\nb", "\n", "\n") == "a\n\nb\n"
    assert printed(capsys, "") == "\n"


def test_an_answer_may_begin_with_an_indent(capsys: pytest.CaptureFixture[str]) -> None:
    """Only a single space is left out: the first token of many models has one."""
    assert printed(capsys, "   a") == "   a\n"


def test_reasoning_is_marked_on_a_terminal_without_styles(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines begin and end it, where it cannot be dim."""
    parts = (ChatDelta("Hm.\n", is_reasoning=True), "*Yes*")
    assert printed(capsys, *parts, markdown=False, styled=False) == (
        "Thinking ...\nHm.\n... done thinking.\n\n*Yes*\n"
    )
    only = ChatDelta("Hm.", is_reasoning=True)
    assert printed(capsys, only, markdown=False, styled=False) == "Thinking ...\nHm.\n... done thinking.\n"


def test_control_characters_are_escaped_in_whatever_parts_they_come(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A carriage return at the end of a part may be half of a line end."""
    assert printed(capsys, "a\r", "\nb\x1b", "[2J\x07") == "a\nb\\x1b[2J\\x07\n"


def test_an_answer_is_wrapped_at_the_width_of_the_moment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terminal may be resized during the answer."""
    printer = TerminalPrinter(markdown=True, styled=True)
    printer.write(ChatDelta("one two three four five "))
    monkeypatch.setenv("COLUMNS", "10")
    printer.write(ChatDelta("six seven eight"))
    printer.finish()
    assert capsys.readouterr().out == "one two three four\nfive six\nseven\neight\n"


def test_a_pipe_gets_the_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither wrapped nor escaped, and without the reasoning."""
    printer = answer_printer(markdown=True)
    assert isinstance(printer, PipePrinter)
    for delta in (ChatDelta("Hm.", is_reasoning=True), ChatDelta("\n**a** \x1b"), ChatDelta(" b" * 20)):
        printer.write(delta)
    printer.finish()
    assert capsys.readouterr().out == "\n**a** \x1b" + " b" * 20 + "\n"

"""When a chat ends, and what Ctrl-C does. The editor and the session are stand-ins."""

from collections.abc import Callable
from typing import Any, cast

import click
import pytest

from gglib.cli.chat.loop import LEAVE_NOTE, ChatLoop
from gglib.cli.chat.options import ChatOptions
from gglib.cli.chat.slash_commands import read_input

Step = str | type[BaseException]


class Editor:
    """Returns or raises one step after the other, then the end of the input."""

    def __init__(self, *steps: Step) -> None:
        self._steps = iter(steps)

    def read(self) -> str:
        step = next(self._steps, EOFError)
        if isinstance(step, str):
            return step
        raise step


def prompts_of(*steps: Step, ask: Callable[[str], None] = lambda _: None) -> list[str]:
    """Return the prompts that were sent until the chat ended."""
    sent: list[str] = []

    class Session:
        has_unanswered_prompt = False

        def ask(self, text: str) -> None:
            sent.append(text)
            ask(text)

    ChatLoop(cast("Any", Session()), cast("Any", Editor(*steps)), cast("Any", None), ChatOptions()).run()
    return sent


def test_two_interrupts_at_the_prompt_leave() -> None:
    """The first says so; an input in between starts anew."""
    assert prompts_of(KeyboardInterrupt, "a", KeyboardInterrupt, KeyboardInterrupt, "never") == ["a"]


def test_an_interrupt_between_an_answer_and_the_prompt_does_not_leave(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was meant for the answer that has just ended: the conversation must not be lost."""
    readings = iter((KeyboardInterrupt, None))

    def interrupted_once(text: str) -> Any:
        if next(readings) is KeyboardInterrupt:
            raise KeyboardInterrupt
        return read_input(text)

    monkeypatch.setattr("gglib.cli.chat.loop.read_input", interrupted_once)
    assert prompts_of("a", "b") == ["b"]
    assert LEAVE_NOTE in capsys.readouterr().out


def test_a_second_interrupt_while_the_note_is_printed_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, without a traceback and with exit code 0."""

    def echo(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(click, "echo", echo)
    assert prompts_of(KeyboardInterrupt, "never") == []


@pytest.mark.parametrize("word", ["/bye", "/exit", "/quit"])
def test_a_word_leaves(word: str) -> None:
    """What follows is not read."""
    assert prompts_of("a", word, "never") == ["a"]

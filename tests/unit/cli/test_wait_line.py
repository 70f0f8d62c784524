"""The line about what a request waits for: what it asks, what it shows, when it is silent."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from gglib.cli import wait_line
from gglib.cli.terminal import OneLine
from gglib.cli.wait_line import Watch
from gglib.core.errors import UpstreamError

STOPPING = {"residents": [{"model_name": "big", "state": "stopping", "in_flight": 0}], "waiting": []}
LOADING = {"residents": [{"model_name": "small", "state": "loading", "in_flight": 0}], "waiting": []}


class RecordedLine:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.shown: list[str | None] = []

    def show(self, words: str | None) -> None:
        """Keep the words."""
        self.shown.append(words)

    def close(self) -> None:
        """Keep nothing of it."""


class Told:
    """Answers with one status after the other, and sets ``over`` with the last."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.over = threading.Event()
        self._answers = list(answers)

    def __call__(self) -> dict[str, Any]:
        """Return or raise the next answer."""
        answer = self._answers.pop(0)
        if not self._answers:
            self.over.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody watches: there is nothing to pause for."""
    monkeypatch.setattr(wait_line, "POLL_S", 0)
    monkeypatch.setattr(wait_line, "NOTED_AFTER_S", 0)


def watched(told: Told, way: Callable[[Watch], Callable[[threading.Event], None]]) -> list[str | None]:
    """Watch in a way until there is nothing more to be told, and return what was shown."""
    line = RecordedLine()
    way(Watch(told, "small", line))(told.over)
    return line.shown


def test_each_status_becomes_what_is_shown() -> None:
    """The line follows the status until the answer begins."""
    shown = watched(Told(STOPPING, LOADING, LOADING), lambda watch: watch.until)
    assert shown == ["Stopping 'big', then loading 'small': 0 s", *["Loading 'small' ..."] * 2]


@pytest.mark.parametrize(
    "answer", [UpstreamError("It is gone."), {}, {"residents": None}, {"residents": [{}]}]
)
def test_a_status_that_is_none_is_silent(answer: dict[str, Any] | Exception) -> None:
    """A server that fails, or answers something else, takes the line away, and the next status brings it back."""
    assert watched(Told(answer, LOADING), lambda watch: watch.until) == [None, "Loading 'small' ..."]


def test_where_nobody_watches_one_status_is_asked_for() -> None:
    """A file gets one sentence, and the server one question; a wait that is over by then gets none."""
    assert watched(Told(LOADING), lambda watch: watch.once) == ["Loading 'small' ..."]
    told = Told(LOADING)
    told.over.set()
    assert watched(told, lambda watch: watch.once) == []


def test_a_plain_line_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The first words are a line on stderr; what follows, and what comes after the end, is not."""
    line = OneLine()
    for words in (None, "first", "second"):
        line.show(words)
    closed = OneLine()
    closed.close()
    closed.show("too late")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "first\n")

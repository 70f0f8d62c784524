"""``gglib up`` asks once whether several models stay in memory."""

import json
import os
import pty
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.preloaded import GGLIB, PreloadedProcess
from tests.support.waiting import LIMIT_S, is_asleep, wait_until

from .conftest import Home, Watched

QUESTION = "Keep several models in memory while they fit? [Y/n]"


@contextmanager
def up_at_terminal(home: Home, *options: str) -> Iterator[Watched]:
    """Run ``up`` with a terminal as stdin, stdout and stderr."""
    terminal, end = pty.openpty()
    process = PreloadedProcess(
        [*GGLIB, "up", "--port", "0", *options],
        stdin=end,
        stdout=end,
        stderr=end,
        text=True,
        env=home.environment | {"TERM": "xterm", "COLUMNS": "200"},
    )
    os.close(end)
    try:
        yield Watched(process, terminal)
    finally:
        process.kill()
        process.communicate()
        os.close(terminal)


def served(up: Watched) -> str:
    """Wait until ``up`` serves, stop it, and return what the terminal has shown."""
    up.read_until("Ctrl-C stops everything")
    up.process.send_signal(signal.SIGINT)
    up.end()
    return up.seen


@pytest.mark.parametrize(("answer", "line"), [("\n", 'max_models = "auto"'), ("n\n", "max_models = 1")])
def test_answer_is_kept_and_the_question_not_repeated(stocked: Home, answer: str, line: str) -> None:
    """Yes and no are both written to config.toml, whose other lines stay."""
    config = stocked.path / "config.toml"
    before = config.read_text()
    with up_at_terminal(stocked) as up:
        up.read_until(QUESTION)
        os.write(up.terminal, answer.encode())
        served(up)
    assert config.read_text() == f"{before}{line}\n"
    with up_at_terminal(stocked) as up:
        assert QUESTION not in served(up)


@pytest.mark.parametrize("options", [("--max-models", "2"), ("--yes",)])
def test_question_is_not_asked_if_it_is_answered(stocked: Home, options: tuple[str, ...]) -> None:
    """By an option; ``--yes`` prompts nothing."""
    before = (stocked.path / "config.toml").read_text()
    with up_at_terminal(stocked, *options) as up:
        assert QUESTION not in served(up)
    assert (stocked.path / "config.toml").read_text() == before


def test_answer_is_kept_for_the_run_if_the_file_is_read_only(stocked: Home) -> None:
    """A warning says what to add; a reload does not undo the answer."""
    config = stocked.path / "config.toml"
    config.chmod(0o444)
    before = config.read_text()
    with up_at_terminal(stocked) as up:
        up.read_until(QUESTION)
        os.write(up.terminal, b"y\n")
        up.read_until("Ctrl-C stops everything")
        assert json.loads(stocked.ok("reload", "--json"))["settings"] == []
        up.process.send_signal(signal.SIGINT)
        up.end()
    assert "Warning:" in up.seen
    assert "add the line 'max_models = \"auto\"' to it." in up.seen
    assert config.read_text() == before


def test_ctrl_c_at_the_question_ends_up(stocked: Home) -> None:
    """Nothing is written, and no engine was started."""
    before = (stocked.path / "config.toml").read_text()
    with up_at_terminal(stocked) as up:
        up.read_until(f"{QUESTION}: ")
        wait_until(lambda: is_asleep(up.process.pid))  # it reads: CPython loses a signal just before that
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(LIMIT_S) == 1
    assert (stocked.path / "config.toml").read_text() == before
    assert stocked.engine_pids() == []

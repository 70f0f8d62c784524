"""The wait line on the terminal while a response is pending, and that it is erased."""

import json
import re
import signal
import subprocess
from contextlib import ExitStack

from tests.support.preloaded import GGLIB, PreloadedProcess
from tests.support.waiting import LIMIT_S

from gglib.cli.errors import EXIT_INTERRUPTED
from gglib.testing import Script, write_tiny_gguf

from .conftest import Home
from .test_server_commands import ANSWER, SLOW, open_stream

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ERASE_LINE = "\x1b[2K"
CHANGES_OF_A_LOAD = 4
"""Queued, loading, ready and the end of the swap."""


def test_load_progress_is_shown_on_the_terminal_and_erased(stocked: Home) -> None:
    """The response alone is on stdout; the terminal has no remainder of the wait line."""
    stocked.script(Script(load_s=1.0))
    with stocked.watched("run", "tiny", "Hello") as run:
        assert run.end().strip() == ANSWER
    before, sentence, after = run.seen.rpartition("Loading 'tiny'")
    assert sentence, run.seen
    assert ERASE_LINE in after
    assert CONTROL.sub("", after[after.rindex(ERASE_LINE) :]).strip() == ""
    assert "Error" not in before


def test_the_wait_line_names_the_busy_model(stocked: Home) -> None:
    """A request behind another model's response shows that model's name, and starts when that response is complete."""
    stocked.script(
        Script(scripts={"tiny": {"chunks": SLOW.chunks, "chunk_interval_s": SLOW.chunk_interval_s}})
    )
    stocked.ok("add", str(write_tiny_gguf(stocked.path / "other.gguf", seed=5)))
    with stocked.serving() as server, ExitStack() as busy:
        busy.enter_context(open_stream(server.url))
        with stocked.watched("run", "other", "Hello") as run:
            run.read_until("Waiting for 'tiny' to finish its response (in flight 1), then loading")
            assert "Waiting for 'other': 1 request, for " in stocked.ok("ps")
            busy.close()
            assert run.end().strip() == ANSWER


def test_a_file_gets_one_line_of_a_long_load_and_none_of_a_short_one(stocked: Home) -> None:
    """Without a terminal a load is reported once, and only if it takes long."""
    assert stocked.run("run", "tiny", "Hello").stderr == ""
    stocked.script(Script(load_s=3.0))
    done = stocked.run("run", "tiny", "Hello")
    assert done.stdout.strip() == ANSWER
    (line,) = done.stderr.splitlines()
    assert line.startswith("Loading 'tiny'")


def test_up_shows_the_load_on_a_terminal(stocked: Home) -> None:
    """The first start shows the load progress before it prints the response."""
    stocked.script(Script(load_s=1.0))
    with stocked.watched("up", "--port", "0") as up:
        up.read_until("Loading 'tiny' and sending a test prompt ...")
        assert up.process.stdout is not None
        assert any(line.startswith(f"Answer   {ANSWER}") for line in up.process.stdout)
        up.process.terminate()
        up.end()
    assert "Loading 'tiny'" in up.seen.partition("sending a test prompt")[2]


def test_a_long_load_is_followed_and_not_polled(stocked: Home) -> None:
    """The elapsed time advances without polling: one status request at the start, and one after each event."""
    stocked.script(Script(load_s=3.0))
    with stocked.foreground("serve", "--log-level", "debug", first_words="Listening on") as server:
        with stocked.watched("run", "tiny", "Hello") as run:
            assert run.end().strip() == ANSWER
        assert server.end(signal.SIGTERM) == 0
    log = (stocked.path / "logs" / "gglib.log").read_text()
    assert log.count("/gglib/events") == 1
    assert log.count("/gglib/status") <= CHANGES_OF_A_LOAD
    seconds = set(re.findall(r"Loading 'tiny': (\d+\.\d) s", run.seen))
    assert len(seconds) >= 6, run.seen


def test_ps_follows_until_ctrl_c(stocked: Home) -> None:
    """Each event is a line, printed immediately; Ctrl-C ends ps like any other command."""
    command = [*GGLIB, "ps", "--watch", "--json"]
    with (
        stocked.serving(),
        PreloadedProcess(command, stdout=subprocess.PIPE, text=True, env=stocked.environment) as watching,
    ):
        assert watching.stdout is not None
        events = (json.loads(line)["event"] for line in watching.stdout)
        assert next(events) == "snapshot"
        assert stocked.ok("run", "tiny", "Hello").strip() == ANSWER
        assert "ready" in events
        watching.send_signal(signal.SIGINT)
        assert watching.wait(LIMIT_S) == EXIT_INTERRUPTED

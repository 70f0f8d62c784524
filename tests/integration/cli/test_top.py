"""``gglib top`` in a real terminal, against a real server with the scripted engine."""

import http.client
import json
import signal
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
import pytest
from tests.support.terminal import CTRL_C, TAB, terminal
from tests.support.waiting import LIMIT_S

from gglib.core.runtime.status import RuntimeStatus
from gglib.proxy.routes import responses
from gglib.testing import Script

from .conftest import Home, installed_program

TOP = (str(installed_program()), "top", "--interval", "0.2")
MISSING = (
    "No gglib is running with this home: start one with 'gglib serve'.",
    "gglib is starting or stopping: try again in a moment.",
)


@pytest.fixture
def served(stocked: Home) -> Iterator[tuple[Home, str]]:
    """Yield a home with a running server, and its URL; the model ``tiny`` is in memory."""
    stocked.script(Script(chunks=3))
    with stocked.serving() as server:
        stocked.ok("load", "tiny")
        yield stocked, server.url


@dataclass(slots=True)
class Stream:
    """A stream in progress, in a thread."""

    body: bytes = b""


@contextmanager
def endless_stream(url: str) -> Iterator[Stream]:
    """Yield a request whose stream stalls after two of its parts; it ends if it is cancelled."""
    stream = Stream()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=LIMIT_S)
    script = {"chunks": 50, "stall_after_chunks": 2, "stall_ping_s": 0.5}
    body = {"model": "tiny", "messages": [], "stream": True, "x_script": script}
    headers = {"content-type": "application/json", "user-agent": "aider/0.86"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)

    def read() -> None:
        stream.body = connection.getresponse().read()

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield stream
    finally:
        thread.join(LIMIT_S)
        connection.close()
        assert not thread.is_alive()


def test_view_shows_the_server_follows_the_size_and_leaves_the_terminal_as_it_was(
    served: tuple[Home, str],
) -> None:
    """``q`` ends it with exit code 0, without the alternate screen and with the cursor."""
    home, url = served
    with terminal(TOP, env=home.environment, columns=80, rows=24) as screen:
        before = screen.modes()
        shown = screen.wait_until(lambda text: "tiny" in text and "q quit" in text)
        assert f"at {url}" in shown
        assert "UNLOADS IN" not in shown
        assert screen.modes() != before
        screen.resize(140, 40)
        wide = screen.wait_until(lambda text: "UNLOADS IN" in text)
        assert wide.splitlines()[-1].startswith(" q quit")
        screen.resize(60, 12)
        small = screen.wait_until(lambda text: "SWAPS" not in text and "REQUESTS" in text)
        assert small.splitlines()[-1].startswith(" q quit")
        screen.send("q")
        assert screen.wait_for_exit() == 0
        assert b"\x1b[?1049l" in screen.raw
        assert screen.raw.rindex(b"\x1b[?25h") > screen.raw.rindex(b"\x1b[?25l")
        assert screen.modes() == before


@pytest.mark.parametrize("key", [CTRL_C, "\x1b"])
def test_view_ends_with_ctrl_c_and_esc(served: tuple[Home, str], key: str) -> None:
    """Both are no errors: the user has seen enough."""
    home, _ = served
    with terminal(TOP, env=home.environment) as screen:
        screen.wait_until(lambda text: "q quit" in text)
        screen.send(key)
        assert screen.wait_for_exit() == 0


def test_stop_by_a_signal_restores_the_terminal(served: tuple[Home, str]) -> None:
    """``kill`` of the view must not leave a terminal without echo."""
    home, _ = served
    with terminal(TOP, env=home.environment) as screen:
        before = screen.modes()
        screen.wait_until(lambda text: "q quit" in text)
        screen.process.send_signal(signal.SIGTERM)
        assert screen.wait_for_exit() == 128 + signal.SIGTERM
        assert screen.modes() == before


def test_keys_pin_unload_and_load_models(served: tuple[Home, str]) -> None:
    """Their results are in the last but one line."""
    home, _ = served
    with terminal(TOP, env=home.environment) as screen:
        screen.wait_until(lambda text: "> tiny" in text)
        screen.send("p")
        screen.wait_until(lambda text: "Pinned tiny: models" in text and " pin\n" in text)
        assert json.loads(home.ok("show", "tiny", "--json"))["is_pinned"]
        screen.send("p")
        screen.wait_until(lambda text: "Unpinned tiny." in text and " pin\n" not in text)
        assert not json.loads(home.ok("show", "tiny", "--json"))["is_pinned"]
        screen.send("u")
        screen.wait_until(lambda text: "Unloaded tiny." in text and "No model is loaded." in text)
        assert json.loads(home.ok("ps", "--json"))["residents"] == []
        screen.send("ltinny\r")
        screen.wait_until(lambda text: "Unknown model 'tinny'" in text or "tinny" in text.splitlines()[-2])
        screen.send("ltiny\r")
        screen.wait_until(lambda text: "Loaded tiny." in text and "> tiny" in text)


def test_key_cancels_a_request(served: tuple[Home, str]) -> None:
    """The request is in the view with its client; its client gets the error, and the view the failure."""
    home, url = served
    with terminal(TOP, env=home.environment, columns=140, rows=30) as screen:
        screen.wait_until(lambda text: "> tiny" in text)
        with endless_stream(url) as stream:
            shown = screen.wait_until(lambda text: "running" in text and "aider" in text)
            assert "/v1/chat/completions" in shown
            assert "1/" in shown
            screen.send("u")
            screen.wait_until(lambda text: "Unload tiny, which serves 1 request? (y/n)" in text)
            screen.send("n")
            screen.send(TAB + "jc")
            screen.wait_until(lambda text: "Cancelled req_" in text and "No request is in progress." in text)
        assert b"request_cancelled" in stream.body
        screen.wait_until(
            lambda text: any(line.startswith("  request_cancelled") for line in text.splitlines())
        )


def test_server_that_dies_and_comes_back(stocked: Home) -> None:
    """The view waits, and shows the new server at its new address."""
    with stocked.serving() as server, terminal(TOP, env=stocked.environment) as screen:
        screen.wait_until(lambda text: server.url in text)
        server.process.kill()
        server.process.wait()
        screen.wait_until(
            lambda text: "Waiting for the server ..." in text and "The server does not respond." in text
        )
        with stocked.serving() as second:
            screen.wait_until(lambda text: second.url in text and "Waiting for" not in text)
            screen.send("q")
            assert screen.wait_for_exit() == 0


def test_no_server_is_one_sentence(home: Home) -> None:
    """As for ``gglib ps --watch``: in a terminal and in a pipe."""
    assert home.refused("top") in MISSING
    with terminal(TOP, env=home.environment) as screen:
        assert screen.wait_for_exit() == 1
        assert MISSING[0][:40] in screen.text
        assert b"\x1b[?1049h" not in screen.raw


def test_pipe_and_dumb_terminal_get_one_frame(served: tuple[Home, str]) -> None:
    """As text, without keys and control sequences; so does ``--once``."""
    home, url = served
    piped = home.ok("top", "--interval", "0.2")
    for title in (f"at {url}", "MODELS 1", "QUEUE", "REQUESTS", "SWAPS", "FAILED", "tiny"):
        assert title in piped
    assert "\x1b" not in piped
    assert "q quit" not in piped
    with terminal((*TOP, "--once"), env={**home.environment, "NO_COLOR": "1"}, columns=100) as screen:
        assert screen.wait_for_exit() == 0
        assert "MODELS 1" in screen.text
        assert b"\x1b" not in screen.raw


def test_remote_server_is_shown_without_its_start(served: tuple[Home, str]) -> None:
    """``--url`` names it; the time of its start is known on its machine alone."""
    home, url = served
    shown = home.ok("--url", url, "top", "--once", "--interval", "0.2")
    assert "MODELS 1" in shown
    assert " up " not in shown.splitlines()[0]


def test_older_server_is_shown_without_its_requests(home: Home) -> None:
    """It has no route for them, and refuses the parameter of the events."""
    swap = {"from_model": "big", "to_model": "small", "why": "'big' was idle"}
    status = msgspec.json.encode(responses.Status.of(RuntimeStatus(), "0.0.1", {}))
    answers = {
        b"/gglib/status": (b"200 OK", b"application/json", status),
        b"/gglib/events": (
            b"200 OK",
            b"text/event-stream",
            b"event: swap\ndata: %b\n\n" % json.dumps({"swap": swap}).encode(),
        ),
    }
    missing = (b"404 Not Found", b"application/json", b'{"error": {"code": "not_found", "message": "no"}}')

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            path = self.rfile.readline().split()[1]
            while self.rfile.readline().strip():
                pass
            line, kind, body = answers.get(path, missing)
            head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.wfile.write(head % (line, kind, len(body)) + body)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        shown = home.ok("--url", f"http://127.0.0.1:{server.server_address[1]}", "top", "--interval", "0.2")
        server.shutdown()
    assert "gglib 0.0.1 at" in shown
    assert "This server does not report its requests: update it." in shown
    assert "big -> small" in shown


def test_interval_has_a_minimum(home: Home) -> None:
    """More readings a second would only cost."""
    done = home.run("top", "--interval", "0.1")
    assert done.returncode == 2
    assert "0.1 is not in the range" in done.stderr

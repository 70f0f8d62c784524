"""The HTTP client of the commands against servers that respond, refuse, disconnect or stall."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from gglib.cli.server import client
from gglib.cli.server.client import get_json, post_json, stream_events, stream_post
from gglib.cli.server.watch import stream_status
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError, UpstreamError
from gglib.http.sse import SseEvent, read_events

CLOSE = b"Connection: close\r\n\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
REFUSED = {
    "error": {"message": "No such model.\nthe engine's last line", "type": "x", "param": None, "code": None}
}

Script = Callable[[socket.socket], None]


def answer(status: str, body: bytes) -> Script:
    """Return a script that sends a complete response."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode()
    return lambda connection: connection.sendall(head + CLOSE + body)


def sends(*parts: bytes) -> Script:
    """Return a script that sends these bytes and closes the connection."""
    return lambda connection: connection.sendall(b"".join(parts))


def chunk(body: bytes) -> bytes:
    """Return a chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(body), body)


class Server:
    """The requests that a server received."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.client_left = threading.Event()


@contextmanager
def serving(*scripts: Script, key: str | None = None) -> Iterator[Server]:
    """Serve one connection by each script; close it when the client disconnects or the script returns."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}", key))

        def run() -> None:
            for script in scripts:
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as reader:
                    head = b"".join(iter(reader.readline, b"\r\n"))
                    server.heads.append(head)
                    server.bodies.append(reader.read(_length(head)))
                    script(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server
        thread.join(10)
        assert not thread.is_alive()


def _length(head: bytes) -> int:
    lines = [line.lower().partition(b":") for line in head.splitlines()]
    return next((int(value) for name, _, value in lines if name == b"content-length"), 0)


def test_a_question_and_its_answer() -> None:
    """A GET has no body and sends the key; a POST sends its Content-Length, also for an empty body."""
    ok = answer("200 OK", b'{"a": 1}')
    with serving(ok, ok, answer("200 OK", b""), key="k") as server:
        assert get_json(server.endpoint, "/x?y=1") == {"a": 1}
        assert post_json(server.endpoint, "/x", {"b": 2}) == {"a": 1}
        assert post_json(server.endpoint, "/x") is None
    get, post, empty = server.heads
    assert get.startswith(b"GET /x?y=1 HTTP/1.1\r\n")
    assert b"content-length" not in get.lower()
    assert all(b"authorization: Bearer k\r\n" in head for head in server.heads)
    assert post.startswith(b"POST /x HTTP/1.1\r\n")
    assert b"content-type: application/json\r\n" in post
    assert b"content-length: 0\r\n" in empty
    assert [*map(json.loads, server.bodies[1:2])] == [{"b": 2}]


def test_a_long_prompt_is_sent_whole() -> None:
    """A body may exceed the socket's send buffer."""
    body = {"prompt": "x" * 5_000_000}
    with serving(answer("200 OK", b"{}")) as server:
        post_json(server.endpoint, "/x", body)
    assert json.loads(server.bodies[0]) == body


def test_a_refusal_is_the_servers_own_sentence() -> None:
    """The error is the first line of the message in OpenAI's error format, else the status."""
    refused = answer("404 Not Found", json.dumps(REFUSED).encode())
    with serving(refused, refused, answer("500 Oh", b"<html>")) as server:
        with pytest.raises(GglibError, match=r"^No such model\.$"):
            get_json(server.endpoint, "/x")
        with pytest.raises(GglibError, match=r"^No such model\.$"), stream_post(server.endpoint, "/x", {}):
            pass
        with pytest.raises(GglibError, match=r"^gglib returned status 500\.$"):
            post_json(server.endpoint, "/x")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (sends(b""), "it closed the connection before its response was complete"),
        (sends(b"SSH-2.0-x\r\n"), "it sent a response that is not HTTP"),
        (
            sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"),
            "it closed the connection before its response was complete",
        ),
        (answer("200 OK", b"<html>"), "Expecting value: line 1 column 1 (char 0)"),
    ],
    ids=["closes", "ssh", "cut", "html"],
)
def test_what_breaks_off_is_one_sentence(script: Script, why: str) -> None:
    """The sentence names the server and the failure."""
    with serving(script) as server, pytest.raises(UpstreamError) as raised:
        get_json(server.endpoint, "/x")
    assert (
        str(raised.value)
        == f"gglib at {server.endpoint.url} stopped responding ({why}): 'gglib logs' may show the reason."
    )


def test_nothing_listens() -> None:
    """A refused connection gives the same error as a broken one."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(UpstreamError) as raised:
        get_json(Endpoint(url), "/x")
    assert (
        str(raised.value)
        == f"gglib at {url} stopped responding (it cannot be reached): 'gglib logs' may show the reason."
    )


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"], ids=["head", "body"]
)
def test_silence_has_a_limit(said: bytes) -> None:
    """A stalled server causes a timeout, before the response and within its body."""

    def keep_silent(connection: socket.socket) -> None:
        connection.sendall(said)
        assert connection.recv(1) == b""

    with serving(keep_silent) as server, pytest.raises(UpstreamError, match=r"no data for 0\.05 s"):
        get_json(server.endpoint, "/x", timeout_s=0.05)


def test_a_stream_arrives_in_parts_and_its_comments_are_signs_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each part is available when it arrives; a wait for a model may last indefinitely while comments arrive."""
    monkeypatch.setattr(client, "STREAM_TIMEOUT_S", 0.5)
    seen = threading.Semaphore(0)

    def stream(connection: socket.socket) -> None:
        connection.sendall(STREAM_HEAD + chunk(b"data: 1\n\n"))
        assert seen.acquire(timeout=10)
        for _ in range(8):
            connection.sendall(chunk(b":\n\n"))
            assert not seen.acquire(timeout=0.1)
        connection.sendall(chunk(b"data: 2\n\n") + chunk(b""))

    with serving(stream) as server, stream_post(server.endpoint, "/x", {}) as parts:
        events = read_events(parts)
        assert next(events).data == b"1"
        seen.release()
        assert [event.data for event in events] == [b"2"]


def test_leaving_the_block_ends_the_request() -> None:
    """The client closes the connection immediately, so the server stops generating the response."""
    left = threading.Event()

    def stream(connection: socket.socket) -> None:
        connection.sendall(STREAM_HEAD + chunk(b"data: 1\n\n"))
        connection.settimeout(10)
        assert connection.recv(1) == b""
        left.set()

    with serving(stream) as server:
        with stream_post(server.endpoint, "/x", {}) as parts:
            assert next(parts) == b"data: 1\n\n"
        assert left.wait(5)


def test_a_stream_that_breaks_off_says_so_after_what_came() -> None:
    """The parts received so far are returned before the error is raised."""
    with (
        serving(sends(STREAM_HEAD, chunk(b"data: 1\n\n"))) as server,
        stream_post(server.endpoint, "/x", {}) as parts,
    ):
        assert next(parts) == b"data: 1\n\n"
        with pytest.raises(UpstreamError, match="closed the connection"):
            next(parts)


async def test_events_are_followed() -> None:
    """Events are parsed with their names, wherever the stream is split into parts."""
    script = sends(STREAM_HEAD, chunk(b"event: lo"), chunk(b"ading\ndata: {}\n\n:\n\n"), chunk(b""))
    with serving(script) as server:
        async with stream_events(server.endpoint, "/x") as events:
            assert [event async for event in events] == [SseEvent("loading", b"{}")]


async def test_a_server_that_stops_ends_the_statuses() -> None:
    """The last event of a stopping server is an unnamed error; the client does not poll the status after it."""
    snapshot = b'event: snapshot\ndata: {"residents": []}\n\n'
    stopping = b'data: {"error": {"code": "shutting_down"}}\n\n'
    script = sends(STREAM_HEAD, chunk(snapshot), chunk(stopping), b"0\r\n\r\n")
    with serving(script) as server:
        async with stream_status(server.endpoint) as statuses:
            assert [status async for status in statuses] == [{"residents": []}]
    assert len(server.heads) == 1

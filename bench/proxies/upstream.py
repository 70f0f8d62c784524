"""A scripted llama-server that is fast enough not to be the limit: canned bytes on uvloop, without a framework.

It is a separate program (``python upstream.py --host /dir/x.sock [--tcp PORT]``) that imports nothing of this project,
so that gglib can launch it as its engine with llama-server's command line: it uses ``--host``, ``--help`` and
``--version`` and ignores the other options.

The first bytes of the body select the response. Without ``"stream":true``: a fixed completion. With it,
``"max_tokens":N`` events in chunked framing, one ``write`` each, with the ``"stream_id"`` of the request and a sequence
number in each; then ``[DONE]``; then the connection is closed, as llama-server does although its head says Keep-Alive.
``"chunks_per_s":"R"`` paces them and adds the time of sending to each. The rest of a body is counted and discarded.
"""

import asyncio
import contextlib
import json
import os
import re
import socket
import sys
import time
from collections.abc import Sequence
from typing import Final

import uvloop

BACKLOG = 4096
TURN_CHUNKS = 1000
STREAM_ID_BYTES = 8
PEEK_BYTES = 512
"""The fields that select the response are within this many first bytes of a body."""
DONE = b"data: [DONE]\n\n"

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_MAX_TOKENS = re.compile(rb'"max_tokens":(\d+)')
_STREAM_ID = re.compile(rb'"stream_id":"(\w{8})"')
_CHUNKS_PER_S = re.compile(rb'"chunks_per_s":"(\d+)"')

_COMPLETION = json.dumps(
    {
        "choices": [
            {
                "finish_reason": "stop",
                "index": 0,
                "message": {"role": "assistant", "content": "Red, green and violet. " * 9},
            }
        ],
        "created": 1_700_000_000,
        "model": "bench",
        "system_fingerprint": "b11549-scripted",
        "object": "chat.completion",
        "usage": {"completion_tokens": 63, "prompt_tokens": 41, "total_tokens": 104},
        "id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012345",
    },
    separators=(",", ":"),
).encode()


def _whole(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = (
        b"HTTP/1.1 %b\r\nServer: llama.cpp\r\nContent-Type: application/json; charset=utf-8\r\n"
        b"Content-Length: %d\r\nKeep-Alive: timeout=5, max=100\r\n\r\n"
    )
    return head % (status, len(body)) + body


ANSWER: Final = _whole(_COMPLETION)
_HEALTHY: Final = _whole(b'{"status":"ok"}')
_NOT_HERE: Final = _whole(b'{"error":{"code":501,"message":"not scripted","type":"bench"}}', b"501 No")
STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n"
    b"Transfer-Encoding: chunked\r\nKeep-Alive: timeout=5, max=100\r\n\r\n"
)
_EVENT: Final = (
    b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" colour"}}],"created":1700000000,'
    b'"id":"chatcmpl-%b","model":"bench","object":"chat.completion.chunk","seq":"%07d","ns":"%019d"}\n\n'
)


def event(stream_id: bytes, number: int, sent_ns: int = 0) -> bytes:
    """Return one event; all events have the same length."""
    return _EVENT % (stream_id, number, sent_ns)


EVENT_BYTES: Final = len(event(b"0" * STREAM_ID_BYTES, 0))
_FRAME_LEFT: Final = b"%x\r\n" % EVENT_BYTES + _EVENT.partition(b"%b")[0]
_FRAME_RIGHTS: Final = tuple(
    event(b"", number).partition(b"chatcmpl-")[2] + b"\r\n" for number in range(1000)
)
"""Most streams are shorter: their events are joined from prebuilt parts instead of formatted."""
_END: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(DONE), DONE)


class Totals:
    """Counters of this process since its start, and the bytes written by its open streams."""

    def __init__(self) -> None:
        self.requests = 0
        self.body_bytes = 0
        self.open_streams: set[Connection] = set()

    def as_json(self) -> bytes:
        """Return the counters as JSON for the harness."""
        sent = sum(stream.sent_bytes for stream in self.open_streams)
        return json.dumps(
            {
                "requests": self.requests,
                "body_bytes": self.body_bytes,
                "open_streams": len(self.open_streams),
                "open_streams_sent_bytes": sent,
            }
        ).encode()


class Connection(asyncio.Protocol):
    """One connection: one request and its response at a time."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._loop = asyncio.get_running_loop()
        self._begun = b""
        self._peeked = b""
        self._left_bytes = 0
        self._is_paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._stream_id = b""
        self._number = 0
        self._chunks = 0
        self._interval_s = 0.0
        self._started_s = 0.0
        self.sent_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport; its write buffer stays under this class's control."""
        self._transport = transport
        self._fd: int = transport.get_extra_info("socket").fileno()
        transport.set_write_buffer_limits(high=0)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the stream."""
        if self._timer is not None:
            self._timer.cancel()
        self._chunks = 0
        self._totals.open_streams.discard(self)

    def data_received(self, data: bytes) -> None:
        """Read a request; only the beginning of a body is inspected."""
        if not self._left_bytes:
            self._begun += data
            self._begin()
        elif len(data) < self._left_bytes:
            self._left_bytes -= len(data)
        else:
            self._left_bytes = 0
            self._answer(self._peeked)

    def pause_writing(self) -> None:
        """Record that the peer is slow."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Resume writing."""
        self._is_paused = False
        if self._chunks and not self._interval_s:
            self._pump()

    def _begin(self) -> None:
        end = self._begun.find(b"\r\n\r\n")
        if end < 0:
            return
        if self._begun.startswith(b"GET "):
            path = self._begun.split(b" ", 2)[1]
            self._begun = b""
            self._transport.write(_whole(self._totals.as_json()) if path == b"/bench" else _HEALTHY)
            return
        head = self._begun[: end + 2]
        found = _CONTENT_LENGTH.search(head)
        if found is None or _CHUNKED.search(head):
            self._transport.write(_NOT_HERE)
            self._transport.close()
            return
        length = int(found[1])
        came = len(self._begun) - end - 4
        if came < min(length, PEEK_BYTES):
            return
        self._peeked = self._begun[end + 4 : end + 4 + PEEK_BYTES]
        self._begun = b""
        self._totals.body_bytes += length
        self._left_bytes = length - came
        if not self._left_bytes:
            self._answer(self._peeked)

    def _answer(self, body: bytes) -> None:
        self._totals.requests += 1
        if b'"stream":true' not in body:
            self._transport.write(ANSWER)
            return
        tokens, stream_id, pace = (
            _MAX_TOKENS.search(body),
            _STREAM_ID.search(body),
            _CHUNKS_PER_S.search(body),
        )
        self._chunks = int(tokens[1]) if tokens else 200
        self._stream_id = stream_id[1] if stream_id else b"0" * STREAM_ID_BYTES
        self._interval_s = 1 / int(pace[1]) if pace else 0.0
        self._totals.open_streams.add(self)
        self._write(STREAM_HEAD)
        if self._interval_s:
            self._started_s = self._loop.time()
            self._step()
        else:
            self._pump()

    def _pump(self) -> None:
        """Write until the peer is slow or gone; a long stream yields to the others."""
        until = min(self._chunks, self._number + TURN_CHUNKS)
        while self._number < until and not self._is_paused:
            self._write_event()
        if self._is_paused:
            return
        if self._number < self._chunks:
            self._timer = self._loop.call_later(0, self._pump)
        else:
            self._finish()

    def _step(self) -> None:
        self._write_event(time.monotonic_ns())
        if self._number < self._chunks:
            due_s = self._started_s + self._number * self._interval_s
            self._timer = self._loop.call_at(due_s, self._step)
        else:
            self._finish()

    def _write_event(self, sent_ns: int = 0) -> None:
        if sent_ns or self._number >= len(_FRAME_RIGHTS):
            frame = b"%x\r\n%b\r\n" % (EVENT_BYTES, event(self._stream_id, self._number, sent_ns))
        else:
            frame = _FRAME_LEFT + self._stream_id + _FRAME_RIGHTS[self._number]
        self._write(frame)
        self._number += 1

    def _finish(self) -> None:
        self._write(_END)
        self._chunks = 0
        if not self._is_paused:
            # Close at once, as llama-server does: the loop would close it some iterations later.
            with socket.socket(fileno=os.dup(self._fd)) as own, contextlib.suppress(OSError):
                own.shutdown(socket.SHUT_WR)
        self._transport.close()

    def _write(self, data: bytes) -> None:
        """Pass each piece to the kernel separately, as llama-server does; the loop's transport would join them."""
        self.sent_bytes += len(data)
        written = 0
        if not self._is_paused:
            try:
                written = os.write(self._fd, data)
            except BlockingIOError:
                pass
            except OSError:
                self._is_paused = True  # permanently: the peer is gone
                self._transport.abort()
                return
        if written < len(data):
            self._transport.write(data[written:])


async def serve(socket_path: str, tcp_port: int | None) -> None:
    """Serve until the process is killed."""
    totals = Totals()
    loop = asyncio.get_running_loop()
    # Kept: a server without a reference is garbage-collected and stops listening.
    servers = [await loop.create_unix_server(lambda: Connection(totals), socket_path, backlog=BACKLOG)]
    if tcp_port is not None:
        servers.append(
            await loop.create_server(lambda: Connection(totals), "127.0.0.1", tcp_port, backlog=BACKLOG)
        )
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main(argv: Sequence[str]) -> None:
    """Run with a llama-server command line."""
    if "--help" in argv:
        names = (
            "--model --alias --host --port --ctx-size --api-key-file --parallel --cache-ram --slot-save-path"
        )
        print("\n".join(f"{name} VALUE" for name in names.split()))
    elif "--version" in argv:
        print("version: 11549 (canned)")
    else:
        tcp = int(argv[argv.index("--tcp") + 1]) if "--tcp" in argv else None
        uvloop.run(serve(argv[argv.index("--host") + 1], tcp))


if __name__ == "__main__":
    main(sys.argv[1:])

"""Writes one response, with the faults of the script."""

import os
import signal
from asyncio import StreamWriter
from typing import NoReturn

from gglib.testing.scripted_server.http1 import Headers, Request, frame_bytes, head_bytes
from gglib.testing.scripted_server.record import Recorder
from gglib.testing.scripted_server.script import Script

JSON_TYPE = "application/json; charset=utf-8"
STREAM_TYPE = "text/event-stream"


class CutError(Exception):
    """The script closes the connection here."""


class ResponseWriter:
    """Writes one response. ``stays_open`` says afterwards whether the connection accepts another request."""

    def __init__(self, writer: StreamWriter, request: Request, script: Script, recorder: Recorder) -> None:
        self._writer = writer
        self._request = request
        self.script = script
        self._recorder = recorder
        self._sent_bytes = 0
        self._head = b""
        self.stays_open = request.header("connection").lower() != "close"

    async def send(self, status: int, body: bytes, *, content_type: str = JSON_TYPE) -> None:
        """Send a whole response. Errors close the connection, as with llama-server."""
        self.stays_open = self.stays_open and status < 400
        length = (("Content-Length", str(len(body))),)
        await self._write_body(self._head_of(status, content_type, length), body, b"")

    def begin_stream(self) -> None:
        """Prepare a stream; its head is sent with the first event."""
        framing = (("X-Accel-Buffering", "no"), ("Transfer-Encoding", "chunked"))
        self._head = self._head_of(200, STREAM_TYPE, framing)

    async def send_event(self, payload: bytes) -> None:
        """Send one event as one chunk of the body."""
        before = self._head + b"%x\r\n" % len(payload)
        self._head = b""
        await self._write_body(before, payload, b"\r\n")

    async def end_stream(self) -> None:
        """Send the end of the chunked body."""
        await self.send_raw(self._head + frame_bytes(b""))

    async def send_raw(self, data: bytes) -> None:
        """Send bytes unchanged, and wait until the kernel has them."""
        self._writer.write(data)
        await self._writer.drain()

    def die(self) -> NoReturn:
        """Kill the process, as a crash does."""
        self._recorder.add("exit", code=-signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")

    def _head_of(self, status: int, content_type: str, framing: Headers) -> bytes:
        connection = ("Keep-Alive", "timeout=5, max=100") if self.stays_open else ("Connection", "close")
        own = (
            ("Server", "llama.cpp"),
            ("Access-Control-Allow-Origin", self._request.header("origin")),
            ("Content-Type", content_type),
            *framing,
            connection,
        )
        given = {name.lower() for name, _ in self.script.headers} & {"content-type", "connection"}
        kept = tuple(header for header in own if header[0].lower() not in given)
        return head_bytes(status, (*kept, *self.script.headers))

    async def _write_body(self, before: bytes, payload: bytes, after: bytes) -> None:
        limit = self._limit()
        room = None if limit is None else limit - self._sent_bytes
        if room is None or room > len(payload):
            self._sent_bytes += len(payload)
            await self.send_raw(before + payload + after)
            return
        await self.send_raw(before + payload[:room])
        if self.script.die_after_bytes is not None:
            self.die()
        raise CutError

    def _limit(self) -> int | None:
        if self.script.die_after_bytes is not None:
            return self.script.die_after_bytes
        return self.script.close_after_bytes

"""A client that records every byte, keeps its connection alive, and disconnects midway on request."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from .verdict import Heard, Question


def _ignore(heard: Heard) -> None:
    del heard


class Caller:
    """Sends requests one after the other. An async context manager, which closes the connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.has_sent = asyncio.Event()

    async def ask(
        self, ask: Question, *, within_s: float, on_part: Callable[[Heard], None] = _ignore
    ) -> Heard:
        """Send a request and return its response, at the latest after ``within_s``, including transport errors.

        ``on_part`` is called for each part of the response when it arrives.
        """
        heard = Heard(asked_at_s=time.monotonic())
        leaves_first = ask.leave_after_s is not None and ask.leave_after_s < within_s
        limit_s = ask.leave_after_s if leaves_first else within_s
        try:
            async with asyncio.timeout(limit_s):
                await self._send(ask)
                await self._read(heard, on_part)
        except TimeoutError:
            heard.has_left, heard.is_late = leaves_first, not leaves_first
        except (OSError, EOFError):
            pass  # the head is missing, or the framing is incomplete: judged by the verdict
        heard.ended_at_s = time.monotonic()
        heard.duration_s = heard.ended_at_s - heard.asked_at_s
        if not heard.is_whole or heard.headers.get("connection") == "close":
            await self.leave()
        return heard

    async def leave(self) -> None:
        """Abort the connection."""
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def _send(self, ask: Question) -> None:
        if self._streams is None:
            self._streams = await self._connect()
        _, writer = self._streams
        body = ask.body()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        self.has_sent.set()

    async def _read(self, heard: Heard, on_part: Callable[[Heard], None]) -> None:
        assert self._streams is not None
        reader, _ = self._streams
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")[:-4].split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        heard.headers = {name.lower(): value for name, _, value in pairs}
        heard.began_at_s = time.monotonic()
        heard.status = int(first.split(" ")[1])
        if "content-length" in heard.headers:
            heard.body += await reader.readexactly(int(heard.headers["content-length"]))
        else:
            while size := int(await reader.readuntil(b"\r\n"), 16):
                heard.body += (await reader.readexactly(size + 2))[:-2]
                on_part(heard)
            await reader.readexactly(2)
        heard.is_whole = True

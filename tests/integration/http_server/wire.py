"""A strict parser of received responses, complete or not, which allows no data between them."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.integration.proxy.support import Client

PATIENCE_S = 6.0
"""Timeout for one connection: a lingering close takes up to two seconds."""

_STATUS_LINE = re.compile(r"HTTP/1\.1 (\d{3}) [\t -~]*")
_HEADER_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t -~]*)")


class NotHttpError(Exception):
    """The bytes are not responses."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response. ``interim`` has the statuses of the 1xx responses before it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    interim: tuple[int, ...] = ()

    def values(self, name: str) -> list[str]:
        """Return every value of a header, given in lower case."""
        return [value for key, value in self.headers if key == name]

    @property
    def says_close(self) -> bool:
        """Whether the connection ends after this response."""
        return any("close" in value.lower() for value in self.values("connection"))

    @property
    def error(self) -> dict[str, Any]:
        """The error of the body; its format is checked."""
        check_error_head(self)
        payload = json.loads(self.body)
        assert list(payload) == ["error"]
        assert list(payload["error"]) == ["message", "type", "param", "code"]
        assert isinstance(payload["error"]["message"], str)
        assert isinstance(payload["error"]["code"], str | None)
        error: dict[str, Any] = payload["error"]
        return error


def check_error_head(reply: Reply) -> None:
    """Check that the head is that of a documented error; a response to HEAD has nothing else."""
    assert reply.values("content-type") == ["application/json"]
    (request_id,) = reply.values("x-request-id")
    assert re.fullmatch(r"[!-~]{1,128}", request_id)


def read_replies(data: bytes, methods: Sequence[bytes], *, is_ended: bool = True) -> list[Reply]:
    """Return the responses in ``data``, to requests of ``methods`` in this order.

    ``is_ended`` means that the connection is closed: only then does a response without a length have an end. Raises
    ``NotHttpError`` for invalid data, ``EOFError`` for an incomplete response.
    """
    replies: list[Reply] = []
    while data:
        method = methods[len(replies)] if len(replies) < len(methods) else b"GET"
        reply, data = _read_reply(data, method=method, is_ended=is_ended)
        replies.append(reply)
    return replies


def count_whole(data: bytes, methods: Sequence[bytes]) -> int:
    """Return the number of complete responses."""
    count = 0
    try:
        while data:
            method = methods[count] if count < len(methods) else b"GET"
            _, data = _read_reply(data, method=method, is_ended=False)
            count += 1
    except EOFError:
        pass
    return count


def _read_reply(data: bytes, *, method: bytes, is_ended: bool) -> tuple[Reply, bytes]:
    interim: list[int] = []
    while True:
        status, headers, data = _read_head(data)
        if status >= 200:
            break
        interim.append(status)
    named = dict(headers)
    lengths = [value for name, value in headers if name == "content-length"]
    if len(lengths) > 1 or (lengths and "transfer-encoding" in named):
        raise NotHttpError(f"two framings: {headers}")
    body = b""
    if method != b"HEAD" and status not in {204, 304}:
        body, data = _read_body(named, data, is_ended=is_ended)
    return Reply(status, headers, body, tuple(interim)), data


def _read_body(named: dict[str, str], data: bytes, *, is_ended: bool) -> tuple[bytes, bytes]:
    if "content-length" in named:
        size = int(named["content-length"])
        if len(data) < size:
            raise EOFError
        return data[:size], data[size:]
    if "transfer-encoding" in named:
        if named["transfer-encoding"] != "chunked":
            raise NotHttpError(f"another coding: {named}")
        return _read_chunks(data)
    if not is_ended:
        raise EOFError
    if named.get("connection") != "close":
        raise NotHttpError(
            "an answer without a length, and without the word that the connection's end is its end"
        )
    return data, b""


def _read_head(data: bytes) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        raise EOFError
    first, *lines = head.decode("latin-1").split("\r\n")
    status, headers = _STATUS_LINE.fullmatch(first), [_HEADER_LINE.fullmatch(line) for line in lines]
    if status is None or None in headers:
        raise NotHttpError(head)
    return int(status[1]), tuple((line[1].lower(), line[2]) for line in headers if line), rest


def _read_chunks(data: bytes) -> tuple[bytes, bytes]:
    body = bytearray()
    while True:
        line, end, data = data.partition(b"\r\n")
        if not end:
            raise EOFError
        if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", line):
            raise NotHttpError(line)
        size = int(line, 16)
        if len(data) < size + 2:
            raise EOFError
        if data[size : size + 2] != b"\r\n":
            raise NotHttpError("a chunk without its end")
        body += data[:size]
        data = data[size + 2 :]
        if size == 0:
            return bytes(body), data


class Listener:
    """Collects received data until there is enough."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.data = b""
        self.is_ended = False

    async def until(self, is_enough: Callable[[bytes], bool]) -> bytes:
        """Read until there is enough, or the connection is closed; return all received data."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.is_ended and not is_enough(self.data):
                await self._read()
        return self.data

    async def replies(self, count: int, methods: Sequence[bytes]) -> list[Reply]:
        """Read until ``count`` responses are complete, or the connection is closed."""
        await self.until(lambda data: count_whole(data, methods) >= count)
        return read_replies(self.data, methods, is_ended=self.is_ended)

    async def to_the_end(self) -> bytes:
        """Read until the connection is closed; return all received data."""
        return await self.until(lambda _: False)

    async def _read(self) -> None:
        try:
            part = await self.client.reader.read(2**16)
        except ConnectionError:
            part = b""
        self.data += part
        self.is_ended = not part

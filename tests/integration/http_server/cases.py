"""The table of malformed and ambiguous requests, with the expected results.

This module defines the rows, which are in ``cases_framing.py``, ``cases_head.py`` and ``cases_flow.py``. The rules are
those of RFC 9110 and RFC 9112, stricter where two parsers could disagree.
"""

from dataclasses import dataclass
from enum import Enum

from tests.integration.proxy.support import CHAT, chat_body

PATH = CHAT.encode()
HOST = b"Host: 127.0.0.1"
BODY = chat_body(user="case")
STREAM_BODY = chat_body(user="case", stream=True)
FOLLOWER_BODY = chat_body(user="follower")


class After(Enum):
    """The state of the connection after the last response of a case."""

    OPEN = "open"
    """It serves the next request, also from the same write."""
    CLOSED = "closed"
    """It is closed, and data from the same write is never served."""
    AS_SAID = "as said"
    """Closed if the response says so, else open: both are correct."""
    UNFINISHED = "unfinished"
    """The case is incomplete; data from the same write is taken as its continuation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row."""

    name: str
    writes: tuple[bytes, ...]
    """What the client sends. If ``interim`` is 1, it waits for the interim response before the second write."""
    answers: tuple[frozenset[int], ...]
    """The allowed statuses of each final response, in order."""
    upstream: tuple[bytes, ...] = ()
    """The bodies that reach the upstream, in order."""
    after: After
    methods: tuple[bytes, ...] = ()
    interim: int = 0
    """The number of 100 (Continue) before the first response."""

    @property
    def raw(self) -> bytes:
        """All bytes that are sent."""
        return b"".join(self.writes)


def head(method: bytes, target: bytes, *lines: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    """Return a head with these lines and no others."""
    return b"\r\n".join((b" ".join((method, target, version)), *lines, b"", b""))


def length_of(body: bytes) -> bytes:
    """Return the ``Content-Length`` line of a body."""
    return b"Content-Length: %d" % len(body)


CHUNKED = b"Transfer-Encoding: chunked"


def post(
    *lines: bytes, body: bytes = BODY, target: bytes = PATH, version: bytes = b"HTTP/1.1", host: bytes = HOST
) -> bytes:
    """Return a POST with a right length and these additional lines."""
    return head(b"POST", target, host, *lines, length_of(body), version=version) + body


def post_raw(*lines: bytes, data: bytes = BODY, version: bytes = b"HTTP/1.1") -> bytes:
    """Return a POST whose framing, if any, is in these lines."""
    return head(b"POST", PATH, HOST, *lines, version=version) + data


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    """Return one chunk."""
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


LAST_CHUNK = b"0\r\n\r\n"
CHUNKED_BODY = chunk(BODY) + LAST_CHUNK

FOLLOWER = head(b"POST", PATH, HOST, b"Connection: close", length_of(FOLLOWER_BODY)) + FOLLOWER_BODY
"""A valid request that follows every case."""


def refused(name: str, raw: bytes | tuple[bytes, ...], *statuses: int, method: bytes = b"POST") -> Case:
    """Return a row for a request that is refused and does not reach the upstream."""
    return Case(
        name=name,
        writes=raw if isinstance(raw, tuple) else (raw,),
        answers=(frozenset(statuses or (400,)),),
        after=After.CLOSED,
        methods=(method,),
    )


def served(
    name: str,
    raw: bytes | tuple[bytes, ...],
    *bodies: bytes,
    after: After = After.OPEN,
    interim: int = 0,
) -> Case:
    """Return a row for POSTs that the upstream must see, once each; by default one with ``BODY``."""
    upstream = bodies or (BODY,)
    return Case(
        name=name,
        writes=raw if isinstance(raw, tuple) else (raw,),
        answers=tuple(frozenset((200,)) for _ in upstream),
        upstream=upstream,
        after=after,
        methods=tuple(b"POST" for _ in upstream),
        interim=interim,
    )


def answered_locally(
    name: str, raw: bytes, *statuses: int, method: bytes = b"GET", after: After = After.OPEN
) -> Case:
    """Return a row for a valid request that the proxy serves itself."""
    return Case(
        name=name,
        writes=(raw,),
        answers=(frozenset(statuses),),
        after=after,
        methods=(method,),
    )


def unfinished(name: str, raw: bytes) -> Case:
    """Return a row for an incomplete request: nothing is forwarded, whatever the response."""
    return Case(name=name, writes=(raw,), answers=(), after=After.UNFINISHED, methods=(b"POST",))

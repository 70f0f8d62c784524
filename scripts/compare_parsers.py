"""Compares how gglib, h11 and httptools (llhttp) read generated requests: ``python -m scripts.compare_parsers``.

The bytes of each connection are those of the tests of the HTTP server: valid requests, pipelined, with a few random
faults, reproducible by seed. Each parser gets the same parts. Complaints, which make the exit code 1:

- gglib accepts a request that both others refuse;
- all three accept a request, and gglib reads another method, target or body than both others.

Also counted: requests that one of the others refuses or reads in another way, and those that only gglib refuses. Empty
lines before a request, which RFC 9112 section 2.2 asks a server to skip, are skipped for h11, which refuses them.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import h11
import httptools
from tests.integration.http_server.mutate import mutant

from gglib.http.errors import HttpError
from gglib.http.request_reader import End, Event, NewRequest, RequestReader

SHOWN_COMPLAINTS = 20
_MAX_BODY_BYTES = 64 * 1024 * 1024
_MAX_H11_BYTES = 64 * 1024
"""Of an incomplete head: above gglib's limit, so that h11 refuses nothing for its size alone."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a server acts upon."""

    method: bytes
    target: bytes
    body: bytes


@dataclass(slots=True)
class Reading:
    """The complete requests of a connection, in order, and whether the next one was refused."""

    requests: list[Request] = field(default_factory=list)
    has_refused: bool = False

    def verdict(self, index: int) -> Request | bool | None:
        """Return the request with this index, False if it was refused, None if it was not read to its end."""
        if index < len(self.requests):
            return self.requests[index]
        return False if self.has_refused and index == len(self.requests) else None


def read_with_gglib(parts: Iterable[bytes]) -> Reading:
    """Read a connection as gglib's server does, up to a request that ends it."""
    reading, reader = Reading(), RequestReader(max_body_bytes=_MAX_BODY_BYTES)
    head, body = None, bytearray()
    try:
        for part in parts:
            events: list[Event] = reader.receive(part)
            while events or reader.has_unparsed_chunks:
                is_over = False
                for event in events or reader.receive(b""):
                    if isinstance(event, NewRequest):
                        head, body = event.head, bytearray(event.body or b"")
                    elif isinstance(event, bytes):
                        body += event
                    is_over = event is End.OF_REQUEST or (
                        isinstance(event, NewRequest) and event.body is not None
                    )
                events = []
                if is_over:
                    assert head is not None
                    target = head.target_for(head.raw_path)
                    reading.requests.append(Request(head.method.encode(), target, bytes(body)))
                    if not head.may_keep_alive:
                        return reading
                    events = reader.next_request()
    except HttpError:
        reading.has_refused = True
    return reading


def read_with_h11(parts: Iterable[bytes]) -> Reading:
    """Read a connection as a server that uses h11."""
    reading, unread = Reading(), b""
    connection, head, body = _h11_connection(), None, bytearray()
    try:
        for part in parts:
            unread += part
            while unread := _without_empty_lines(connection, unread):
                if unread == b"\r" and _is_between_requests(connection):
                    break  # half of an empty line, perhaps: the next part shows it
                connection.receive_data(unread)
                unread = b""
                while not isinstance(event := connection.next_event(), type):  # NEED_DATA, PAUSED are classes
                    if isinstance(event, h11.Request):
                        head, body = event, bytearray()
                    elif isinstance(event, h11.Data):
                        body += event.data
                    elif isinstance(event, h11.EndOfMessage):
                        assert head is not None
                        reading.requests.append(Request(head.method, head.target, bytes(body)))
                        if connection.their_state is not h11.DONE:
                            return (
                                reading  # the last one, or CONNECT, after which another protocol may follow
                            )
                        unread, connection = connection.trailing_data[0], _h11_connection()
                        break
    except h11.RemoteProtocolError:
        reading.has_refused = True
    return reading


def _h11_connection() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_H11_BYTES)


def _is_between_requests(connection: h11.Connection) -> bool:
    return connection.their_state is h11.IDLE and not connection.trailing_data[0]


def _without_empty_lines(connection: h11.Connection, unread: bytes) -> bytes:
    if _is_between_requests(connection):
        while unread.startswith(b"\r\n"):
            unread = unread[2:]
    return unread


class _Callbacks:
    """Collects what httptools reports."""

    def __init__(self) -> None:
        self.reading = Reading()
        self.parser = httptools.HttpRequestParser(self)
        self.is_over = False
        self._target, self._body = bytearray(), bytearray()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._target, self._body = bytearray(), bytearray()

    def on_url(self, part: bytes) -> None:
        """Take a part of the target."""
        self._target += part

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        self._body += part

    def on_message_complete(self) -> None:
        """End a request; those after one that ends the connection do not count."""
        if not self.is_over:
            request = Request(self.parser.get_method(), bytes(self._target), bytes(self._body))
            self.reading.requests.append(request)
        self.is_over = self.is_over or not self.parser.should_keep_alive()


def read_with_httptools(parts: Iterable[bytes]) -> Reading:
    """Read a connection as a server that uses httptools."""
    callbacks = _Callbacks()
    try:
        for part in parts:
            callbacks.parser.feed_data(part)
    except httptools.HttpParserUpgrade:
        callbacks.is_over = True  # the rest is another protocol's
    except httptools.HttpParserError:
        callbacks.reading.has_refused = not callbacks.is_over
    return callbacks.reading


@dataclass(slots=True)
class Comparison:
    """What was counted, and the complaints."""

    counts: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    @property
    def judged(self) -> int:
        """How many requests gglib has accepted or refused."""
        return self.counts["accepted by gglib"] + self.counts["refused by gglib"]


def compare(parts: Sequence[bytes], comparison: Comparison, *, label: str) -> None:
    """Compare the readings of one connection, up to the first request that the parsers do not agree upon."""
    own, others = read_with_gglib(parts), (read_with_h11(parts), read_with_httptools(parts))
    counts, index = comparison.counts, 0
    while isinstance(request := own.verdict(index), Request):
        verdicts = [other.verdict(index) for other in others]
        read = [_normal(verdict) for verdict in verdicts if isinstance(verdict, Request)]
        counts["accepted by gglib"] += 1
        counts["accepted by gglib, refused by h11"] += verdicts[0] is False
        counts["accepted by gglib, refused by httptools"] += verdicts[1] is False
        if all(verdict is False for verdict in verdicts):
            comparison.complaints.append(f"{label}, request {index}: only gglib accepts {request}")
        elif len(read) == len(others) and all(other != _normal(request) for other in read):
            comparison.complaints.append(f"{label}, request {index}: {request}, for the others {read}")
        if len(read) < len(others) or any(other != _normal(request) for other in read):
            counts["accepted by gglib, read differently by one"] += any(
                other != _normal(request) for other in read
            )
            return
        index += 1
    if request is False:
        accepted = sum(isinstance(other.verdict(index), Request) for other in others)
        counts["refused by gglib"] += 1
        counts[f"refused by gglib, accepted by {accepted} of the others"] += 1


def _normal(request: Request) -> Request:
    """Return a request with the target's path and query alone: gglib drops the authority, which it has compared."""
    target = request.target
    if target[:7].lower() == b"http://":
        rest = target[7:]
        start = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
        target = rest[start:] if rest[start : start + 1] == b"/" else b"/" + rest[start:]
    return Request(request.method, target.removesuffix(b"?"), request.body)


def main() -> int:
    """Print the counts and the first complaints; return 1 if there is a complaint."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the first connection")
    parser.add_argument("--requests", type=int, default=100_000, help="requests that gglib judges")
    options = parser.parse_args()
    comparison, started_s, seed = Comparison(), time.monotonic(), options.seed
    while comparison.judged < options.requests:
        compare(mutant(seed).parts, comparison, label=f"seed {seed}")
        seed += 1
    print(f"{seed - options.seed:,} connections in {time.monotonic() - started_s:.0f} s")
    for name, count in sorted(comparison.counts.items()):
        print(f"{count:>9,}  {name}")
    print(f"{len(comparison.complaints):>9,}  complaints")
    for complaint in comparison.complaints[:SHOWN_COMPLAINTS]:
        print(f"  {complaint[:600]}")
    return 1 if comparison.complaints else 0


if __name__ == "__main__":
    sys.exit(main())

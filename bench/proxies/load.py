"""The streaming load: a client of raw protocols on uvloop, which checks every byte that it receives.

A program: ``python -m bench.proxies.load MODE --port N …`` measures once and prints its figures as one JSON object. It
reads the processor time of proxy and upstream (``--proxy-pids``, ``--upstream-pids``) at both ends of the window that
it measures. Every stream has a unique id, which each of its events repeats with a sequence number: lost, mixed-up and
out-of-order events are counted as errors.
"""

import argparse
import asyncio
import json
import re
import socket
import ssl
import statistics
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import uvloop
from bench.proxies.machine import UsageWindow, forget_peaks, peak_rss_mb, pss_mb, raise_descriptor_limit
from bench.proxies.requests import chat_body, chat_request
from bench.proxies.upstream import DONE, event

_END = b"\r\n0\r\n\r\n"
_EVENT = re.compile(rb'data: \{[^\n]*"id":"chatcmpl-(\w{8})"[^\n]*"seq":"(\d{7})","ns":"(\d{19})"\}')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
PACED_CHUNKS_PER_S = 20
ENDLESS_CHUNKS = 9_000_000
SLOW_RECEIVE_BUFFER_BYTES = 4096
SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """The target of the load, and the processes whose processor time is read."""

    port: int
    """0: connect to the upstream's unix socket directly."""
    proxy_pids: tuple[int, ...]
    upstream_pids: tuple[int, ...]
    upstream_socket: str
    tls: ssl.SSLContext | None = None
    """None: HTTP."""

    @property
    def host(self) -> str:
        """The value of the ``Host`` header."""
        return f"127.0.0.1:{self.port}"


class Exchange(asyncio.Protocol):
    """A client's connection: one request and one response at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.is_open = False
        self._done: asyncio.Future[None] | None = None
        self.on_part: Callable[[bytes, int], None] | None = None

    async def send(self, request: bytes) -> bytes:
        """Send a request and return the raw bytes of the response.

        Raises ``ConnectionError`` if the response is cut short.
        """
        self._parts: list[bytes] = []
        self._tail = b""
        self._length = -1
        self._head_bytes = 0
        self._came_bytes = 0
        self.first_body_ns = 0
        self._done = self._loop.create_future()
        self._transport.write(request)
        await self._done
        return b"".join(self._parts)

    def close(self) -> None:
        """Close the connection."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Disable Nagle's algorithm for small requests."""
        self._transport = transport
        self.is_open = True
        sock = transport.get_extra_info("socket")
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Collect data until the end of the response."""
        now_ns = time.monotonic_ns()
        if not self._head_bytes:
            data = self._take_head(data)
            if not data:
                return
        self._came_bytes += len(data)
        if not self.first_body_ns:
            self.first_body_ns = now_ns
        if self.on_part is None:
            self._parts.append(data)
        else:
            self.on_part(data, now_ns)
        if self._length >= 0:
            is_over = self._came_bytes >= self._length
        else:
            self._tail = (self._tail + data)[-len(_END) :]
            is_over = self._tail == _END
        if is_over and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Fail an incomplete exchange."""
        self.is_open = False
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError("broken off"))

    def _take_head(self, data: bytes) -> bytes:
        """Return the part of the data that belongs to the body; a status other than 200 ends the exchange."""
        self._tail += data
        end = self._tail.find(b"\r\n\r\n")
        if end < 0:
            return b""
        head, rest = self._tail[: end + 2], self._tail[end + 4 :]
        self._head_bytes = end + 4
        self._tail = b"\r\n"
        if b" 200 " not in head[:14]:
            self._transport.abort()
            return b""
        length = _LENGTH.search(head)
        self._length = int(length[1]) if length else -1
        return rest


class Client:
    """A client with at most one connection, which it reuses while it is open."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.exchange: Exchange | None = None

    async def send(self, body: bytes, on_part: Callable[[bytes, int], None] | None = None) -> bytes:
        """Send a request; if the connection closes before the response begins, the request is resent once."""
        request = chat_request(body, self._target.host)
        is_reused = self.exchange is not None and self.exchange.is_open
        try:
            return await (await self._connected(on_part)).send(request)
        except ConnectionError:
            if not is_reused or (self.exchange is not None and self.exchange.first_body_ns):
                raise
        return await (await self._connected(on_part)).send(request)

    def close(self) -> None:
        """Close the connection."""
        if self.exchange is not None:
            self.exchange.close()

    async def _connected(self, on_part: Callable[[bytes, int], None] | None) -> Exchange:
        if self.exchange is None or not self.exchange.is_open:
            loop, target = asyncio.get_running_loop(), self._target
            if target.port:
                _, self.exchange = await loop.create_connection(
                    Exchange, "127.0.0.1", target.port, ssl=target.tls
                )
            else:
                _, self.exchange = await loop.create_unix_connection(Exchange, target.upstream_socket)
        self.exchange.on_part = on_part
        return self.exchange


class Window:
    """Measures from its creation to the call of ``figures``."""

    def __init__(self, target: Target) -> None:
        self._usage = UsageWindow(target.proxy_pids, target.upstream_pids)
        self._load_s = time.process_time()

    def figures(self, *, done: int, unit_count: int) -> dict[str, float]:
        """Return the rates; ``unit_count`` is the number of units that processor time is reported per thousand of."""
        usage = self._usage.close(time.process_time() - self._load_s)
        return {
            "done": done,
            "per_s": done / usage.wall_s,
            "units_per_s": unit_count / usage.wall_s,
            "cpu_ms_per_1000": usage.proxy_cpu_s * 1e6 / max(unit_count, 1),
        } | usage.as_figures()


# --- streams at full speed ---


async def streams(target: Target, *, at_once: int, seconds: float, chunks: int) -> dict[str, float]:
    """Keep ``at_once`` streams running; each is compared with the upstream's bytes."""
    numbers = count(1)
    first_byte_ms = array("d")
    errors = 0
    events = [event(b"@" * 8, number) for number in range(chunks)]
    expected = b"".join(events) + DONE

    async def keep_going(client: Client, until_s: float) -> None:
        nonlocal errors
        while time.monotonic() < until_s:
            stream_id = f"{next(numbers):08d}"
            started_ns = time.monotonic_ns()
            try:
                answer = await client.send(chat_body(stream_id=stream_id, chunks=chunks))
            except OSError:
                errors += 1
                continue
            assert client.exchange is not None
            first_byte_ms.append((client.exchange.first_body_ns - started_ns) / 1e6)
            errors += dechunked(answer) != expected.replace(b"@" * 8, stream_id.encode())

    clients = [Client(target) for _ in range(at_once)]
    window = Window(target)
    until_s = time.monotonic() + seconds
    await asyncio.gather(*(keep_going(client, until_s) for client in clients))
    done = len(first_byte_ms)
    figures = window.figures(done=done, unit_count=done * chunks)
    for client in clients:
        client.close()
    return figures | percentiles("first_byte", first_byte_ms) | {"errors": errors}


class Unframer:
    """Decodes chunked framing incrementally. A proxy may change the framing, also in the middle of an event."""

    def __init__(self) -> None:
        self._begun_line = b""
        self._left_bytes = 0
        self.is_over = False

    def feed(self, data: bytes) -> bytes:
        """Return the body bytes in the data."""
        data = self._begun_line + data
        parts: list[bytes] = []
        at = 0
        while at < len(data):
            if self._left_bytes:
                part = data[at : at + self._left_bytes]
                parts.append(part)
                self._left_bytes -= len(part)
                at += len(part)
            elif (end := data.find(b"\n", at)) >= 0:
                size = data[at:end].partition(b";")[0].strip()
                self._left_bytes = int(size or b"0", 16)  # empty: the end of line after a chunk
                self.is_over = self.is_over or size == b"0"
                at = end + 1
            else:
                break
        self._begun_line = data[at:]
        return b"".join(parts)


def dechunked(raw: bytes) -> bytes:
    """Return a body without its chunked framing; nothing if its end is missing."""
    unframer = Unframer()
    body = unframer.feed(raw)
    return body if unframer.is_over else b""


# --- paced streams ---


class PacedCheck:
    """Reads the events of one paced stream as they arrive: their delay, and whether each arrives once and in order."""

    def __init__(self, stream_id: str, delays_ns: "array[int]") -> None:
        self._id = stream_id.encode()
        self._delays_ns = delays_ns
        self._unframer = Unframer()
        self._rest = b""
        self.number = 0
        self.faults = 0
        self.is_done = False

    def feed(self, data: bytes, now_ns: int) -> None:
        """Process received data. An event counts when its last byte has arrived."""
        data = self._rest + self._unframer.feed(data)
        cut = data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
        self._rest = data[cut:]
        whole = data[:cut]
        for match in _EVENT.finditer(whole):
            self.faults += match[1] != self._id or int(match[2]) != self.number
            self.number += 1
            self._delays_ns.append(now_ns - int(match[3]))
        self.is_done = self.is_done or DONE in whole


async def paced(target: Target, *, at_once: int, seconds: float) -> dict[str, float]:
    """Run ``at_once`` paced streams in parallel, started over one second."""
    chunks = int(seconds * PACED_CHUNKS_PER_S)
    delays_ns = array("q")
    first_byte_ms = array("d")
    checks = [PacedCheck(f"{number:08d}", delays_ns) for number in range(at_once)]
    errors = 0

    async def run(number: int, check: PacedCheck) -> None:
        nonlocal errors
        await asyncio.sleep(number / at_once)
        client = Client(target)
        body = chat_body(stream_id=f"{number:08d}", chunks=chunks, chunks_per_s=PACED_CHUNKS_PER_S)
        started_ns = time.monotonic_ns()
        try:
            await client.send(body, check.feed)
        except OSError:
            errors += 1
        else:
            assert client.exchange is not None
            first_byte_ms.append((client.exchange.first_body_ns - started_ns) / 1e6)
        client.close()

    window = Window(target)
    await asyncio.gather(*(run(number, check) for number, check in enumerate(checks)))
    arrived = sum(check.number for check in checks)
    figures = window.figures(done=len(first_byte_ms), unit_count=arrived)
    faulty = sum(bool(check.faults) for check in checks)
    short = sum(check.number != chunks or not check.is_done for check in checks)
    delays_ms = array("d", (delay / 1e6 for delay in delays_ns))
    return (
        figures
        | percentiles("delay", delays_ms)
        | percentiles("first_byte", first_byte_ms)
        | {"errors": errors, "disordered_streams": faulty, "short_streams": short}
    )


# --- one large body at a time ---


async def bodies(target: Target, *, seconds: float, megabytes: int) -> dict[str, float]:
    """Post large bodies one after the other on one connection."""
    client = Client(target)
    body = chat_body(prompt="a" * (megabytes * 1_000_000))
    await client.send(chat_body())
    took_ms = array("d")
    before_mb = pss_mb(target.proxy_pids)
    forget_peaks(target.proxy_pids)
    resident_mb = peak_rss_mb(target.proxy_pids)
    window = Window(target)
    until_s = time.monotonic() + seconds
    while not took_ms or time.monotonic() < until_s:
        started_ns = time.monotonic_ns()
        await client.send(body)
        took_ms.append((time.monotonic_ns() - started_ns) / 1e6)
    figures = window.figures(done=len(took_ms), unit_count=len(took_ms))
    peak_growth_mb = peak_rss_mb(target.proxy_pids) - resident_mb
    client.close()
    await asyncio.sleep(SETTLE_S)
    kept_mb = pss_mb(target.proxy_pids) - before_mb
    return figures | percentiles("took", took_ms) | {"peak_growth_mb": peak_growth_mb, "kept_mb": kept_mb}


# --- slow readers ---


async def slow_readers(target: Target, *, readers: int, seconds: float) -> dict[str, float]:
    """Read endless streams at 1 byte/s beside normal clients; measure what is buffered for the slow readers."""
    alone = await _bystander(target, seconds)
    before_mb = pss_mb(target.proxy_pids)
    window = Window(target)
    async with asyncio.TaskGroup() as group:
        slow = [
            group.create_task(_read_slowly(target, number, seconds + SETTLE_S)) for number in range(readers)
        ]
        await asyncio.sleep(SETTLE_S)
        beside = await _bystander(target, seconds)
        growth_mb = pss_mb(target.proxy_pids) - before_mb
        status = await ask_upstream(target.upstream_socket)
    figures = window.figures(done=len(beside), unit_count=len(beside))
    read_bytes = sum(task.result() for task in slow)
    return (
        figures
        | percentiles("alone", alone)
        | percentiles("beside", beside)
        | {
            "grown_kib_per_reader": growth_mb * 1e6 / 1024 / readers,
            "in_flight_kib_per_reader": (status["open_streams_sent_bytes"] - read_bytes) / 1024 / readers,
            "open_streams": status["open_streams"],
        }
    )


async def _bystander(target: Target, seconds: float) -> "array[float]":
    """Request short streams, one after the other, and return the duration of each."""
    client = Client(target)
    took_ms = array("d")
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        started_ns = time.monotonic_ns()
        await client.send(chat_body(stream_id="bystandr", chunks=20))
        took_ms.append((time.monotonic_ns() - started_ns) / 1e6)
        await asyncio.sleep(0.002)
    client.close()
    return took_ms


async def _read_slowly(target: Target, number: int, seconds: float) -> int:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_RECEIVE_BUFFER_BYTES)
        await loop.sock_connect(sock, ("127.0.0.1", target.port))
        body = chat_body(stream_id=f"slow{number:04d}", chunks=ENDLESS_CHUNKS)
        await loop.sock_sendall(sock, chat_request(body, target.host))
        read_bytes = 0
        for _ in range(int(seconds)):
            read_bytes += len(await loop.sock_recv(sock, 1))
            await asyncio.sleep(1)
        return read_bytes


async def ask_upstream(path: str) -> dict[str, Any]:
    """Request a scripted upstream's counters."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET /bench HTTP/1.1\r\nhost: bench\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    assert length is not None
    body: dict[str, Any] = json.loads(await reader.readexactly(int(length[1])))
    writer.close()
    return body


# --- responses of a real engine ---


async def answers(target: Target, *, count: int, tokens: int) -> dict[str, float]:
    """Request short streamed responses in sequence: time to the first byte, and tokens per second after it."""
    client = Client(target)
    first_byte_ms = array("d")
    tokens_per_s = array("d")
    for _ in range(count):
        moments: list[int] = []
        events = 0

        def on_data(data: bytes, now_ns: int, moments: list[int] = moments) -> None:
            nonlocal events
            events += data.count(b"data: {")
            moments.append(now_ns)

        started_ns = time.monotonic_ns()
        await client.send(chat_body(stream_id="realreal", chunks=tokens, temperature=0.0), on_data)
        first_byte_ms.append((moments[0] - started_ns) / 1e6)
        tokens_per_s.append(max(events - 1, 0) * 1e9 / max(moments[-1] - moments[0], 1))
    client.close()
    return {
        "first_byte_p50_ms": statistics.median(first_byte_ms),
        "tokens_per_s": statistics.median(tokens_per_s),
    }


# --- the program ---


def percentiles(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return the median and the 99th percentile, in the unit of the values, which is milliseconds."""
    ordered = sorted(values) or [float("nan")]
    last = len(ordered) - 1
    return {f"{name}_p50_ms": ordered[last // 2], f"{name}_p99_ms": ordered[int(last * 0.99)]}


def main() -> None:
    """Measure once and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=("streams", "paced", "bodies", "slow", "answers"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--proxy-pids", default="")
    parser.add_argument("--upstream-pids", default="")
    parser.add_argument("--upstream-socket", default="")
    parser.add_argument("--ca", default="")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--chunks", type=int, default=200)
    options = parser.parse_args()
    raise_descriptor_limit()
    target = Target(
        options.port,
        _pids(options.proxy_pids),
        _pids(options.upstream_pids),
        options.upstream_socket,
        ssl.create_default_context(cafile=options.ca) if options.ca else None,
    )
    modes: dict[str, Callable[[], Awaitable[dict[str, float]]]] = {
        "streams": lambda: streams(
            target,
            at_once=options.at_once,
            seconds=options.seconds,
            chunks=options.chunks,
        ),
        "paced": lambda: paced(target, at_once=options.at_once, seconds=options.seconds),
        "bodies": lambda: bodies(target, seconds=options.seconds, megabytes=options.chunks),
        "slow": lambda: slow_readers(target, readers=options.at_once, seconds=options.seconds),
        "answers": lambda: answers(target, count=options.at_once, tokens=options.chunks),
    }

    async def run() -> dict[str, float]:
        return await modes[options.mode]()

    print(json.dumps(uvloop.run(run())))


def _pids(text: str) -> tuple[int, ...]:
    return tuple(int(pid) for pid in text.split(",") if pid)


if __name__ == "__main__":
    main()

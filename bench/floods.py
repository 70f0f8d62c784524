"""The impact of floods on other clients: ``python -m bench.floods`` prints the latency of ``/health`` during each.

The proxy, its scripted engine, the flood and the client of ``/health`` are separate processes; each flood lasts
``--seconds`` (8). The table also has the peak resident memory of the proxy, as Linux counts it. Fails if a p99 is above
250 ms, if an ordinary request gets no response, or if 40 uploads hold more than the budget plus a margin. Loopback and
Linux only.
"""

import argparse
import asyncio
import contextlib
import http.client
import itertools
import json
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from bench.proxies.machine import forget_peaks, peak_rss_mb, raise_descriptor_limit

from gglib.core.models import ModelSummary, RunningTarget
from gglib.proxy import ProxyOptions, serve
from gglib.testing import FakeCatalog, FakeRuntime

HEALTH_P99_MS = 250.0
HEALTH_EVERY_S = 0.01
MODEL = "tiny"
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UPLOADS, UPLOAD_BYTES = 40, 60_000_000
UPLOADS_MAY_GROW_MB = 512 + 64 + 128
"""The budget, the upload that may exceed it, and 64 KiB plus one read of each upload."""
SLOW_SOCKETS = 400

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Flood:
    """A flood; ``run`` returns when the event is set."""

    name: str
    run: Callable[[int, threading.Event], None]
    connections: int = 1


# --- floods ---


def _nothing(port: int, over: threading.Event) -> None:
    del port
    over.wait()


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def _again_and_again(first: bytes, then: bytes) -> Callable[[int, threading.Event], None]:
    """Return a flood that sends ``then`` at full speed on one connection after another, and reads the responses."""

    def run(port: int, over: threading.Event) -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), _connect(port) as sock:
                sock.settimeout(0.2)
                sock.sendall(first)
                _pump(sock, then, over)

    return run


def _pump(sock: socket.socket, data: bytes, over: threading.Event) -> None:
    sock.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        view = memoryview(data)
        at = 0
        while not over.is_set():
            for _, events in selector.select(0.2):
                if events & selectors.EVENT_READ and not sock.recv(1 << 18):
                    return
                if events & selectors.EVENT_WRITE:
                    at = (at + sock.send(view[at:])) % len(view)


def _slow_heads(port: int, over: threading.Event) -> None:
    """Hold many connections that send a byte of their head each second."""
    socks: list[socket.socket] = []
    while not over.is_set():
        while len(socks) < SLOW_SOCKETS:
            sock = _connect(port)
            sock.sendall(HEAD + b"X-A: ")
            socks.append(sock)
        alive = []
        for sock in socks:
            try:
                sock.sendall(b"x")
                alive.append(sock)
            except OSError:
                sock.close()
        socks = alive
        over.wait(1.0)
    for sock in socks:
        sock.close()


def _uploads(port: int, over: threading.Event) -> None:
    """Send all but the end of many large bodies, as fast as possible."""
    part = b"x" * (1 << 20)
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(UPLOADS):
            sock = stack.enter_context(_connect(port))
            sock.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % UPLOAD_BYTES)
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_WRITE, [UPLOAD_BYTES - 1])
        while not over.is_set():
            if not selector.get_map():
                over.wait()
            for key, _ in selector.select(0.2):
                left = key.data
                try:
                    left[0] -= key.fileobj.send(part[: left[0]])  # type: ignore[union-attr]
                except OSError:
                    left[0] = 0
                if not left[0]:
                    selector.unregister(key.fileobj)


def _posts(body: bytes) -> Callable[[int, threading.Event], None]:
    def run(port: int, over: threading.Event) -> None:
        while not over.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                while not over.is_set():
                    connection.request("POST", "/v1/chat/completions", body)
                    connection.getresponse().read()

    return run


def _schema(values: int) -> bytes:
    schema = {"type": "object", "properties": {"a": {"enum": [f"v{number}" for number in range(values)]}}}
    asked = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    return json.dumps(
        {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "response_format": asked}
    ).encode()


def _image(size_bytes: int) -> bytes:
    url = {"url": "data:image/png;base64," + "iVBORw0K" * (size_bytes // 8)}
    content = [{"type": "image_url", "image_url": url}]
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": content}]}).encode()


def _floods() -> list[Flood]:
    one = b"1\r\nx\r\n"
    health = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    stream = json.dumps({"model": MODEL, "stream": True, "messages": []}).encode()
    return [
        Flood("none", _nothing),
        Flood("chunks of one byte", _again_and_again(CHUNKED, one * 50_000)),
        Flood("the same, 8 connections", _again_and_again(CHUNKED, one * 50_000), 8),
        Flood("chunks with extensions", _again_and_again(CHUNKED, b"1;a=b\r\nx\r\n" * 30_000), 4),
        Flood("requests sent ahead", _again_and_again(b"", health * 10_000), 4),
        Flood("empty lines and requests", _again_and_again(b"", (b"\r\n" * 8 + health) * 5_000), 4),
        Flood("slow headers", _slow_heads),
        Flood(f"{UPLOADS} unfinished uploads of {UPLOAD_BYTES // 1_000_000} MB", _uploads),
        Flood("schemas of 20,000 values", _posts(_schema(20_000)), 8),
        Flood("images of 20 MB", _posts(_image(20_000_000)), 2),
        Flood("an engine's chunks of one byte", _posts(stream), 2),
    ]


# --- processes ---


async def _be_the_proxy(engine_port: int) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    cancel = asyncio.Event()
    loop = asyncio.get_running_loop()
    threading.Thread(
        target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(cancel.set)), daemon=True
    ).start()
    runtime = FakeRuntime({MODEL: RunningTarget.local(engine_port, 1, MODEL, 4096)})
    catalog = FakeCatalog([ModelSummary(id=1, name=MODEL)])
    await serve(listener, 4096, runtime, catalog, cancel, options=ProxyOptions())


class _Engine(asyncio.Protocol):
    """Responds at once: to streams in chunks of one byte, to anything else in one line."""

    LINE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    STREAM = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"1\r\n%c\r\n" % byte for byte in b"data: {}\n\n" * 50_000)
        + b"0\r\n\r\n"
    )

    def __init__(self) -> None:
        self._head = b""
        self._left_bytes = 0
        self._answer = self.LINE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._left_bytes:
            self._left_bytes -= len(data)
        else:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            self._answer = self.STREAM if b'"stream": true' in body[:200] else self.LINE
            self._head, self._left_bytes = b"", length - len(body)
        if not self._left_bytes:
            self._transport.write(self._answer)


async def _be_the_engine() -> None:
    server = await asyncio.get_running_loop().create_server(_Engine, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _be_the_flood(number: int, port: int) -> None:
    flood, over = _floods()[number], threading.Event()
    threads = [threading.Thread(target=flood.run, args=(port, over)) for _ in range(flood.connections)]
    for thread in threads:
        thread.start()
    print("begun", flush=True)
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()


def _be_the_witness(port: int, seconds: float) -> None:
    """Request ``/health`` on new connections; print the latencies in milliseconds, and the failures."""
    took_ms: list[float] = []
    failures: list[str] = []
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        started_s = time.monotonic()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/health")
            status = connection.getresponse().status
            connection.close()
            failures += [str(status)] if status != 200 else []
        except OSError as error:
            failures.append(repr(error))
        took_ms.append((time.monotonic() - started_s) * 1000)
        time.sleep(HEALTH_EVERY_S)
    print(json.dumps({"took_ms": took_ms, "failures": failures}))


@contextmanager
def _child(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a role of this program for the block; the process ends with its standard input."""
    command = [sys.executable, "-m", "bench.floods", *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child
        finally:
            if child.stdin is not None:
                child.stdin.close()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


def _line(child: subprocess.Popen[str]) -> str:
    if child.stdout is None:
        raise RuntimeError("The child has no standard output.")
    return child.stdout.readline().strip()


# --- measuring ---


@dataclass(frozen=True, slots=True)
class Row:
    """The impact of one flood on other clients."""

    name: str
    answers: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    peak_mb: float
    failures: Sequence[str]

    def complaints(self) -> list[str]:
        """Return the bounds that it exceeds."""
        said = [f"{self.name}: /health failed: {failure}" for failure in self.failures[:3]]
        if self.p99_ms > HEALTH_P99_MS:
            said.append(f"{self.name}: /health's p99 is {self.p99_ms:.0f} ms")
        if self.name.startswith(f"{UPLOADS} ") and self.peak_mb > UPLOADS_MAY_GROW_MB:
            said.append(f"{self.name}: {self.peak_mb:.0f} MB")
        return said


def _measure(number: int, loop: str, seconds: float) -> Row:
    flood = _floods()[number]
    with (
        _child("--role=engine") as engine,
        _child("--role=proxy", f"--port={_line(engine)}", f"--loop={loop}") as proxy,
    ):
        port = int(_line(proxy))
        forget_peaks([proxy.pid])
        with _child("--role=flood", f"--number={number}", f"--port={port}") as running:
            _line(running)
            with _child("--role=witness", f"--port={port}", f"--seconds={seconds}") as witness:
                told: dict[str, Any] = json.loads(_line(witness))
            peak_mb = peak_rss_mb([proxy.pid])
    ordered = sorted(told["took_ms"])
    return Row(
        flood.name,
        len(ordered),
        ordered[len(ordered) // 2],
        ordered[int((len(ordered) - 1) * 0.99)],
        ordered[-1],
        peak_mb,
        told["failures"],
    )


def main() -> int:
    """Measure, print the table, and return 1 if a bound is exceeded."""
    parser = argparse.ArgumentParser(prog="bench.floods", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of floods, from 0")
    parser.add_argument("--role", choices=("proxy", "engine", "flood", "witness"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    raise_descriptor_limit()
    match options.role:
        case "proxy":
            run = uvloop.run if options.loop == "uvloop" else asyncio.run
            run(_be_the_proxy(options.port))
        case "engine":
            uvloop.run(_be_the_engine())
        case "flood":
            _be_the_flood(options.number, options.port)
        case "witness":
            _be_the_witness(options.port, options.seconds)
        case _:
            return _print_all(options.only or range(len(_floods())), options.loop, options.seconds)
    return 0


def _print_all(numbers: Sequence[int], loop: str, seconds: float) -> int:
    print(f"`/health` during floods of {seconds:g} s, on {loop}:\n")
    print("| flood | answers | p50, ms | p99, ms | worst, ms | proxy's memory at most, MB |")
    print("|---|--:|--:|--:|--:|--:|")
    complaints: list[str] = []
    for number in numbers:
        row = _measure(number, loop, seconds)
        print(
            f"| {row.name} | {row.answers:,} | {row.p50_ms:.1f} | {row.p99_ms:.1f} | {row.worst_ms:.1f} "
            f"| {row.peak_mb:.0f} |",
            flush=True,
        )
        complaints += row.complaints()
    for complaint in itertools.chain([""] if complaints else [], complaints):
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

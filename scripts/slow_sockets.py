"""Holds 1,000 slow sockets against a proxy in another process, and requests /health meanwhile.

A third of the sockets never finish their head, a third drip their body, and a third do not read an endless response.
Prints the latency of /health, when each kind was closed after its deadline, and the proxy's open descriptors: before,
maximum and after. Fails if the p99 of /health is above 250 ms, if a socket is closed before its deadline or more than
15 s after it, or if descriptors leak. Loopback only, Linux only; ends 15 s after the last deadline.
"""

import argparse
import asyncio
import contextlib
import http.client
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gglib.core.models import ModelSummary, RunningTarget
from gglib.proxy import ProxyOptions, serve
from gglib.testing import FakeCatalog, FakeRuntime

HEALTH_P99_S = 0.25
LATE_S = 15.0
EARLY_S = 0.5
"""Tolerance: the deadlines start at slightly different times on both ends."""
DRIP_S = 1.0
HEALTH_EVERY_S = 0.02
CONNECT_AT_ONCE = 50
MODEL = "tiny"
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
STREAM = b'{"model": "tiny", "stream": true}'
EVENT = b"data: " + b"x" * 16_000 + b"\n\n"
SSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The number of sockets, and the proxy's timeouts in seconds."""

    sockets: int
    head_timeout_s: float
    body_timeout_s: float
    write_timeout_s: float


@dataclass
class Slow:
    """One slow socket; times are of the monotonic clock, in seconds."""

    deadline_s: float
    not_before_s: float
    """Closing before this is too early. Equals the deadline if the proxy cannot have received a byte later."""
    closed_s: float | None = None


@dataclass
class Sockets:
    """All sockets by kind, and the failures."""

    heads: list[Slow] = field(default_factory=list)
    bodies: list[Slow] = field(default_factory=list)
    unread: list[Slow] = field(default_factory=list)

    @property
    def everything(self) -> list[Slow]:
        """The sockets of all kinds."""
        return self.heads + self.bodies + self.unread


def main() -> int:
    """Print the results; return 1 if a bound is exceeded."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--head-timeout-s", type=float, default=10.0)
    parser.add_argument("--body-timeout-s", type=float, default=30.0)
    parser.add_argument("--write-timeout-s", type=float, default=60.0)
    parser.add_argument("--serve-for", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    plan = Plan(
        sockets=options.sockets,
        head_timeout_s=options.head_timeout_s,
        body_timeout_s=options.body_timeout_s,
        write_timeout_s=options.write_timeout_s,
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    if options.serve_for is not None:
        uvloop.run(be_the_proxy(plan, options.serve_for))
        return 0
    complaints = uvloop.run(attack(plan))
    for complaint in complaints:
        print(f"  {complaint}")
    return 1 if complaints else 0


async def be_the_proxy(plan: Plan, upstream_port: int) -> None:
    """Serve until standard input ends; print the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    cancel, loop = asyncio.Event(), asyncio.get_running_loop()
    threading.Thread(
        target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(cancel.set)), daemon=True
    ).start()
    options = ProxyOptions(
        head_timeout_s=plan.head_timeout_s,
        body_timeout_s=plan.body_timeout_s,
        write_timeout_s=plan.write_timeout_s,
    )
    runtime = FakeRuntime({MODEL: RunningTarget.local(upstream_port, 1, MODEL, 4096)})
    await serve(
        listener, 4096, runtime, FakeCatalog([ModelSummary(id=1, name=MODEL)]), cancel, options=options
    )


async def attack(plan: Plan) -> list[str]:
    """Run everything, and return the failures."""
    sockets = Sockets()
    async with endless_upstream(plan, sockets.unread) as upstream_port:
        with proxy_process(plan, upstream_port) as (port, pid), health_watched(port) as health:
            await until(lambda: len(health.took_s) > 10, 10)
            before = peak = descriptors(pid)
            async with held(plan, port, sockets):
                last_s = time.monotonic() + max(
                    plan.head_timeout_s, plan.body_timeout_s, plan.write_timeout_s
                )
                while time.monotonic() < last_s + LATE_S and not is_over(plan, sockets):
                    peak = max(peak, descriptors(pid))
                    await asyncio.sleep(0.1)
                with contextlib.suppress(TimeoutError):
                    await until(lambda: descriptors(pid) <= before + 1, 5)
                left = descriptors(pid)
            return report(plan, sockets, health, (before, peak, left))


def is_over(plan: Plan, sockets: Sockets) -> bool:
    """Whether every socket was closed."""
    return len(sockets.everything) >= plan.sockets and all(slow.closed_s for slow in sockets.everything)


@contextlib.asynccontextmanager
async def endless_upstream(plan: Plan, unread: list[Slow]) -> AsyncIterator[int]:
    """Run an upstream that streams endlessly, and records when it last wrote and when it was closed."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        not_before_s = time.monotonic() + plan.write_timeout_s
        slow = Slow(not_before_s, not_before_s)
        unread.append(slow)
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(SSE)
            while True:
                slow.deadline_s = time.monotonic() + plan.write_timeout_s
                await writer.drain()
                writer.write(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            slow.closed_s = time.monotonic()
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
    async with server:
        yield server.sockets[0].getsockname()[1]


@contextlib.contextmanager
def proxy_process(plan: Plan, upstream_port: int) -> Iterator[tuple[int, int]]:
    """Run the proxy in another process; yield its port and pid."""
    limits = (
        f"--head-timeout-s={plan.head_timeout_s}",
        f"--body-timeout-s={plan.body_timeout_s}",
        f"--write-timeout-s={plan.write_timeout_s}",
    )
    argv = [sys.executable, __file__, f"--serve-for={upstream_port}", *limits]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.stdin.close()
            process.wait(timeout=10)


@dataclass
class Health:
    """The latencies and failures of /health."""

    took_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    is_over: bool = False

    def quantile_s(self, share: float) -> float:
        """Return a quantile of the latencies."""
        ordered = sorted(self.took_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@contextlib.contextmanager
def health_watched(port: int) -> Iterator[Health]:
    """Request /health repeatedly in a thread, on a new connection each time."""
    health = Health()

    def watch() -> None:
        while not health.is_over:
            started_s = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", "/health")
                if (status := connection.getresponse().status) != 200:
                    health.failures.append(str(status))
                connection.close()
            except OSError as error:
                health.failures.append(repr(error))
            health.took_s.append(time.monotonic() - started_s)
            time.sleep(HEALTH_EVERY_S)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield health
    finally:
        health.is_over = True
        thread.join()


@contextlib.asynccontextmanager
async def held(plan: Plan, port: int, sockets: Sockets) -> AsyncIterator[None]:
    """Keep all sockets open for a block."""
    third = plan.sockets // 3
    free, kept = asyncio.Semaphore(CONNECT_AT_ONCE), contextlib.ExitStack()
    tasks = [asyncio.create_task(drip(free, port, plan, sockets.heads, is_body=False)) for _ in range(third)]
    tasks += [asyncio.create_task(drip(free, port, plan, sockets.bodies, is_body=True)) for _ in range(third)]
    tasks += [asyncio.create_task(do_not_read(free, port, kept)) for _ in range(plan.sockets - 2 * third)]
    try:
        with kept:
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def drip(free: asyncio.Semaphore, port: int, plan: Plan, kind: list[Slow], *, is_body: bool) -> None:
    """Send a byte a second, of a head or of a body, until the connection is closed."""
    async with free:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    limit_s = plan.body_timeout_s if is_body else plan.head_timeout_s
    deadline_s = time.monotonic() + limit_s
    slow = Slow(deadline_s, deadline_s)
    kind.append(slow)
    writer.write(HEAD + (b"Content-Length: 100000\r\n\r\n" if is_body else b"X-A: "))
    reading = asyncio.create_task(read_to_the_end(reader))
    try:
        while not reading.done():
            await asyncio.wait([reading], timeout=DRIP_S)
            writer.write(b" ")
    finally:
        reading.cancel()
        slow.closed_s = time.monotonic() if reading.done() else None
        writer.transport.abort()


async def read_to_the_end(reader: asyncio.StreamReader) -> None:
    """Read until the proxy closes."""
    with contextlib.suppress(ConnectionError):
        await reader.read()


async def do_not_read(free: asyncio.Semaphore, port: int, kept: contextlib.ExitStack) -> None:
    """Request a stream and never read it. The upstream records its end, which this side sees only by reading."""
    async with free:
        client = kept.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, HEAD + b"Content-Length: %d\r\n\r\n" % len(STREAM) + STREAM)


def descriptors(pid: int) -> int:
    """Return the number of open descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def until(condition: Callable[[], bool], timeout_s: float) -> None:
    """Wait until ``condition`` holds. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.02)


def report(plan: Plan, sockets: Sockets, health: Health, counts: tuple[int, int, int]) -> list[str]:
    """Print the results, and return the failures."""
    complaints = [f"/health failed: {failure}" for failure in health.failures[:5]]
    p50_s, p99_s, worst_s = (health.quantile_s(share) for share in (0.5, 0.99, 1))
    print(
        f"/health: {len(health.took_s)} times, p50 {p50_s * 1000:.1f} ms, p99 {p99_s * 1000:.1f} ms, ", end=""
    )
    print(f"worst {worst_s * 1000:.1f} ms")
    if p99_s > HEALTH_P99_S:
        complaints.append(f"/health's p99 is {p99_s * 1000:.0f} ms")
    kinds = {"heads": sockets.heads, "bodies": sockets.bodies, "answers not read": sockets.unread}
    for kind, slow in kinds.items():
        complaints += judge(kind, slow)
    if len(sockets.everything) != plan.sockets:
        complaints.append(f"{len(sockets.everything)} sockets were held, not {plan.sockets}")
    before, peak, left = counts
    print(f"descriptors: {before} before, {peak} at most, {left} after")
    if left > before + 1:  # a connection of /health may be open
        complaints.append(f"{left - before} descriptors are left")
    return complaints


def judge(kind: str, slow: list[Slow]) -> list[str]:
    """Print when a kind was closed, and return the failures."""
    late_s = [one.closed_s - one.deadline_s for one in slow if one.closed_s]
    if not late_s:
        return [f"{kind}: none of {len(slow)} was evicted"]
    print(
        f"{kind}: {len(late_s)} of {len(slow)} evicted, the last one {max(late_s):.1f} s after its deadline"
    )
    complaints = [f"{kind}: {len(slow) - len(late_s)} were not evicted"] if len(late_s) < len(slow) else []
    if max(late_s) > LATE_S:
        complaints.append(f"{kind}: evicted {max(late_s):.1f} s after the deadline")
    early = sum(1 for one in slow if one.closed_s and one.closed_s < one.not_before_s - EARLY_S)
    return complaints + ([f"{kind}: {early} were cut before their deadline"] if early else [])


if __name__ == "__main__":
    sys.exit(main())

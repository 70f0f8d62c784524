"""The processor time of gglib's Python code per request, without a kernel: ``python -m bench.hot_path``.

Everything of ``gglib serve`` runs (HTTP server, catalogue, scheduler, access log, metrics; a scripted engine is
launched) except the sockets: a client's bytes are passed to a ``ClientConnection``, and a fake transport returns the
engine's bytes in the next iterations of the loop: a short response, or with ``--stream`` 200 chunks in five reads over
a separate connection. With ``--alone`` each chunk of a stream arrives alone, to 1,000 streams in turn, so that a
stream's data has left the caches when its next chunk arrives. The figures are processor time of Python alone, which is
repeatable to a few percent on a shared machine. ``--profile`` shows where the time is spent.
"""

import argparse
import asyncio
import cProfile
import logging
import os
import pstats
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import uvloop
from bench.proxies.requests import MODEL, chat_body, chat_request
from bench.proxies.sides import write_engine
from bench.proxies.upstream import ANSWER, DONE, STREAM_HEAD, event

from gglib.core.models import GgufFacts, NewModel
from gglib.db import SqliteCatalog, SqliteHistory
from gglib.http.client.connect import Origin
from gglib.http.client.connection import UpstreamConnection
from gglib.http.client.pool import UpstreamPool
from gglib.http.server.connection import ClientConnection
from gglib.http.server.deadlines import DeadlineLimits
from gglib.http.server.http_server import HttpServer
from gglib.proxy.access.cors import CorsRules
from gglib.proxy.access.hosts import HostRules
from gglib.proxy.access.keys import AccessKeys
from gglib.proxy.access.policy import AccessPolicy
from gglib.proxy.app import ProxyApp
from gglib.proxy.models import ModelObjects
from gglib.proxy.options import ProxyOptions, Services
from gglib.proxy.refusal import format_refusal
from gglib.proxy.request import ProxyRequest
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry.recorder import RequestRecorder
from gglib.runtime import EngineManager, LaunchConfig, LocalLauncher, RuntimeConfig
from gglib.runtime.engines.llama_cpp.server import LlamaServerEngine
from gglib.system.gc_tuning import tune_gc
from gglib.testing import write_tiny_gguf

LAST_CHUNK = b"0\r\n\r\n"
CHUNKS = 200
REQUESTS = 3_000
ROUNDS = 9
READS = 5
AT_ONCE = 32
STREAMS = 1_000
"""Concurrent streams if each chunk arrives alone."""
LIMITS = DeadlineLimits(head_s=10, body_s=30, body_min_rate=1000, write_s=60, idle_s=75)


def stream_reads(count: int) -> list[bytes]:
    """Return the bytes of an engine's stream, in ``count`` reads."""
    events = [event(b"abcdefgh", number) for number in range(CHUNKS)]
    frames = [b"%x\r\n%b\r\n" % (len(part), part) for part in (*events, DONE)]
    reads = [b"".join(frames[at : at + CHUNKS // count]) for at in range(0, CHUNKS, CHUNKS // count)]
    return [STREAM_HEAD + reads[0], *reads[1:-1], reads[-1] + frames[-1] + LAST_CHUNK]


class NoSocket:
    """Stands in for the socket of a transport."""

    family = 0


class Transport(asyncio.Transport):
    """A transport that passes written data to ``on_write``."""

    def __init__(self, on_write: Callable[[bytes], object]) -> None:
        super().__init__({"socket": NoSocket()})
        self._on_write = on_write

    def write(self, data: bytes) -> None:  # type: ignore[override] # the proxy writes nothing else here
        """Pass the data on."""
        self._on_write(data)

    def is_closing(self) -> bool:
        """Return False."""
        return False

    def get_write_buffer_size(self) -> int:
        """Return 0: everything was written."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: no data is buffered."""

    def abort(self) -> None:
        """Do nothing: there is no connection."""


class ScriptedPool(UpstreamPool):
    """A pool whose engine responds in the next iterations of the loop, with one of ``reads`` in each."""

    def __init__(self, reads: Sequence[bytes]) -> None:
        super().__init__(connect_timeout_s=5)
        self._reads = reads

    async def connect(self, origin: Origin, *, timeout_s: float = 0) -> UpstreamConnection:
        """Return a connection without a socket."""
        del origin, timeout_s
        loop = asyncio.get_running_loop()
        connection = UpstreamConnection(
            set(), origin_header_lines=b"host: 127.0.0.1\r\nauthorization: Bearer x\r\n"
        )

        def answer(reads: Iterator[bytes]) -> None:
            for read in reads:
                connection.data_received(read)
                loop.call_soon(answer, reads)
                return

        connection.connection_made(Transport(lambda _: loop.call_soon(answer, iter(self._reads))))
        return connection


class Client:
    """Sends the next request as soon as it has received a response."""

    def __init__(
        self, server: HttpServer, request: bytes, end: bytes, on_answer: Callable[["Client"], None]
    ) -> None:
        self._request = request
        self._end = end
        self._connection = ClientConnection(server)
        self._loop = asyncio.get_running_loop()
        self._on_answer = on_answer
        self._connection.connection_made(Transport(self._receive))

    def ask(self) -> None:
        """Send a request in the next iteration of the loop."""
        self._loop.call_soon(self._connection.data_received, self._request)

    def _receive(self, answer: bytes) -> None:
        if answer.endswith(self._end):
            self._on_answer(self)


async def ask_all(server: HttpServer, requests: int, request: bytes, end: bytes, *, at_once: int) -> float:
    """Serve ``requests`` requests, ``at_once`` at a time; return the processor time per request, in microseconds."""
    left, asked = requests, requests
    done = asyncio.Event()

    def on_answer(client: Client) -> None:
        nonlocal left, asked
        left -= 1
        if asked:
            asked -= 1
            client.ask()
        elif not left:
            done.set()

    clients = [Client(server, request, end, on_answer) for _ in range(at_once)]
    asked -= len(clients)
    started_s = time.process_time()
    for client in clients:
        client.ask()
    await done.wait()
    return (time.process_time() - started_s) / requests * 1e6


@asynccontextmanager
async def proxy_server(pool: UpstreamPool, *, has_history: bool = False) -> AsyncIterator[HttpServer]:
    """Yield the HTTP server of a complete gglib whose engine's responses come from ``pool``."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        catalog = await stack.enter_async_context(SqliteCatalog(directory / "gglib.db"))
        model = write_tiny_gguf(directory / "bench.gguf")
        await catalog.add_model(
            NewModel(name=MODEL, paths=(model,), size_bytes=1, facts=GgufFacts(architecture="llama"))
        )
        engine = LlamaServerEngine(write_engine(directory), reason="bench")
        launcher = LocalLauncher(
            LaunchConfig(engine=engine, engines_dir=directory / "run" / "engines", log_dir=directory / "logs")
        )
        manager = await stack.enter_async_context(EngineManager(catalog, launcher, RuntimeConfig()))
        await manager.ensure_model_running(MODEL, None, 8192)
        recorder = RequestRecorder(route_of)
        if has_history:
            history = await stack.enter_async_context(
                SqliteHistory(directory / "history.db", max_bytes=2**29, max_age_s=2_592_000)
            )
            stack.enter_context(recorder.storing(lambda: history, manager.swap_of))
        services = Services(
            runtime=manager,
            catalog=catalog,
            pool=pool,
            model_objects=ModelObjects(8192),
            recorder=recorder,
            default_ctx=8192,
            options=ProxyOptions(),
        )
        policy = AccessPolicy(
            HostRules(frozenset(("127.0.0.1",)), frozenset()), CorsRules(()), AccessKeys({})
        )
        app = ProxyApp(services, policy)
        server = HttpServer(
            app.handle,
            limits=LIMITS,
            max_connections=10**6,
            max_body_bytes=ProxyOptions().max_body_bytes,
            max_bodies_bytes=ProxyOptions().max_bodies_bytes,
            on_stop=app.stop,
            on_refusal=app.record_refusal,
            request_class=ProxyRequest,
            format_refusal=format_refusal,
        )
        server.date_line = b"date: Tue, 24 Nov 2026 09:00:00 GMT\r\n"
        yield server


async def measure(
    *,
    rounds: int,
    is_stream: bool,
    is_alone: bool,
    has_history: bool = False,
    profile: cProfile.Profile | None,
) -> list[float]:
    """Return the microseconds per request, for each round."""
    reads, end, requests, at_once = [ANSWER], ANSWER[-50:], REQUESTS, AT_ONCE
    if is_stream:
        reads, end, requests = stream_reads(READS), LAST_CHUNK, REQUESTS // 5
    if is_alone:
        reads, requests, at_once = stream_reads(CHUNKS), STREAMS, STREAMS
    request = chat_request(
        chat_body(chunks=CHUNKS, stream_id="abcdefgh" if is_stream else None), "127.0.0.1:9000"
    )
    async with proxy_server(ScriptedPool(reads), has_history=has_history) as server:
        await ask_all(server, requests, request, end, at_once=at_once)
        tune_gc()
        if profile is not None:
            profile.enable()
        found = [await ask_all(server, requests, request, end, at_once=at_once) for _ in range(rounds)]
        if profile is not None:
            profile.disable()
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="show the most expensive functions, and calls")
    parser.add_argument("--stream", action="store_true", help="streams instead of short answers")
    parser.add_argument(
        "--alone", action="store_true", help="with --stream: each chunk alone, to 1,000 streams"
    )
    parser.add_argument(
        "--history", action="store_true", help="with a request history, whose thread counts, too"
    )
    parser.add_argument("--bare", action="store_true", help="print the median alone")
    options = parser.parse_args()
    if options.alone and not options.stream:
        parser.error("--alone needs --stream")
    logging.basicConfig(filename=os.devnull, level=logging.INFO)
    profile = cProfile.Profile() if options.profile else None
    rounds = 1 if profile else ROUNDS
    found = uvloop.run(
        measure(
            rounds=rounds,
            is_stream=options.stream,
            is_alone=options.alone,
            has_history=options.history,
            profile=profile,
        )
    )
    if options.bare:
        print(statistics.median(found))
        return
    print(f"{statistics.median(found):.1f} µs a request ({min(found):.1f} to {max(found):.1f})")
    if profile is not None:
        stats = cast("Any", pstats.Stats(profile))
        stats.strip_dirs().sort_stats("tottime").print_stats(60)


if __name__ == "__main__":
    main()

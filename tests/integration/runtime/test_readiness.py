"""The readiness probe against sockets that respond, refuse, stay silent or have a full backlog."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gglib.http.client.connect import ServerAddress
from gglib.runtime.local import readiness
from gglib.runtime.local.readiness import is_healthy, wait_until_healthy

READY = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"ok"}'
LOADING = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}"
PROBE = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


class Engine:
    """Sends the next of its responses to each probe, and repeats the last one; None closes the connection."""

    def __init__(self, *answers: bytes | None) -> None:
        self.probes: list[bytes] = []
        self._open = 0
        self._answers = list(answers)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the probe closes it."""
        self._open += 1
        try:
            self.probes.append(await reader.readuntil(b"\r\n\r\n"))
            answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
            if answer is not None:
                writer.write(answer)
                await reader.read()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self._open -= 1

    async def all_closed(self) -> None:
        """Return when no connection is open."""
        async with asyncio.timeout(5):
            while self._open:  # noqa: ASYNC110 - it takes a turn of the loop or two
                await asyncio.sleep(0.001)


def on_socket(path: Path) -> ServerAddress:
    """Return the address of an engine that listens at ``path``."""
    return ServerAddress("http://localhost", unix_socket=str(path))


@asynccontextmanager
async def on_unix_socket(engine: Engine, path: Path) -> AsyncIterator[None]:
    """Serve at ``path`` for the length of the block."""
    async with await asyncio.start_unix_server(engine.handle, path):
        yield
        await engine.all_closed()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the engine listens."""
    return tmp_path / "s"


async def test_nothing_listens(path: Path) -> None:
    """A missing socket, and a socket whose server is gone, mean an engine that is not ready."""
    assert not await is_healthy(on_socket(path))
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    assert not await is_healthy(on_socket(path))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert not await is_healthy(ServerAddress(f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("answer", "is_ready"),
    [
        (READY, True),
        (b"HTTP/1.0 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + READY, True),
        (LOADING, False),
        (None, False),
        (b"HTTP/1.1 20", False),
        (b"SSH-2.0-OpenSSH_9.6\r\n", False),
        (b"\x00" * 1000, False),
    ],
    ids=["ready", "1.0", "interim", "loading", "closes", "cut", "ssh", "binary"],
)
async def test_only_200_is_ready(
    path: Path, answer: bytes | None, *, is_ready: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With any other response the engine is not ready, and the probe reports it without an error."""
    monkeypatch.setattr(readiness, "_PROBE_TIMEOUT_S", 0.3)
    engine = Engine(answer)
    async with on_unix_socket(engine, path):
        assert await is_healthy(on_socket(path)) is is_ready
    assert engine.probes == [PROBE]


async def test_over_tcp() -> None:
    """An engine without a unix socket is probed on its loopback port."""
    engine = Engine(LOADING, READY)
    async with await asyncio.start_server(engine.handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert [await is_healthy(ServerAddress(f"http://127.0.0.1:{port}")) for _ in range(2)] == [
            False,
            True,
        ]
        await engine.all_closed()


async def test_a_silent_engine_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe times out and closes its connection."""
    monkeypatch.setattr(readiness, "_PROBE_TIMEOUT_S", 0.05)
    closed = asyncio.Event()

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the probe closes it
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with await asyncio.start_unix_server(keep_silent, path):
        assert not await is_healthy(on_socket(path))
        async with asyncio.timeout(5):
            await closed.wait()


async def test_an_overrun_engine_is_not_ready(path: Path) -> None:
    """A full backlog is not an error, and the probe does not wait."""
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(str(path))
        server.listen(0)
        first.connect(str(path))
        before_s = time.monotonic()
        assert not await is_healthy(on_socket(path))
        assert time.monotonic() - before_s < readiness._PROBE_TIMEOUT_S


async def test_it_is_asked_until_it_is_ready(path: Path) -> None:
    """The pauses grow; output of the engine ends a pause, so that a probe follows the last line."""
    engine, news = Engine(*[LOADING] * 3, READY), asyncio.Event()
    async with on_unix_socket(engine, path), asyncio.timeout(10):
        await wait_until_healthy(on_socket(path), new_output=news)
    assert len(engine.probes) == 4


def open_descriptors() -> int:
    """Return the number of this process's descriptors."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
async def test_probes_leave_nothing_open(path: Path) -> None:
    """A long load takes hundreds of probes: none of them leaks a descriptor."""
    engine = Engine(LOADING)
    async with on_unix_socket(engine, path):
        before = open_descriptors()
        for _ in range(50):
            assert not await is_healthy(on_socket(path))
        await engine.all_closed()
        assert open_descriptors() <= before

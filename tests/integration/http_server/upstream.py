"""The upstream of the HTTP server's tests: parses strictly, records each request and returns it in the response."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.integration.proxy.support import MODEL, SSE_HEAD, chunked, json_answer
from tests.support.waiting import until

from gglib.core.models import RunningTarget
from gglib.testing import FakeRuntime

from .reference import Limits, Reading, Seen, Stage, read_connection

LIMITS = Limits(lines=110, head_bytes=33 * 1024)
"""The limits of the HTTP server, plus room for the header lines that the proxy adds."""
DONE = b"data: [DONE]\n\n"


def digest(method: bytes, target: bytes, body: bytes) -> str:
    """Return a digest that identifies a request's content."""
    return hashlib.sha256(b"\0".join((method, target, body))).hexdigest()


@dataclass
class Recorder:
    """Responds with ``{"seen": digest}``, as an event if the body requests a stream."""

    port: int = 0
    open: int = 0
    requests: list[Seen] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Received data that was not strict HTTP."""

    @property
    def runtime(self) -> FakeRuntime:
        """A runtime whose only model is served by this recorder."""
        return FakeRuntime({MODEL.name: RunningTarget.local(self.port, MODEL.id, MODEL.name, 4096)})

    @property
    def bodies(self) -> list[bytes]:
        """The bodies of all requests, in order."""
        return [request.body for request in self.requests]

    @property
    def digests(self) -> list[str]:
        """The digests sent in responses, in order."""
        return [digest(*request.content) for request in self.requests]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        data, answered = b"", 0
        while part := await reader.read(2**16):
            data += part
            reading = read_connection(data, LIMITS)
            self._judge(reading)
            for request in reading.requests[answered:]:
                answered += 1
                self.requests.append(request)
                writer.write(_answer(request))
                await writer.drain()
            if reading.stage is Stage.BETWEEN:
                data, answered = b"", 0

    def _judge(self, reading: Reading) -> None:
        if reading.stage in {Stage.HEAD_REFUSED, Stage.BODY_REFUSED}:
            self.complaints.append(f"{reading.stage.value}: {reading.reason}")


def _answer(request: Seen) -> bytes:
    word = {"seen": digest(*request.content)}
    if b'"stream": true' in request.body:
        return SSE_HEAD + chunked(b"data: %b\n\n" % json.dumps(word).encode(), DONE) + b"0\r\n\r\n"
    return json_answer(word)


def shown(body: bytes) -> str | None:
    """Return the digest in a response body; None if the response is not the upstream's."""
    try:
        content = json.loads(body.removeprefix(b"data: ").removesuffix(DONE))
    except ValueError:
        return None
    return content.get("seen") if isinstance(content, dict) else None


@contextlib.asynccontextmanager
async def recording() -> AsyncIterator[Recorder]:
    """Run a recorder on a free port; at the end, check that only strict HTTP arrived."""
    recorder = Recorder()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        recorder.open = len(tasks)
        try:
            await recorder.handle(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            recorder.open = len(tasks)
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    recorder.port = server.sockets[0].getsockname()[1]
    try:
        yield recorder
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await until(lambda: not tasks)
        await server.wait_closed()
    assert not recorder.complaints

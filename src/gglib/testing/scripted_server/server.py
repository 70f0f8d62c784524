"""The connections and responses of the scripted llama-server. Knows its script, not the process."""

import asyncio
import base64
import hashlib
import itertools
import json
import math
import sys
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import urlsplit

from gglib.testing.scripted_server import messages, native, payloads
from gglib.testing.scripted_server.formats import FORMATS, TextFormat
from gglib.testing.scripted_server.http1 import Request, WatchedReader, read_request
from gglib.testing.scripted_server.options import Options
from gglib.testing.scripted_server.record import Recorder
from gglib.testing.scripted_server.response_writer import CutError, ResponseWriter
from gglib.testing.scripted_server.script import Script
from gglib.testing.scripted_server.slot_files import Slots

IDLE_TIMEOUT_S = 5.0
MAX_REQUESTS_PER_CONNECTION = 100
STOPPED_STREAM_S = 30.0
"""How long llama-server keeps a stream open to which it no longer writes after TERM."""

HEALTH_PATHS = frozenset({"/health", "/v1/health"})
GARBAGE = b"\x15\x03\x01\x00\x02 this is not HTTP \xff\xfe\r\n\r\n"


class ScriptedServer:
    """Serves requests. The process sets ``is_ready`` and ``is_stopping``; ``on_idle`` is called after each request."""

    def __init__(
        self, script: Script, options: Options, recorder: Recorder, *, on_idle: Callable[[], None]
    ) -> None:
        self.is_ready = False
        self.is_stopping = False
        self.in_flight = 0
        self._generating = 0
        self._script = script
        self._options = options
        self._recorder = recorder
        self._on_idle = on_idle
        self._numbers = itertools.count(1)
        self._alias = _alias(options)
        self._keys = _keys(options)
        self._slot_count = options.number("--parallel", 4)
        self._slots = Slots(script, self._slot_count, options.text("--slot-save-path"))
        whole = options.number("--ctx-size", 4096)
        # As in llama-server: slots split the context, unless they share one cache.
        self._n_ctx = whole if options.has("--kv-unified") else whole // self._slot_count

    def new_protocol(self) -> asyncio.StreamReaderProtocol:
        """Return the protocol of a new connection."""
        return asyncio.StreamReaderProtocol(WatchedReader(), self._converse)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # drain() then means: the kernel has it
        try:
            for number in range(1, MAX_REQUESTS_PER_CONNECTION + 1):
                async with asyncio.timeout(IDLE_TIMEOUT_S):
                    request = await read_request(reader, writer)
                is_last = number == MAX_REQUESTS_PER_CONNECTION
                if request is None or not await self._serve(request, reader, writer, is_last=is_last):
                    break
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            pass  # a client that disconnected, idled or does not use HTTP
        finally:
            writer.close()

    async def _serve(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_last: bool
    ) -> bool:
        """Serve one request unless its client disconnects; return whether the connection accepts another."""
        n = next(self._numbers)
        self._record_request(n, request)
        response = ResponseWriter(writer, request, self._script.for_request(request.body), self._recorder)
        response.stays_open = response.stays_open and not is_last
        self.in_flight += 1
        try:
            outcome = await self._answer_unless_disconnected(request, reader, response)
            self._recorder.add(outcome, n=n)
        finally:
            self.in_flight -= 1
            self._on_idle()
        return outcome == "end" and response.stays_open

    async def _answer_unless_disconnected(
        self, request: Request, reader: asyncio.StreamReader, response: ResponseWriter
    ) -> str:
        if not isinstance(reader, WatchedReader):
            raise TypeError("connections come from new_protocol")
        answer = asyncio.ensure_future(self._answer(request, response))
        disconnected = asyncio.ensure_future(reader.is_disconnected.wait())
        await asyncio.wait((answer, disconnected), return_when=asyncio.FIRST_COMPLETED)
        disconnected.cancel()
        if not answer.done():
            answer.cancel()
            await asyncio.wait((answer,))
            return "client_gone"
        try:
            answer.result()
        except OSError:
            return "client_gone"
        except CutError:
            return "cut"
        return "end"

    async def _answer(self, request: Request, response: ResponseWriter) -> None:
        script, path = response.script, urlsplit(request.path).path
        is_health = path in HEALTH_PATHS
        if not self.is_ready:
            await _send_error(response, payloads.LOADING)
        elif not is_health and not self._has_key(request):
            await _send_error(response, payloads.NO_KEY)
        elif is_health and not script.is_health_affected:
            await response.send(200, payloads.dumps({"status": "ok"}))
        elif not await self._misbehave(response) and not await self._slots.act(request, response):
            await self._route(path, request, response)

    async def _misbehave(self, response: ResponseWriter) -> bool:
        """Do what the script says instead of a normal response; return whether that completes the request."""
        script = response.script
        write_noise(script)
        if script.die_before_first_byte:
            response.die()
        if script.hang:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(script.first_byte_delay_s)
        if script.garbage:
            await response.send_raw(GARBAGE)
            raise CutError
        if script.body is not None:
            await response.send(script.status, script.body.encode())
        elif script.status != 200:
            await _send_error(response, (script.status, "Scripted error", "server_error"))
        return script.body is not None or script.status != 200

    async def _route(self, path: str, request: Request, response: ResponseWriter) -> None:
        if response.script.echo:
            await response.send(200, _echo(request))
        elif path == messages.PATH and self._calls_tool(request, response):
            await self._call_tool(request, response)
        elif path in FORMATS:
            await self._complete(FORMATS[path](self._alias), request, response)
        elif path == messages.COUNT_PATH:
            await response.send(200, messages.token_count())
        elif path in HEALTH_PATHS:
            await response.send(200, payloads.dumps({"status": "ok"}))
        elif path in ("/v1/models", "/models"):
            await response.send(200, payloads.models(self._alias, n_ctx=self._n_ctx))
        elif path == "/v1/embeddings":
            await self._embed(request, response)
        elif path == "/v1/rerank":
            await self._rerank(request, response)
        elif (body := self._report(path) or self._native(path, request)) is not None:
            await response.send(200, body)
        else:
            await _send_error(response, payloads.NOT_FOUND)

    def _report(self, path: str) -> bytes | None:
        """Return the body of a page about the server itself."""
        if path == "/slots" and not self._options.has("--no-slots"):
            shown = payloads.slots(self._slot_count, busy=self._generating, n_ctx=self._n_ctx)
            return self._slots.shown(shown)
        if path == "/props":
            model_path = self._options.text("--model")
            return payloads.props(
                self._alias, model_path=model_path, n_ctx=self._n_ctx, slot_count=self._slot_count
            )
        if path == "/metrics" and self._options.has("--metrics"):
            return b"llamacpp:requests_processing %d\n" % self._generating + self._slots.metrics()
        return None

    def _native(self, path: str, request: Request) -> bytes | None:
        """Return the body of llama.cpp's own routes; it comes at once, whatever the timings in it."""
        speed = math.prod(native.values_for(self._script.speeds, self._options))
        return native.response(path, _json_object(request.body), speed=speed)

    async def _embed(self, request: Request, response: ResponseWriter) -> None:
        if not (self._options.has("--embeddings") or self._options.has("--reranking")):
            await _send_error(response, payloads.NO_EMBEDDINGS)
            return
        inputs = _json_object(request.body).get("input", "")
        await response.send(
            200, payloads.embeddings(self._alias, len(inputs) if isinstance(inputs, list) else 1)
        )

    async def _rerank(self, request: Request, response: ResponseWriter) -> None:
        if not self._options.has("--reranking"):
            await _send_error(response, payloads.NO_RERANKING)
            return
        documents = _json_object(request.body).get("documents")
        await response.send(
            200, payloads.ranks(self._alias, len(documents) if isinstance(documents, list) else 0)
        )

    async def _complete(self, text_format: TextFormat, request: Request, response: ResponseWriter) -> None:
        wanted = _json_object(request.body)
        if not wanted:
            await _send_error(response, (400, "parse error: not a JSON object", "invalid_request_error"))
            return
        self._generating += 1
        self._slots.fill()
        try:
            if wanted.get("stream"):
                options = wanted.get("stream_options") or {}
                await self._stream(response, text_format, has_usage=bool(options.get("include_usage")))
            else:
                await self._answer_whole(response, text_format)
        finally:
            self._generating -= 1

    def _calls_tool(self, request: Request, response: ResponseWriter) -> bool:
        return response.script.tool_call is not None and messages.wants_call(_json_object(request.body))

    async def _call_tool(self, request: Request, response: ResponseWriter) -> None:
        script = response.script
        name, arguments = script.tool_call or ("", "{}")
        block = messages.call_block(name, arguments)
        pieces = list(filter(None, arguments.partition(":")))
        if not _json_object(request.body).get("stream"):
            await response.send(200, messages.message(self._alias, block, tokens=len(pieces)))
            return
        response.begin_stream()
        for number, event in enumerate(messages.events(self._alias, block, pieces)):
            await asyncio.sleep(script.chunk_interval_s if number else 0)
            await response.send_event(event)
        await response.end_stream()

    async def _answer_whole(self, response: ResponseWriter, text_format: TextFormat) -> None:
        script = response.script
        await asyncio.sleep(script.chunks * script.chunk_interval_s)
        if self.is_stopping:
            await asyncio.get_running_loop().create_future()
        text = "".join(_piece(script, n) for n in range(script.chunks))
        await response.send(200, text_format.whole(text, script.chunks))

    async def _stream(self, response: ResponseWriter, text_format: TextFormat, *, has_usage: bool) -> None:
        script = response.script
        response.begin_stream()
        for event in text_format.opening():
            await response.send_event(event)
        for n in range(script.chunks):
            if n == script.stall_after_chunks:
                await self._stall(response)
            if n == script.die_after_chunks:
                response.die()
            await asyncio.sleep(script.chunk_interval_s if n else 0)
            if self.is_stopping:
                await asyncio.sleep(STOPPED_STREAM_S)
                raise CutError
            await response.send_event(text_format.piece(_piece(script, n)))
        for event in text_format.closing(script.chunks, has_usage=has_usage):
            await response.send_event(event)
        await response.end_stream()

    async def _stall(self, response: ResponseWriter) -> NoReturn:
        """Send nothing more, or only comments, until the client disconnects."""
        every_s = response.script.stall_ping_s
        while True:
            await asyncio.sleep(every_s or STOPPED_STREAM_S)
            if every_s:
                await response.send_event(payloads.PING)

    def _has_key(self, request: Request) -> bool:
        scheme, _, key = request.header("authorization").partition(" ")
        return not self._keys or (scheme == "Bearer" and key in self._keys)

    def _record_request(self, n: int, request: Request) -> None:
        self._recorder.add(
            "request",
            n=n,
            method=request.method,
            path=request.path,
            headers=request.headers,
            body_b64=base64.b64encode(request.body).decode(),
        )


def write_noise(script: Script) -> None:
    """Print the script's noise to stderr; blocks while nothing reads it, as in the real server."""
    line = "x" * (max(1, script.noise_line_bytes) - 1) + "\n"
    whole, rest = divmod(script.stderr_noise_bytes, len(line))
    for _ in range(whole):
        sys.stderr.write(line)
    sys.stderr.write(line[:rest])
    sys.stderr.flush()


async def _send_error(response: ResponseWriter, error: tuple[int, str, str]) -> None:
    await response.send(error[0], payloads.error(*error))


def _piece(script: Script, n: int) -> str:
    return script.chunk_text.replace("{n}", str(n))


def _echo(request: Request) -> bytes:
    return payloads.dumps(
        {
            "method": request.method,
            "path": request.path,
            "headers": request.headers,
            "body_length": len(request.body),
            "body_sha256": hashlib.sha256(request.body).hexdigest(),
        }
    )


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _alias(options: Options) -> str:
    """Return the model name in responses: the alphabetically first alias."""
    return min(options.text("--alias").split(",")) or options.text("--model")


def _keys(options: Options) -> frozenset[str]:
    keys = [options.text("--api-key")]
    if options.has("--api-key-file"):
        with open(options.text("--api-key-file"), encoding="utf-8") as file:  # noqa: PTH123 - a CLI's word
            keys += file.read().splitlines()
    return frozenset(key for key in keys if key)

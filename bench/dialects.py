"""The streams of each dialect relative to those of OpenAI's chat: ``python -m bench.dialects [PATH ...]``.

As ``bench.hot_path``: all of gglib without a kernel, so that the figures are processor time of its Python code alone.
The engine's streams have the same 200 pieces of text in the form of each path; each piece arrives alone, as an engine
sends them, to 100 streams in turn. The paths take turns in each round, and the ratio is that of the chunk rates of one
round: another program on the machine slows both down.
"""

import argparse
import asyncio
import json
import logging
import os
import statistics
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import uvloop
from bench.hot_path import CHUNKS, LAST_CHUNK, ScriptedPool, ask_all, proxy_server
from bench.proxies.requests import HEADERS, MODEL, PROMPT
from bench.proxies.upstream import DONE, STREAM_HEAD, event

from gglib.proxy.routes.table import ROUTES
from gglib.system.gc_tuning import tune_gc

CHAT, MESSAGES, OLLAMA = "/v1/chat/completions", "/v1/messages", "/api/chat"
AT_ONCE = 100
REQUESTS = 300
ROUNDS = 9
TEXT = b"word"


def chat_events() -> list[bytes]:
    """Return an engine's stream of chat completions."""
    return [*(event(TEXT, number) for number in range(CHUNKS)), DONE]


def message_events() -> list[bytes]:
    """Return an engine's stream of a message, in the parts of llama-server (b11549): one for each token."""
    usage = {"cache_read_input_tokens": 0, "input_tokens": 30, "output_tokens": 0}
    message = {"id": "chatcmpl-bench", "type": "message", "role": "assistant", "content": [], "model": MODEL}
    start = _named("message_start", message={**message, "stop_reason": None, "usage": usage})
    block = _named("content_block_start", index=0, content_block={"type": "text", "text": ""})
    deltas = [
        _named("content_block_delta", index=0, delta={"type": "text_delta", "text": f"word{number}"})
        for number in range(CHUNKS)
    ]
    end = (
        _named("content_block_stop", index=0)
        + _named("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": CHUNKS})
        + _named("message_stop")
    )
    return [start + block + deltas[0], *deltas[1:], end]


def _named(type_: str, **fields: object) -> bytes:
    data = json.dumps({"type": type_, **fields}, separators=(",", ":"))
    return f"event: {type_}\ndata: {data}\n\n".encode()


ENGINE_STREAMS: dict[str, Callable[[], list[bytes]]] = {
    CHAT: chat_events,
    MESSAGES: message_events,
    OLLAMA: chat_events,
}
"""What the engine sends for a request to each path."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A path, its request and the engine's bytes for it."""

    path: str
    request: bytes
    reads: tuple[bytes, ...]


def stream_of(path: str) -> Stream:
    """Return the stream of a path; each chunk of the engine is one read."""
    members = {
        "model": MODEL,
        "max_tokens": CHUNKS,
        "messages": [{"role": "user", "content": PROMPT}],
        "stream": True,
    }
    body = json.dumps(members, separators=(",", ":")).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1:9000", "anthropic-version: 2023-06-01"]
    lines += [f"{name}: {value}" for name, value in HEADERS.items()]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    frames = [b"%x\r\n%b\r\n" % (len(part), part) for part in ENGINE_STREAMS[path]()]
    return Stream(
        path, head.encode() + body, (STREAM_HEAD + frames[0], *frames[1:-1], frames[-1] + LAST_CHUNK)
    )


async def measure(paths: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Return the microseconds per stream of each path, one for each round, after a warm-up."""
    streams = [stream_of(path) for path in paths]
    found: dict[str, list[float]] = {path: [] for path in paths}
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(proxy_server(ScriptedPool(stream.reads))) for stream in streams
        ]
        tune_gc()
        for number in range(rounds + 1):
            for stream, server in zip(streams, servers, strict=True):
                taken_us = await ask_all(server, REQUESTS, stream.request, LAST_CHUNK, at_once=AT_ONCE)
                if number:
                    found[stream.path].append(taken_us)
            await asyncio.sleep(0)
    return found


def ratios(found: dict[str, list[float]], path: str) -> list[float]:
    """Return the chunk rate of a path relative to that of OpenAI's chat, for each round."""
    return [chat / own for chat, own in zip(found[CHAT], found[path], strict=True)]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", help="paths to compare with OpenAI's chat; default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    logging.basicConfig(filename=os.devnull, level=logging.INFO)
    offered = [path for path in ENGINE_STREAMS if path in ROUTES]
    paths = list(dict.fromkeys((CHAT, *(options.paths or offered))))
    found = uvloop.run(measure(paths, options.rounds))
    print("| path | µs a chunk | chunk rate | range |\n|---|---:|---:|---|")
    for path in paths:
        rates = ratios(found, path)
        median_us = statistics.median(found[path]) / CHUNKS
        shown = f"{statistics.median(rates):.2f} | {min(rates):.2f} to {max(rates):.2f}"
        print(f"| `{path}` | {median_us:.2f} | {shown} |")


if __name__ == "__main__":
    main()

"""The benchmark's scripted upstream and load generator, over a real socket."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.proxies import sides, upstream
from bench.proxies.load import Target, ask_upstream, bodies, paced, streams
from bench.proxies.machine import Cores
from bench.proxies.requests import chat_body, chat_request

from gglib.runtime.engines.llama_cpp.server import LlamaServerEngine

LIMIT_S = 20.0
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the comparison reads Linux's /proc")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """Run an upstream without a proxy."""
    cores = frozenset(os.sched_getaffinity(0))
    with sides.scripted(tmp_path, Cores(cores, cores)) as (pid, path):
        yield Target(0, (), (pid,), str(path))
    assert (tmp_path / "upstream.log").read_text() == ""


async def test_streams_come_whole(target: Target) -> None:
    """Every byte of every stream matches, also beyond the prebuilt frames."""
    async with asyncio.timeout(LIMIT_S):
        found = await streams(target, at_once=4, seconds=0.05, chunks=1500)
    assert found["done"] >= 4
    assert found["errors"] == 0


async def test_paced_streams_come_whole(target: Target) -> None:
    """Each event arrives once, in order, in the stream that requested it."""
    async with asyncio.timeout(LIMIT_S):
        found = await paced(target, at_once=5, seconds=0.2)
    assert found["done"] == 5
    assert (found["short_streams"], found["disordered_streams"], found["errors"]) == (0, 0, 0)


async def test_large_bodies_are_read_to_their_end(target: Target) -> None:
    """A body of many reads gets a response once it is complete, and its connection serves the next one."""
    async with asyncio.timeout(LIMIT_S):
        found = await bodies(target, seconds=0.05, megabytes=2)
    assert found["done"] >= 1


async def test_nothing_is_answered_before_the_last_byte(target: Target) -> None:
    """A body without its last byte gets no response."""
    request = chat_request(chat_body(prompt="a" * 1_000_000), "bench")
    async with asyncio.timeout(LIMIT_S):
        reader, writer = await asyncio.open_unix_connection(target.upstream_socket)
        writer.write(request[:-1])
        await writer.drain()
        assert (await ask_upstream(target.upstream_socket))["requests"] == 0
        writer.write(request[-1:])
        assert await reader.readexactly(len(upstream.ANSWER)) == upstream.ANSWER
        writer.close()


async def test_a_client_that_leaves_ends_its_stream(target: Target) -> None:
    """An endless stream whose client disconnected is removed, and others are served."""
    request = chat_request(chat_body(stream_id="endless1", chunks=9_000_000), "bench")
    async with asyncio.timeout(LIMIT_S):
        for _ in range(20):
            reader, writer = await asyncio.open_unix_connection(target.upstream_socket)
            writer.write(request)
            await reader.readexactly(1_000_000)
            writer.transport.abort()
        while (await ask_upstream(target.upstream_socket))["open_streams"]:
            pass


def test_gglib_takes_it_for_a_llama_server(tmp_path: Path) -> None:
    """Its help lists the options that gglib needs to launch an engine."""
    engine = sides.write_engine(tmp_path)
    assert "--host" in LlamaServerEngine(engine, reason="test").known_options


def test_an_answer_is_as_long_as_it_says() -> None:
    """The fixed completion is JSON with the length in its head."""
    head, _, body = upstream.ANSWER.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body)["object"] == "chat.completion"


def test_a_program_ends_with_its_block(tmp_path: Path) -> None:
    """Whatever happens in the block, the process is gone after it."""
    cores = frozenset(os.sched_getaffinity(0))
    with (
        pytest.raises(KeyboardInterrupt),
        sides.process(
            [sys.executable, "-c", "import signal; signal.pause()"], cores, tmp_path / "log"
        ) as child,
    ):
        raise KeyboardInterrupt
    assert child.poll() is not None

"""What a front measures of its nodes decides where requests go."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.front_server import FrontServer
from tests.support.gglib_node import GglibNode
from tests.support.waiting import until

from gglib.testing import Script

SLOW = Script(chunks=20, chunk_interval_s=0.05)
FAST = Script(chunks=20)


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[FrontServer]:
    """Return a front of a slow and a fast node; both have ``small``."""
    async with (
        GglibNode(tmp_path / "slow", "small", script=SLOW) as slow,
        GglibNode(tmp_path / "fast", "small", script=FAST) as fast,
        FrontServer(tmp_path / "front", {"slow": slow, "fast": fast}) as front,
    ):
        await until(lambda: all(snapshot.models for snapshot in front.peers.snapshots()))
        yield front


async def ask(front: FrontServer, text: str = "Hello") -> str:
    """Send a streamed chat to its end, and return its node."""
    body = {
        "model": "small",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": text}],
    }
    async with front.client.stream("POST", "/v1/chat/completions", json=body) as response:
        content = b"".join([part async for part in response.aiter_bytes()])
    assert content.endswith(b"data: [DONE]\n\n")
    return str(response.headers["x-gglib-node"])


def is_idle(front: FrontServer) -> bool:
    """Whether both nodes have the model in memory without requests, as far as the front knows."""
    residents = [resident for node in front.peers.snapshots() for resident in node.status.residents]
    return [(resident.state, resident.in_flight) for resident in residents] == [("ready", 0)] * 2


async def measure_both(front: FrontServer) -> None:
    """Send requests until the responses of both nodes are measured."""
    assert set(await asyncio.gather(*(ask(front) for _ in range(8)))) == {"slow", "fast"}
    expected_s = front.cluster.response_times.expected_s
    await until(lambda: expected_s("slow", "small") > 2 * expected_s("fast", "small"))


async def test_a_slow_node_gets_no_request_that_a_fast_one_can_take(front: FrontServer) -> None:
    """Before the first responses both count as equal."""
    await measure_both(front)
    assert {await ask(front) for _ in range(5)} == {"fast"}


async def test_a_burst_still_uses_the_slow_node_less(front: FrontServer) -> None:
    """The fast one serves more requests at a time."""
    await measure_both(front)
    nodes = await asyncio.gather(*(ask(front) for _ in range(12)))
    assert nodes.count("fast") > nodes.count("slow")


async def test_a_conversation_stays_at_its_node(tmp_path: Path) -> None:
    """Among nodes that are equal otherwise."""
    async with (
        GglibNode(tmp_path / "a", "small") as a,
        GglibNode(tmp_path / "b", "small") as b,
        FrontServer(tmp_path / "front", {"a": a, "b": b}) as front,
    ):
        await until(lambda: all(snapshot.models for snapshot in front.peers.snapshots()))
        first, second = await asyncio.gather(ask(front, "One"), ask(front, "Two"))
        for _ in range(4):
            await until(lambda: is_idle(front))
            assert await ask(front, "One") == first
            await until(lambda: is_idle(front))
            assert await ask(front, "Two") == second

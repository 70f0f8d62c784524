"""Requests that a node gives back while they wait there: another node answers them, in every dialect."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.front_server import FrontServer
from tests.support.gglib_node import GglibNode
from tests.support.waiting import until

from gglib.core.nodes import NodeState
from gglib.proxy import ProxyOptions
from gglib.testing import Script

HELLO = [{"role": "user", "content": "Hello"}]
HEARTBEAT_S = 0.05
KEY, OTHER_KEY = "the-key-of-the-front", "another-key-of-the-node"
SECTION = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}}


@dataclass(frozen=True, slots=True)
class Ask:
    """A request in one dialect, and what its response has at the end."""

    path: str
    body: dict[str, Any]
    end: bytes


ASKS = {
    "chat": Ask("/v1/chat/completions", {"messages": HELLO}, b"t0 t1 t2 "),
    "stream": Ask("/v1/chat/completions", {"messages": HELLO, "stream": True}, b"data: [DONE]\n\n"),
    "messages": Ask("/v1/messages", {"messages": HELLO, "max_tokens": 9}, b"t0 t1 t2 "),
    "messages-stream": Ask(
        "/v1/messages", {"messages": HELLO, "max_tokens": 9, "stream": True}, b'"message_stop"'
    ),
    "messages-translated": Ask(
        "/v1/messages",
        {"messages": [{"role": "user", "content": [SECTION, DOCUMENT]}], "max_tokens": 9, "stream": True},
        b'"message_stop"',
    ),
    "responses": Ask("/v1/responses", {"input": "Hello", "stream": True}, b'"response.completed"'),
    "ollama": Ask("/api/chat", {"messages": HELLO}, b'"done":true'),
    "ollama-whole": Ask("/api/chat", {"messages": HELLO, "stream": False}, b'"done":true'),
    "generate": Ask("/api/generate", {"prompt": "Hello"}, b'"done":true'),
    "batches": Ask("/v1/embeddings", {"input": ["a", "b"], "dimensions": 1}, b'"index":1'),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A front, and two nodes with the same models. Those of ``slow`` load for as long as a test takes."""

    front: FrontServer
    slow: GglibNode
    quick: GglibNode

    async def waiting_at_slow(self, ask: Ask, model: str) -> asyncio.Task[tuple[bytes, dict[str, str]]]:
        """Send a request that waits for its model there, and start the other node."""
        asked = asyncio.create_task(self.send(ask, model))
        await until(lambda: self.front.node("slow").status.waiting)
        await self.quick.start()
        await until(lambda: self.front.node("quick").state is NodeState.READY)
        if ask.body.get("stream", ask.path.startswith("/api/")):
            await until(lambda: self.has_heartbeats)
        return asked

    async def send(self, ask: Ask, model: str) -> tuple[bytes, dict[str, str]]:
        """Return the whole response and its headers."""
        received = b""
        async with self.front.client.stream("POST", ask.path, json={"model": model, **ask.body}) as response:
            async for part in response.aiter_bytes():
                received += part
            assert response.status_code == 200, received
        return received, dict(response.headers)

    @property
    def has_heartbeats(self) -> bool:
        """Whether the response to a client has begun with heartbeats alone."""
        responses = [response for _, response, _ in self.front.shared.open_requests._all()]
        return any(response.is_started and not response.chunks for response in responses)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """Return a front whose one node is up, and loads slowly."""
    models = ("small", "embed")
    async with GglibNode(
        tmp_path / "slow", *models, script=Script(load_s=90), api_keys={"front": KEY}
    ) as slow:
        slow.options.replace(replace(slow.options.current, heartbeat_s=HEARTBEAT_S))
        quick = GglibNode(tmp_path / "quick", *models)
        options = ProxyOptions(shutdown_grace_s=0, heartbeat_s=HEARTBEAT_S)
        nodes = {"slow": slow, "quick": quick}
        async with FrontServer(tmp_path / "front", nodes, options=options) as front:
            await until(lambda: front.node("slow").models)
            yield Pair(front, slow, quick)
            await quick.stop()


@pytest.mark.parametrize("name", ASKS)
async def test_a_node_that_shuts_down_gives_its_requests_back(pair: Pair, name: str) -> None:
    """Also those whose client has received heartbeats."""
    ask = ASKS[name]
    asked = await pair.waiting_at_slow(ask, "embed" if name == "batches" else "small")
    pair.slow.shut_down()
    received, headers = await asked
    check(ask, received)
    is_whole = headers.get("content-length") is not None
    assert headers.get("x-gglib-node") == ("quick" if is_whole else None)
    assert "x-gglib-error" not in headers


@pytest.mark.parametrize(
    "name", ["chat", "stream", "messages", "messages-stream", "messages-translated", "ollama", "batches"]
)
async def test_a_node_that_revokes_the_key_of_the_front_loses_its_requests(pair: Pair, name: str) -> None:
    """The client does not see the front's own trouble with the key."""
    ask = ASKS[name]
    asked = await pair.waiting_at_slow(ask, "embed" if name == "batches" else "small")
    pair.slow.replace_key(OTHER_KEY)
    check(ask, (await asked)[0])


async def test_a_node_that_dies_after_heartbeats_of_ollama_is_replaced(pair: Pair) -> None:
    """Lines with empty content are no content."""
    ask = ASKS["ollama"]
    asked = await pair.waiting_at_slow(ask, "small")
    await pair.slow.cable.cut()
    received, _ = await asked
    check(ask, received)
    lines = [json.loads(line) for line in received.splitlines()]
    assert "".join(line["message"]["content"] for line in lines) == "t0 t1 t2 "


async def test_the_history_names_the_node_that_answered(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header does only if it was not sent before."""
    records: list[Any] = []
    monkeypatch.setattr(pair.front.shared.recorder, "record", lambda record, _: records.append(record))
    asked = await pair.waiting_at_slow(ASKS["stream"], "small")
    await pair.slow.cable.cut()
    await asked
    (record,) = [record for record in records if record.path == "/v1/chat/completions"]
    assert (record.node, record.status, record.error_code) == ("quick", 200, None)


async def test_a_request_that_no_node_answers_has_no_node_in_the_history(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that lost it has not served it; ``gglib requests`` shows that it waits meanwhile."""
    records: list[Any] = []
    monkeypatch.setattr(pair.front.shared.recorder, "record", lambda record, _: records.append(record))
    body = {"model": "small", "messages": HELLO}
    asked = asyncio.create_task(
        pair.front.client.post("/v1/chat/completions", json=body, headers={"prefer": "wait=5"})
    )
    await until(lambda: pair.front.node("slow").status.waiting)
    await pair.slow.cable.cut()
    running = pair.front.shared.open_requests.running
    await until(lambda: [request.state for request in running()] == ["waiting"])
    response = await asked
    assert (response.status_code, response.json()["error"]["code"]) == (503, "no_node")
    (record,) = records
    assert (record.node, record.error_code) == (None, "no_node")


async def test_comments_of_a_node_s_engine_are_no_content(tmp_path: Path) -> None:
    """The engine reads a long prompt; its node dies; the other one answers from the beginning."""
    ask = Ask("/v1/completions", {"prompt": "Hello", "stream": True}, b"data: [DONE]\n\n")
    stalled = Script(stall_after_chunks=0, stall_ping_s=HEARTBEAT_S)
    async with (
        GglibNode(tmp_path / "a", "small", script=stalled) as a,
        GglibNode(tmp_path / "b", "small") as b,
        FrontServer(
            tmp_path / "front", {"a": a}, options=ProxyOptions(shutdown_grace_s=0, heartbeat_s=0)
        ) as front,
    ):
        await until(lambda: front.node("a").models)
        asked = asyncio.create_task(Pair(front, a, b).send(ask, "small"))
        await until(
            lambda: any(
                response.chunks
                for request, response, _ in a.shared.open_requests._all()
                if request.path == ask.path
            )
        )
        await front.add_node("b", b)
        await a.cable.cut()
        received, headers = await asked
        check(ask, received)
        assert headers["x-gglib-node"] == "b"


def check(ask: Ask, received: bytes) -> None:
    """Check that a response is whole, and that of one engine."""
    assert ask.end in received, received
    assert b"error" not in received.replace(b'"error":null', b""), received
    assert received.count(b"t1 ") == (0 if ask.path == "/v1/embeddings" else received.count(b"t0 "))

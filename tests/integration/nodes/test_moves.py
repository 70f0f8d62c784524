"""Requests that wait at a node move to one that can answer them sooner; what a node computes stays."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.front_server import FrontServer
from tests.support.gglib_node import GglibNode, scripted_model
from tests.support.waiting import until

from gglib.proxy import ProxyOptions
from gglib.testing import FakeCatalog, Script, read_record

HELLO = [{"role": "user", "content": "Hello"}]
LONG = {"first_byte_delay_s": 90}


@dataclass(frozen=True, slots=True)
class Busy:
    """A front with two nodes, each of which computes a long response with a model of its own."""

    front: FrontServer
    nodes: dict[str, GglibNode]
    records: dict[str, Path]
    responses: dict[str, asyncio.Task[httpx2.Response]] = field(default_factory=dict)

    async def occupy(self, name: str) -> None:
        """Have a node compute."""
        self.responses[name] = asyncio.create_task(self.front.chat(f"only-{name}", x_script=LONG))
        await until(lambda: any(resident.in_flight for resident in self.front.node(name).status.residents))

    async def free(self, name: str) -> None:
        """End the response of a node, and load the model that requests of the other one wait for."""
        self.responses[name].cancel()
        await self.front.peers.load(name, "small", None)

    async def waiting_node(self, number: int = 1) -> str:
        """Return the node at which so many requests wait, once one reports them."""

        def found() -> list[str]:
            return [
                name
                for name in self.nodes
                if sum(waiting.waiting for waiting in self.front.node(name).status.waiting) == number
            ]

        await until(found)
        return found()[0]

    def computed(self, name: str) -> int:
        """Return how many chats the engines of a node got, the long response among them."""
        requests = read_record(self.records[name], "request")
        return sum(request["path"] == "/v1/chat/completions" for request in requests)


@pytest.fixture
async def busy(tmp_path: Path) -> AsyncIterator[Busy]:
    """Return two busy nodes."""
    records = {name: tmp_path / f"{name}.jsonl" for name in ("a", "b")}
    scripts = {name: Script(record=str(record)) for name, record in records.items()}
    async with (
        GglibNode(tmp_path / "a", "small", "only-a", script=scripts["a"]) as a,
        GglibNode(tmp_path / "b", "small", "only-b", script=scripts["b"]) as b,
        FrontServer(
            tmp_path / "front",
            {"a": a, "b": b},
            options=ProxyOptions(shutdown_grace_s=0, heartbeat_s=0.05),
        ) as front,
    ):
        await until(lambda: all(snapshot.models for snapshot in front.peers.snapshots()))
        busy = Busy(front, {"a": a, "b": b}, records)
        for name in busy.nodes:
            await busy.occupy(name)
        yield busy
        for response in busy.responses.values():
            response.cancel()
        await asyncio.gather(*busy.responses.values(), return_exceptions=True)


def other(name: str) -> str:
    """Return the other node."""
    return "b" if name == "a" else "a"


ASKS: dict[str, tuple[str, dict[str, Any], bytes]] = {
    "whole": ("/v1/chat/completions", {"messages": HELLO}, b"t0 t1 t2 "),
    "stream": ("/v1/chat/completions", {"messages": HELLO, "stream": True}, b"data: [DONE]\n\n"),
    "ollama": ("/api/chat", {"messages": HELLO}, b'"done":true'),
    "anthropic": ("/v1/messages", {"messages": HELLO, "max_tokens": 9, "stream": True}, b'"message_stop"'),
}


@pytest.mark.parametrize("name", ASKS)
async def test_a_request_that_waits_moves_to_a_free_node(busy: Busy, name: str) -> None:
    """The client sees one answer; the node that it leaves computes nothing of it."""
    path, body, end = ASKS[name]
    asked = asyncio.create_task(busy.front.client.post(path, json={"model": "small", **body}))
    left = await busy.waiting_node()
    await busy.free(other(left))
    response = await asked
    assert (response.status_code, response.content.count(end)) == (200, 1), response.text
    assert b"error" not in response.content.replace(b'"error":null', b"")
    assert response.headers.get("x-gglib-node") == (other(left) if name == "whole" else None)
    await until(lambda: not busy.front.node(left).status.waiting)
    assert not busy.responses[left].done()


async def test_all_that_wait_move_to_free_slots(busy: Busy) -> None:
    """Each of them once."""
    asked = [asyncio.create_task(busy.front.chat("small")) for _ in range(4)]
    await until(lambda: sum(waiting(busy, name) for name in busy.nodes) == 4)
    left = max(busy.nodes, key=lambda name: waiting(busy, name))
    await busy.free(other(left))
    responses = await asyncio.gather(*asked)
    assert {response.status_code for response in responses} == {200}
    assert {response.headers["x-gglib-node"] for response in responses} == {other(left)}
    assert (busy.computed(left), busy.computed(other(left))) == (1, 5)


async def test_what_a_node_computes_stays(busy: Busy) -> None:
    """Although another node has the model and a free slot."""
    await busy.free("a")
    running = asyncio.create_task(busy.front.chat("small", x_script={"first_byte_delay_s": 5}))
    await until(lambda: any(resident.in_flight for resident in busy.front.node("a").status.residents))
    await busy.free("b")
    response = await running
    assert (response.status_code, response.headers["x-gglib-node"]) == (200, "a")


@pytest.mark.parametrize("is_frozen", [False, True], ids=["killed", "frozen"])
async def test_all_that_wait_at_a_node_that_is_lost_move(busy: Busy, *, is_frozen: bool) -> None:
    """Its process dies, or the network between is gone."""
    asked = [asyncio.create_task(busy.front.chat("small")) for _ in range(4)]
    await until(lambda: sum(waiting(busy, name) for name in busy.nodes) == 4)
    lost = max(busy.nodes, key=lambda name: waiting(busy, name))
    cable = busy.nodes[lost].cable
    if is_frozen:
        cable.freeze()
    else:
        await cable.cut()
    await until(lambda: waiting(busy, other(lost)) == 4)
    busy.responses[other(lost)].cancel()
    responses = await asyncio.gather(*asked)
    assert {response.status_code for response in responses} == {200}
    assert {response.headers["x-gglib-node"] for response in responses} == {other(lost)}


async def test_a_client_that_leaves_while_its_request_moves_leaves_nothing(busy: Busy) -> None:
    """Neither at the node that it left nor at the one to which it went."""
    asked = asyncio.create_task(busy.front.chat("small", x_script=LONG))
    left = await busy.waiting_node()
    await busy.free(other(left))
    await until(lambda: not busy.front.node(left).status.waiting)
    asked.cancel()
    await until(lambda: not in_flight(busy, other(left)))
    assert not waiting(busy, left)


async def test_a_request_that_waits_on_the_front_s_own_machine_moves_to_a_node(tmp_path: Path) -> None:
    """The machine computes a long response with another model; the node takes requests again."""
    own = [scripted_model(tmp_path, number, name) for number, name in enumerate(("small", "only-here"), 1)]
    async with (
        GglibNode(tmp_path / "a", "small") as a,
        FrontServer(tmp_path / "front", {"a": a}, catalog=FakeCatalog(own)) as front,
    ):
        await until(lambda: front.node("a").models)
        await front.drain("a")
        long = asyncio.create_task(front.chat("only-here", x_script=LONG))
        await until(lambda: front.in_progress("only-here", "running"))
        asked = asyncio.create_task(front.chat("small"))
        await until(lambda: front.in_progress("small", "waiting"))
        await front.peers.load("a", "small", None)
        await front.drain()
        response = await asked
        assert (response.status_code, response.headers["x-gglib-node"]) == (200, "a")
        assert not long.done()
        long.cancel()
        await asyncio.gather(long, return_exceptions=True)


def waiting(busy: Busy, name: str) -> int:
    """Return how many requests wait at a node, as it reports."""
    return sum(waiting.waiting for waiting in busy.front.node(name).status.waiting)


def in_flight(busy: Busy, name: str) -> int:
    """Return how many requests a node computes, as it reports."""
    return sum(resident.in_flight for resident in busy.front.node(name).status.residents)

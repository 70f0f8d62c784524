"""A front with nodes by address: requests are served by a node, and survive the loss of one."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.front_server import FrontServer
from tests.support.gglib_node import GglibNode
from tests.support.waiting import until

from gglib.core.nodes import NodeState

Nodes = dict[str, GglibNode]
CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    """Return two nodes; both have ``small``, each has a model of its own."""
    async with (
        GglibNode(tmp_path / "a", "small", "only-a") as a,
        GglibNode(tmp_path / "b", "small", "only-b") as b,
    ):
        yield {"a": a, "b": b}


@pytest.fixture
async def front(tmp_path: Path, nodes: Nodes) -> AsyncIterator[FrontServer]:
    """Return a front that has seen both nodes."""
    async with FrontServer(tmp_path / "front", nodes) as front:
        await until(lambda: all(snapshot.models for snapshot in front.peers.snapshots()))
        yield front


async def test_models_of_all_nodes_are_listed(front: FrontServer) -> None:
    """Each name once."""
    listed = (await front.client.get("/v1/models")).json()["data"]
    assert [model["id"] for model in listed] == ["small", "only-a", "only-b"]


async def test_a_node_that_has_the_model_serves_it(front: FrontServer) -> None:
    """The response names the node."""
    for name in ("a", "b"):
        response = await front.chat(f"only-{name}")
        assert response.status_code == 200, response.text
        assert response.headers["x-gglib-node"] == name
        assert response.json()["choices"][0]["message"]["content"] == "t0 t1 t2 "


async def test_a_stream_is_relayed_as_it_comes(front: FrontServer) -> None:
    """The events are those of the node's engine."""
    body = {"model": "only-a", "stream": True, "messages": HELLO}
    async with front.client.stream("POST", CHAT, json=body) as response:
        text = b"".join([part async for part in response.aiter_bytes()])
    assert response.headers["x-gglib-node"] == "a"
    assert text.endswith(b"data: [DONE]\n\n")


async def test_a_name_that_no_node_has_is_unknown(front: FrontServer) -> None:
    """With similar names of the nodes."""
    response = await front.chat("only-c")
    assert response.status_code == 404
    assert "only-a" in response.json()["error"]["message"]


async def test_a_node_gets_its_own_name_of_the_model(front: FrontServer) -> None:
    """Names resolve at the front: the body has the name that the node knows."""
    response = await front.chat("ONLY-A")
    assert response.status_code == 200, response.text
    assert response.headers["x-gglib-node"] == "a"


async def test_an_error_of_a_node_reaches_the_client_unchanged(front: FrontServer) -> None:
    """With its status, its code and its headers."""
    body = {"model": "only-a", "messages": HELLO}
    response = await front.client.post(CHAT, json=body, headers={"prefer": "wait=0"})
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "model_loading"
    assert response.headers["x-gglib-node"] == "a"
    assert int(response.headers["retry-after"]) > 0


async def test_another_dialect_is_served_by_a_node(front: FrontServer) -> None:
    """The request is translated once, by the front."""
    body = {"model": "only-a", "max_tokens": 10, "messages": HELLO}
    response = await front.client.post("/v1/messages", json=body)
    assert response.status_code == 200, response.text
    assert response.json()["content"][0]["text"] == "t0 t1 t2 "
    assert response.headers["x-gglib-node"] == "a"


async def test_requests_are_spread_over_equal_nodes(front: FrontServer) -> None:
    """A burst is not sent to the node that looked best at its beginning."""
    burst = [front.chat("small", x_script={"first_byte_delay_s": 0.3}) for _ in range(8)]
    responses = await asyncio.gather(*burst)
    served = [response.headers["x-gglib-node"] for response in responses]
    assert {response.status_code for response in responses} == {200}
    assert set(served) == {"a", "b"}


async def test_a_dead_node_is_replaced_before_the_first_byte(front: FrontServer, nodes: Nodes) -> None:
    """The request waits at a node; the node dies; the other one answers."""
    asked = asyncio.create_task(front.chat("small", x_script={"first_byte_delay_s": 2}))
    busy = await _busy_node(front)
    await nodes[busy].cable.cut()
    response = await asked
    assert response.status_code == 200, response.text
    assert response.headers["x-gglib-node"] != busy


async def test_a_frozen_node_loses_its_waiting_requests(front: FrontServer, nodes: Nodes) -> None:
    """Over a cut network no end of a connection arrives: the probes fail, and the request goes elsewhere."""
    asked = asyncio.create_task(front.chat("small", x_script={"first_byte_delay_s": 2}))
    busy = await _busy_node(front)
    nodes[busy].cable.freeze()
    response = await asked
    assert front.node(busy).state is NodeState.DOWN
    assert response.status_code == 200, response.text
    assert response.headers["x-gglib-node"] != busy


async def test_a_stream_that_has_begun_ends_with_an_error_event(front: FrontServer, nodes: Nodes) -> None:
    """What arrived is delivered, then one error, and no end mark."""
    script = {"chunks": 50, "chunk_interval_s": 0.1}
    body = {"model": "only-a", "stream": True, "messages": HELLO, "x_script": script}
    received = b""
    async with front.client.stream("POST", CHAT, json=body) as response:
        async for part in response.aiter_bytes():
            received += part
            if b"t1 " in received:
                await nodes["a"].cable.cut()
    events = [line for line in received.splitlines() if line.startswith(b"data: ")]
    assert json.loads(events[-1].removeprefix(b"data: "))["error"]["code"] == "node_lost"
    assert b"[DONE]" not in received


async def test_a_model_of_a_dead_node_fails_with_one_clear_error(front: FrontServer, nodes: Nodes) -> None:
    """No other node has it."""
    await nodes["b"].cable.cut()
    await until(lambda: front.node("b").state is NodeState.DOWN)
    body = {"model": "only-b", "messages": HELLO}
    response = await front.client.post(CHAT, json=body, headers={"prefer": "wait=1"})
    assert response.status_code == 503
    error = response.json()["error"]
    assert error["code"] == "no_node"
    assert "b is down" in error["message"]


async def test_a_node_that_comes_back_serves_what_waited_for_it(front: FrontServer, nodes: Nodes) -> None:
    """A restart of a node costs a moment, not an error."""
    await nodes["b"].stop()
    await until(lambda: front.node("b").state is NodeState.DOWN)
    asked = asyncio.create_task(front.chat("only-b"))
    await nodes["b"].start()
    response = await asked
    assert response.status_code == 200, response.text
    assert response.headers["x-gglib-node"] == "b"


async def test_a_forwarded_request_is_not_forwarded_again(front: FrontServer) -> None:
    """Two fronts that are nodes of each other send no request in circles."""
    body = {"model": "only-a", "messages": HELLO}
    response = await front.client.post(CHAT, json=body, headers={"x-gglib-hop": "1"})
    assert response.status_code == 404


async def test_a_client_that_leaves_frees_the_node(front: FrontServer) -> None:
    """The forwarded request is the lease: it ends with its connection."""
    body = {"model": "only-a", "messages": HELLO, "x_script": {"first_byte_delay_s": 30}}
    asked = asyncio.create_task(front.client.post(CHAT, json=body))
    assert await _busy_node(front) == "a"
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await until(lambda: not _has_request(front, "a"))
    assert (await front.chat("only-a")).status_code == 200


async def _busy_node(front: FrontServer) -> str:
    """Return the node at which a request runs, once one does."""
    names = [snapshot.name for snapshot in front.peers.snapshots()]
    await until(lambda: any(_has_request(front, name) for name in names))
    return next(name for name in names if _has_request(front, name))


def _has_request(front: FrontServer, name: str) -> bool:
    """Whether a request runs at a node, by its last snapshot."""
    return any(resident.in_flight for resident in front.node(name).status.residents)

"""What a front shows of its nodes, and what it has them do."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.front_server import FrontServer
from tests.support.gglib_node import GglibNode
from tests.support.waiting import until

from gglib.core.nodes import NodeState
from gglib.proxy import ProxyOptions

Nodes = dict[str, GglibNode]


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


def states(front: FrontServer, node: str) -> list[str]:
    """Return the states of the models in the memory of a node, as the front knows them."""
    return [resident.state for resident in front.node(node).residents]


async def shown(front: FrontServer) -> dict[str, dict[str, Any]]:
    """Return the nodes that the front shows, by name."""
    response = await front.client.get("/gglib/nodes")
    assert response.status_code == 200, response.text
    return {node["name"]: node for node in response.json()["nodes"]}


async def test_the_nodes_are_listed(front: FrontServer) -> None:
    """This machine first, and what each has in memory."""
    assert (await front.chat("only-a")).status_code == 200
    await until(lambda: states(front, "a") == ["ready"])
    found = await shown(front)
    assert list(found) == ["front", "a", "b"]
    assert [node["is_own"] for node in found.values()] == [True, False, False]
    assert {node["state"] for node in found.values()} == {"ready"}
    assert [(model["name"], model["state"]) for model in found["a"]["models"]] == [
        ("small", None),
        ("only-a", "ready"),
    ]
    assert [resident["model_name"] for resident in found["a"]["residents"]] == ["only-a"]
    assert found["b"]["residents"] == []


async def test_a_node_that_is_lost_says_why(front: FrontServer, nodes: Nodes) -> None:
    """Its catalogue stays known, the models in its memory do not."""
    await nodes["a"].cable.cut()
    await until(lambda: front.node("a").state is NodeState.DOWN)
    lost = (await shown(front))["a"]
    assert lost["state"] == "down"
    assert lost["failure"]
    assert (lost["residents"], len(lost["models"])) == ([], 2)


async def test_models_say_which_nodes_have_them(front: FrontServer) -> None:
    """For admins, with the state at each node."""
    assert (await front.chat("only-b")).status_code == 200
    await until(lambda: states(front, "b") == ["ready"])
    listed = (await front.client.get("/gglib/models")).json()["models"]
    copies = {model["name"]: [(copy["node"], copy["state"]) for copy in model["nodes"]] for model in listed}
    assert copies == {
        "small": [("a", None), ("b", None)],
        "only-a": [("a", None)],
        "only-b": [("b", "ready")],
    }


async def test_a_server_without_nodes_shows_none(tmp_path: Path) -> None:
    """Clients show no column of nodes then."""
    async with FrontServer(tmp_path / "front", {}) as front:
        assert (await front.client.get("/gglib/nodes")).json() == {"nodes": [], "conflicts": []}


async def post(front: FrontServer, path: str, **body: Any) -> tuple[int, Any]:
    """Return the status and the content of the response to a command."""
    response = await front.client.post(f"/gglib/models/{path}", json=body)
    return response.status_code, response.json()


async def test_a_model_is_loaded_and_unloaded_on_a_named_node(front: FrontServer, nodes: Nodes) -> None:
    """And nowhere else."""
    status, loaded = await post(front, "small/load", node="b", num_ctx=2048)
    assert (status, loaded["model_name"], loaded["node"]) == (200, "small", "b")
    await until(lambda: states(front, "b") == ["ready"])
    assert states(front, "a") == []
    assert await post(front, "small/unload") == (200, {"stopped": ["small"], "node": "b"})
    await until(lambda: states(front, "b") == [])
    assert await post(front, "small/unload", node="a") == (200, {"stopped": [], "node": "a"})


async def test_a_model_of_one_node_needs_no_name_of_it(front: FrontServer) -> None:
    """Of several nodes, one must be named."""
    status, loaded = await post(front, "only-a/load")
    assert (status, loaded["node"]) == (200, "a")
    status, refused = await post(front, "small/load")
    assert (status, refused["error"]["code"]) == (400, "node_needed")


async def test_an_alias_list_is_unloaded_where_its_models_are_in_memory(tmp_path: Path, nodes: Nodes) -> None:
    """Several nodes have the other one, and none of them in memory; if they had, nothing would be unloaded."""
    options = ProxyOptions(shutdown_grace_s=0, aliases={"list": ("only-a", "small")})
    async with FrontServer(tmp_path / "front", nodes, options=options) as front:
        await until(lambda: all(snapshot.models for snapshot in front.peers.snapshots()))
        assert (await post(front, "only-a/load"))[0] == 200
        await until(lambda: states(front, "a") == ["ready"])
        status, unloaded = await post(front, "list/unload")
        assert (status, unloaded["stopped"]) == (200, ["only-a"])
        for node in ("a", "b"):
            assert (await post(front, "small/load", node=node))[0] == 200
        await until(lambda: states(front, "a") == states(front, "b") == ["ready"])
        status, refused = await post(front, "list/unload")
        assert (status, refused["error"]["code"]) == (400, "node_needed")


async def test_commands_for_wrong_nodes_are_refused(front: FrontServer, nodes: Nodes) -> None:
    """Each with its own error."""
    refusals = {
        "x": (404, "node_not_found"),
        "b": (404, "model_not_on_node"),
        "front": (404, "model_not_on_node"),
    }
    for node, expected in refusals.items():
        for action in ("load", "unload"):
            status, refused = await post(front, f"only-a/{action}", node=node)
            assert (status, refused["error"]["code"]) == expected
    await nodes["a"].cable.cut()
    await until(lambda: front.node("a").state is NodeState.DOWN)
    status, refused = await post(front, "only-a/load", node="a")
    assert (status, refused["error"]["code"]) == (502, "node_failed")

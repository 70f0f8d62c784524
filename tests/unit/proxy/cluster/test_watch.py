"""Exchanges with nodes that are gone are broken off."""

import asyncio

import pytest
from tests.support.node_values import snapshot
from tests.support.waiting import until

from gglib.core.nodes import NodeState
from gglib.http.client.connect import Origin
from gglib.http.client.pool import UpstreamPool
from gglib.proxy.cluster import watch
from gglib.proxy.cluster.watch import SILENT_S, break_off_lost
from gglib.testing import FakeNodes


class Pool(UpstreamPool):
    """Records what it should break off."""

    def __init__(self) -> None:
        super().__init__(connect_timeout_s=1)
        self.broken: list[tuple[str, str | None, float]] = []

    def break_off_silent(self, origin: Origin, reason: str, silent_s: float) -> None:
        """Record it."""
        assert "is gone" in reason
        self.broken.append((origin.base_url, origin.bearer_key, silent_s))


async def test_only_nodes_that_are_down_lose_their_exchanges() -> None:
    """At each change."""
    nodes, pool = FakeNodes([snapshot("a"), snapshot("b")]), Pool()
    nodes.keys["b"] = "key"
    watching = asyncio.create_task(break_off_lost(nodes, pool))
    for _ in range(3):
        await asyncio.sleep(0)
    assert pool.broken == []
    nodes.set_state("b", NodeState.DOWN)
    for _ in range(3):
        await asyncio.sleep(0)
    assert pool.broken == [("http://b:8080", "key", SILENT_S)]
    watching.cancel()
    await asyncio.wait([watching])


async def test_exchanges_that_become_silent_later_are_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node may be known to be down before an exchange with it has been silent for long enough."""
    monkeypatch.setattr(watch, "LOOK_AGAIN_S", 0.001)
    nodes, pool = FakeNodes([snapshot("a", state=NodeState.DOWN)]), Pool()
    watching = asyncio.create_task(break_off_lost(nodes, pool))
    await until(lambda: len(pool.broken) > 2)
    nodes.set_state("a", NodeState.READY)
    for _ in range(3):
        await asyncio.sleep(0)
    before = len(pool.broken)
    await asyncio.sleep(0.01)
    assert len(pool.broken) == before
    watching.cancel()
    await asyncio.wait([watching])

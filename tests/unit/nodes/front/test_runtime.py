"""The runtime of a front: where requests go, and what happens if a node fails them."""

import asyncio
from dataclasses import dataclass

import pytest
from tests.support.node_values import snapshot

from gglib.core.errors import NodeLostError, NoNodeError
from gglib.core.models import ModelSummary, RunningTarget
from gglib.core.nodes import NodeState
from gglib.core.priority import Priority
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.front.own_node import OwnNode
from gglib.nodes.front.runtime import MAX_REQUESTS, FrontRuntime
from gglib.testing import FakeCatalog, FakeNodes, FakeRuntime

HERE = RunningTarget.local(1, 1, "m", 4096)


@dataclass(frozen=True, slots=True)
class Front:
    """A runtime and what it stands on."""

    runtime: FrontRuntime
    own: FakeRuntime
    nodes: FakeNodes
    cluster: Cluster


async def front(nodes: FakeNodes, *own_models: str) -> Front:
    """Return a front with nodes and models of its own."""
    own = FakeRuntime(dict.fromkeys(own_models, HERE))
    models = [ModelSummary(id=number, name=name) for number, name in enumerate(own_models, 1)]
    catalog = FakeCatalog(models)
    this = OwnNode("this", own, catalog, max_models=1)
    await this.refresh()
    cluster = Cluster(nodes, this)
    return Front(FrontRuntime(own, cluster), own, nodes, cluster)


async def test_without_nodes_every_request_is_the_own_runtime_s() -> None:
    """With all its parameters."""
    here = await front(FakeNodes(), "m")
    async with here.runtime.admit(
        "m", 512, 4096, wait_s=3.0, request_id="r", priority=Priority.BATCH
    ) as target:
        assert target is HERE
    lease = here.own.admitted[0]
    assert (lease.model_name, lease.num_ctx, lease.default_ctx) == ("m", 512, 4096)
    assert (lease.wait_s, lease.request_id, lease.priority) == (3.0, "r", Priority.BATCH)


async def test_a_model_that_only_this_machine_has_stays_here() -> None:
    """Whatever nodes there are."""
    here = await front(FakeNodes([snapshot("a", "n")]), "m")
    async with here.runtime.admit("m", None, 4096) as target:
        assert target is HERE


async def test_a_request_for_a_node_gets_its_address_key_and_name() -> None:
    """And counts as sent until it ends."""
    nodes = FakeNodes([snapshot("a", "n")])
    nodes.keys["a"] = "secret"
    here = await front(nodes)
    async with here.runtime.admit("n", None, 4096, wait_s=1.0) as target:
        assert (target.base_url, target.bearer_key) == ("http://a:8080", "secret")
        assert (target.node, target.served_name, target.model_name) == ("a", "n", "n")
        assert target.effective_ctx == 4096
        assert here.cluster.sent.count("a", "n") == 1
    assert here.cluster.sent.count("a", "n") == 0
    assert here.own.admitted == []


async def test_this_machine_is_a_candidate_like_the_others() -> None:
    """It has a lease of its own runtime, and counts."""
    node = snapshot("a", "m", state=NodeState.DRAINING)
    here = await front(FakeNodes([node]), "m")
    # The same name and size stand for the same file, because this machine knows no hash.
    async with here.runtime.admit("m", None, 4096, wait_s=1.0) as target:
        assert target is HERE
    assert here.own.holds == 0


async def test_a_node_that_failed_a_request_does_not_get_it_again() -> None:
    """The next admission of the same request goes elsewhere; another request may go there."""
    here = await front(FakeNodes([snapshot("a", "n"), snapshot("b", "n")]))

    async def ask(request_id: str) -> str | None:
        async with here.runtime.admit("n", None, 4096, wait_s=1.0, request_id=request_id) as target:
            return target.node

    first = await ask("r")
    assert first is not None
    with pytest.raises(NodeLostError):
        async with here.runtime.admit("n", None, 4096, wait_s=1.0, request_id="r"):
            raise NodeLostError(first, "closed the connection")
    assert here.nodes.failures == [first]
    assert await ask("r") != first
    assert await ask("other") == first


async def test_failures_of_many_requests_are_bounded() -> None:
    """A client that never retries leaves nothing behind."""
    here = await front(FakeNodes([snapshot("a", "n")]))
    for number in range(MAX_REQUESTS + 10):
        with pytest.raises(NodeLostError):
            async with here.runtime.admit("n", None, 4096, wait_s=1.0, request_id=str(number)):
                raise NodeLostError("a", "closed the connection")
    with pytest.raises(NoNodeError):
        async with here.runtime.admit("n", None, 4096, wait_s=0.0, request_id=str(MAX_REQUESTS + 9)):
            pass
    async with here.runtime.admit("n", None, 4096, wait_s=0.0, request_id="0") as target:
        assert target.node == "a"


async def test_without_a_node_that_may_return_the_error_is_immediate() -> None:
    """It has the reason of each node."""
    here = await front(FakeNodes([snapshot("a", "n", state=NodeState.REFUSED)]))
    with pytest.raises(NoNodeError, match="a refuses this gglib"):
        async with here.runtime.admit("n", None, 4096, wait_s=60.0):
            pass


async def test_a_request_waits_for_a_node_that_is_down() -> None:
    """A restart takes a moment."""
    here = await front(FakeNodes([snapshot("a", "n", state=NodeState.DOWN)]))

    async def ask() -> str | None:
        async with here.runtime.admit("n", None, 4096, wait_s=60.0) as target:
            return target.node

    asked = asyncio.create_task(ask())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not asked.done()
    here.nodes.set_state("a", NodeState.READY)
    assert await asked == "a"


async def test_the_own_runtime_explains_why_it_cannot_run_a_model() -> None:
    """It has the files, so its error is more exact than that of the placement."""
    node = snapshot("a", "m", state=NodeState.DOWN)
    here = await front(FakeNodes([node]), "m")
    here.own.fails_with = NoNodeError("the own error")
    with pytest.raises(NoNodeError, match="the own error"):
        async with here.runtime.admit("m", None, 4096, wait_s=0.0):
            pass
    assert here.cluster.sent.count("this", "m") == 0


async def test_a_node_that_is_removed_meanwhile_is_lost() -> None:
    """Its snapshot was there, its address is not."""
    nodes = FakeNodes([snapshot("a", "n")])
    here = await front(nodes)
    nodes.endpoint = lambda _: None  # type: ignore[method-assign, assignment]
    with pytest.raises(NodeLostError, match="was removed"):
        async with here.runtime.admit("n", None, 4096, wait_s=1.0):
            pass
    assert here.cluster.sent.count("a", "n") == 0


async def test_everything_else_is_the_own_runtime_s() -> None:
    """Status, loads and events are those of this machine."""
    here = await front(FakeNodes([snapshot("a", "n")]), "m")
    runtime, own = here.runtime, here.own
    assert await runtime.current_model() is None
    assert await runtime.ensure_model_running("m", None, 4096) is HERE
    assert await runtime.load("m", None, 4096) is HERE
    assert await runtime.current_model() is HERE
    assert await runtime.loaded_target("m") is HERE
    assert [resident.model_name for resident in (await runtime.status()).residents] == ["m"]
    assert await runtime.unload("m")
    await runtime.stop_current()
    assert own.stops == 2
    await runtime.apply_pins()
    assert runtime.swap_of("r") is None
    assert runtime.swaps(3) == ()
    assert await runtime.devices() == {}
    assert runtime.subscribe() is not None
    assert not runtime.is_blocking_swap(HERE)


async def test_a_conversation_prefers_the_node_of_its_last_answer() -> None:
    """Among nodes that would serve it equally well."""
    here = await front(FakeNodes([snapshot("a", "n", ready=("n",)), snapshot("b", "n", ready=("n",))]))

    async def ask(request_id: str, conversation: str | None = None) -> str | None:
        if conversation is not None:
            here.runtime.note_conversation(request_id, conversation)
        async with here.runtime.admit("n", None, 4096, wait_s=1.0, request_id=request_id) as target:
            return target.node

    async with here.runtime.admit("n", None, 4096, wait_s=1.0) as first:
        other = await ask("1", "talk")
        assert other != first.node
    assert await ask("2") == first.node
    assert await ask("3", "talk") == other
    assert await ask("4", "another talk") == first.node


async def test_without_nodes_nothing_is_kept_of_conversations() -> None:
    """Every request of a server would be noted."""
    here = await front(FakeNodes(), "m")
    here.runtime.note_conversation("1", "talk")
    assert len(here.runtime._conversation_of) == 0

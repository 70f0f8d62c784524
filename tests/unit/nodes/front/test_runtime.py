"""The runtime of a front: where requests go, and what happens if a node fails them."""

import asyncio
import math
from dataclasses import dataclass, replace

import pytest
from tests.support.node_values import snapshot

from gglib.core.errors import ModelTooLargeError, NodeLostError, NoNodeError
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelSummary, RunningTarget
from gglib.core.nodes import MeasuredResponse, NodeState
from gglib.core.priority import Priority
from gglib.core.runtime.slots import SlotCopy
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


async def front(nodes: FakeNodes, *own_models: str | ModelSummary) -> Front:
    """Return a front with nodes and models of its own."""
    models = [
        ModelSummary(id=number, name=model) if isinstance(model, str) else model
        for number, model in enumerate(own_models, 1)
    ]
    own = FakeRuntime({model.name: HERE for model in models})
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


async def test_a_request_that_a_node_failed_goes_elsewhere() -> None:
    """The next admission of the same request; another request may go there."""
    here = await front(FakeNodes([snapshot("a", "n"), snapshot("b", "n")]))

    async def ask(request_id: str) -> str | None:
        async with here.runtime.admit("n", None, 4096, wait_s=1.0, request_id=request_id) as target:
            return target.node

    first = await ask("r")
    assert first is not None
    await fail(here, "r", first)
    assert here.nodes.failures == [first]
    assert await ask("r") != first
    assert await ask("other") == first


async def test_the_only_node_gets_a_request_again_once_it_has_been_seen() -> None:
    """It failed while its process was replaced."""
    here = await front(FakeNodes([snapshot("a", "n")]))
    await fail(here, "r", "a")
    asked = asyncio.create_task(node_of(here, "r"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not asked.done()
    here.nodes.put(replace(here.nodes.snapshots()[0], seen_at_s=math.inf))
    assert await asked == "a"


async def test_failures_of_many_requests_are_bounded() -> None:
    """A client that never retries leaves nothing behind."""
    here = await front(FakeNodes([snapshot("a", "n")]))
    for number in range(MAX_REQUESTS + 10):
        await fail(here, str(number), "a")
    with pytest.raises(NoNodeError):
        await node_of(here, str(MAX_REQUESTS + 9), wait_s=0.0)
    assert await node_of(here, "0", wait_s=0.0) == "a"


async def test_lost_requests_are_counted_by_node() -> None:
    """Those that another node serves then, too; other errors are none of the node's."""
    here = await front(FakeNodes([snapshot("a", "n")]))
    for number in range(2):
        await fail(here, str(number), "a")
    with pytest.raises(ModelTooLargeError):
        async with here.runtime.admit("n", None, 4096, wait_s=1.0, request_id="other"):
            raise ModelTooLargeError("n", {}, {})
    assert here.cluster.overview().lost == {"a": 2}


async def fail(here: Front, request_id: str, node: str) -> None:
    """Admit a request, whose node breaks off."""
    with pytest.raises(NodeLostError):
        async with here.runtime.admit("n", None, 4096, wait_s=1.0, request_id=request_id):
            raise NodeLostError(node, "closed the connection")


async def node_of(here: Front, request_id: str, *, wait_s: float = 60.0) -> str | None:
    """Return the node of a request."""
    async with here.runtime.admit("n", None, 4096, wait_s=wait_s, request_id=request_id) as target:
        return target.node


async def test_a_model_that_this_machine_cannot_run_goes_to_a_node() -> None:
    """Its own runtime knows the memory better than the placement."""
    own = ModelSummary(id=1, name="m", size_bytes=1000, hashes=("hash of m",))
    here = await front(FakeNodes([snapshot("a", "m")]), own)
    here.own.fails_with = ModelTooLargeError("m", {"ram": 2}, {"ram": 1})
    for number in range(4):
        async with here.runtime.admit("m", None, 4096, wait_s=1.0, request_id=str(number)) as target:
            assert target.node == "a"
    assert here.own.admitted
    here.nodes.set_state("a", NodeState.REFUSED)
    with pytest.raises(ModelTooLargeError):
        async with here.runtime.admit("m", None, 4096, wait_s=1.0, request_id="last"):
            pass


async def test_what_this_machine_cannot_run_says_nothing_of_the_next_model() -> None:
    """The models of an alias list are tried under the id of one request."""
    own = [
        ModelSummary(id=1, name=name, size_bytes=1000, hashes=(f"hash of {name}",)) for name in ("large", "m")
    ]
    here = await front(FakeNodes([snapshot("a", "large", "m", state=NodeState.REFUSED)]), *own)
    here.own.fails_with = ModelTooLargeError("large", {"ram": 2}, {"ram": 1})
    with pytest.raises(ModelTooLargeError):
        async with here.runtime.admit("large", None, 4096, wait_s=0.0, request_id="r"):
            pass
    here.own.fails_with = None
    async with here.runtime.admit("m", None, 4096, wait_s=0.0, request_id="r") as target:
        assert target is HERE


async def test_a_client_may_use_an_id_again_after_this_machine_could_not_run_its_model() -> None:
    """The memory may be free then."""
    own = ModelSummary(id=1, name="m", size_bytes=1000, hashes=("hash of m",))
    here = await front(FakeNodes([snapshot("a", "m", state=NodeState.REFUSED)]), own)
    here.own.fails_with = ModelTooLargeError("m", {"ram": 2}, {"ram": 1})
    with pytest.raises(ModelTooLargeError):
        async with here.runtime.admit("m", None, 4096, wait_s=0.0, request_id="r"):
            pass
    here.own.fails_with = None
    async with here.runtime.admit("m", None, 4096, wait_s=0.0, request_id="r") as target:
        assert target is HERE


async def test_a_node_that_failed_a_request_does_not_get_it_because_this_machine_fails_it_too() -> None:
    """Its failure is remembered until the request has ended."""
    own = ModelSummary(id=1, name="n", size_bytes=1000, hashes=("hash of n",))
    here = await front(FakeNodes([snapshot("a", "n", ready=("n",))]), own)
    here.own.fails_with = ModelTooLargeError("n", {"ram": 2}, {"ram": 1})
    await fail(here, "r", "a")
    with pytest.raises(ModelTooLargeError):
        await node_of(here, "r", wait_s=0.0)


async def test_a_model_that_does_not_fit_here_goes_to_a_node_at_once() -> None:
    """Its size is known before the own runtime is asked, which explains it if no node is left."""

    async def need_of(model: ModelSummary) -> DeviceBytes:
        return {"ram": 20}

    own = ModelSummary(id=1, name="m", size_bytes=1000, hashes=("hash of m",))
    here = await front(FakeNodes([snapshot("a", "m")]), own)
    here.own.limits, here.cluster.own._need_of = {"ram": 10}, need_of
    await here.cluster.own.refresh()
    await here.cluster.own.refresh_needs()
    async with here.runtime.admit("m", None, 4096, wait_s=1.0, request_id="r") as target:
        assert target.node == "a"
    assert here.own.admitted == []
    here.nodes.set_state("a", NodeState.REFUSED)
    here.own.fails_with = ModelTooLargeError("m", {"ram": 20}, {"ram": 10})
    with pytest.raises(ModelTooLargeError):
        async with here.runtime.admit("m", None, 4096, wait_s=1.0, request_id="s"):
            pass


async def test_a_file_has_its_own_name_on_this_machine() -> None:
    """The spec of the node's name has no file here."""
    own = ModelSummary(id=1, name="m", size_bytes=1000, hashes=("hash of other",))
    here = await front(FakeNodes([snapshot("a", "other", state=NodeState.DRAINING)]), own)
    async with here.runtime.admit("other", None, 4096, wait_s=1.0) as target:
        assert target is HERE
    assert here.own.admitted[0].model_name == "m"


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
    here.own.fails_with = NoNodeError("m", "the own error")
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
    runtime.note_cached("n", 1, 0.0)
    assert runtime.swaps(3) == ()
    assert await runtime.devices() == {}
    assert runtime.subscribe() is not None
    assert not runtime.is_blocking_swap(HERE)
    copy = SlotCopy(source=0, destination=1, shared_bytes=1, size_bytes=1)
    assert await runtime.copy_slot(HERE, copy)
    assert not await runtime.copy_slot(replace(HERE, node="a"), copy)
    assert own.copies == [copy]


async def test_a_conversation_prefers_the_node_of_its_last_answer() -> None:
    """Among nodes that would serve it equally well."""
    here = await front(FakeNodes([snapshot("a", "n", ready=("n",)), snapshot("b", "n", ready=("n",))]))

    async def ask(request_id: str, conversation: str | None = None) -> str | None:
        if conversation is not None:
            here.runtime.note_conversation(request_id, conversation, 100)
        async with here.runtime.admit("n", None, 4096, wait_s=1.0, request_id=request_id) as target:
            return target.node

    async with here.runtime.admit("n", None, 4096, wait_s=1.0) as first:
        other = await ask("1", "talk")
        assert other != first.node
    assert await ask("2") == first.node
    assert await ask("3", "talk") == other
    assert await ask("4", "another talk") == first.node


@pytest.mark.parametrize("is_measured", [False, True])
async def test_a_long_conversation_stays_although_another_node_is_free(*, is_measured: bool) -> None:
    """Once the speed of prompts is measured: it would be computed again there."""
    here = await front(FakeNodes([snapshot("a", "n", ready=("n",)), snapshot("b", "n", ready=("n",))]))

    async def ask(request_id: str) -> str | None:
        here.runtime.note_conversation(request_id, "talk", 40_000)
        async with here.runtime.admit("n", None, 4096, wait_s=1.0, request_id=request_id) as target:
            return target.node

    home = await ask("1")
    assert home is not None
    prompt_speed = 1000.0 if is_measured else None
    response = MeasuredResponse(
        node=home, model="n", tokens=100, seconds=5.0, prompt_tokens_per_s=prompt_speed
    )
    here.cluster.note_response(response)
    here.cluster.sent.started(home, "n")
    assert (await ask("2") == home) is is_measured


async def test_a_slow_node_gets_fewer_requests_once_it_is_measured() -> None:
    """This machine is measured like the others."""
    own = ModelSummary(id=1, name="n", size_bytes=1000, hashes=("hash of n",))
    here = await front(FakeNodes([snapshot("a", "n", ready=("n",))]), own)
    here.own.targets["n"] = HERE
    await here.own.load("n", None, 4096)
    await here.cluster.own.refresh()
    for node, seconds in ((None, 8.0), ("a", 1.0)):
        here.cluster.note_response(MeasuredResponse(node=node, model="n", tokens=100, seconds=seconds))
    nodes = []
    for number in range(4):
        lease = here.runtime.admit("n", None, 4096, wait_s=1.0, request_id=str(number))
        nodes.append((await lease.__aenter__()).node)
    assert nodes == ["a"] * 4


async def test_without_nodes_nothing_is_kept_of_conversations() -> None:
    """Every request of a server would be noted."""
    here = await front(FakeNodes(), "m")
    here.runtime.note_conversation("1", "talk", 100)
    assert len(here.runtime._conversation_of) == 0

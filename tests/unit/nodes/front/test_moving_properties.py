"""Random histories of a front and its nodes: requests are sent, wait, run, move and end, while nodes die and return."""

import asyncio
from collections import Counter
from dataclasses import replace
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.node_values import snapshot

from gglib.core.errors import NodeLostError, NoNodeError, RequestWithdrawnError
from gglib.core.models import ModelSummary, RunningTarget
from gglib.core.nodes import NodeSnapshot, NodeState
from gglib.core.runtime.status import RuntimeStatus, WaitingStatus
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.front.own_node import OwnNode
from gglib.nodes.front.runtime import FrontRuntime
from gglib.nodes.moves import MAX_MOVES
from gglib.testing import FakeCatalog, FakeNodes, FakeRuntime

NODES = ("a", "b", "c")
OWN = "this"
MODEL = ModelSummary(id=1, name="m", size_bytes=1000, hashes=("hash of m",))
OFTEN = ("send", "send", "slow", "free", "free", "move", "move", "move")
STEPS = (*OFTEN, "kill", "drain", "run", "finish", "leave", "open", "close")
ATTEMPTS = 50


class World:
    """A front, its nodes, and clients that send a request again as the proxy does."""

    def __init__(self, *, has_model: bool) -> None:
        self.nodes = FakeNodes([slow(name) for name in NODES])
        self.gate = asyncio.Event()
        self.own = FakeRuntime({"m": RunningTarget.local(1, 1, "m", 4096)}, gate=self.gate)
        self.now = 0.0
        self.this = OwnNode(OWN, self.own, FakeCatalog([MODEL] if has_model else []), max_models=1)
        self.cluster = Cluster(self.nodes, self.this, clock=lambda: self.now)
        self.runtime = FrontRuntime(self.own, self.cluster)
        self.requests: list[asyncio.Task[str]] = []
        self.at: dict[str, tuple[str, asyncio.Future[None]]] = {}
        """Where each request is, and what ends it there."""
        self.withdrawn = Counter[str]()

    async def act(self, step: str, number: int) -> None:
        """Take one step; ``number`` chooses the node or the request."""
        places = sorted(self.at)
        if step in {"kill", "slow", "free", "drain"}:
            self.change(step, NODES[number % len(NODES)])
        elif step in {"run", "finish"} and places:
            place = places[number % len(places)]
            self.nodes.waiting.pop((self.at[place][0], place), None)
            if step == "finish":
                self.end(place)
        elif step == "send":
            self.requests.append(asyncio.create_task(self.send(str(len(self.requests)))))
        elif step == "leave" and self.requests:
            self.requests[number % len(self.requests)].cancel()
        elif step == "move":
            self.now += 1.0
            self.this.snapshot = replace(slow(OWN), models=self.this.snapshot.models)
            await self.runtime.mover.move()
        elif step == "open":
            self.gate.set()
        elif step == "close":
            self.gate.clear()
        await settle()

    def change(self, step: str, node: str) -> None:
        """Kill a node, or have it report."""
        if step != "kill":
            self.put({"slow": slow, "free": free, "drain": drained}[step](node))
            return
        self.nodes.set_state(node, NodeState.DOWN)
        for name, end in list(self.at.values()):
            if name == node and not end.done():
                end.set_exception(NodeLostError(node, "died"))

    def put(self, found: NodeSnapshot) -> None:
        """Have a node report."""
        self.nodes.put(replace(found, seen_at_s=self.now))

    def end(self, request_id: str) -> None:
        """Have a node, or this machine, answer a request."""
        node, end = self.at[request_id]
        self.nodes.waiting.pop((node, request_id), None)
        if not end.done():
            end.set_result(None)

    async def send(self, request_id: str) -> str:
        """Send a request until it is answered; return how it ended."""
        for _ in range(ATTEMPTS):
            try:
                async with self.runtime.admit("m", None, 4096, request_id=request_id) as target:
                    await self.stay(request_id, target.node or OWN)
            except NodeLostError:
                continue
            except RequestWithdrawnError:
                self.withdrawn[request_id] += 1
            except NoNodeError:
                return "refused"
            else:
                return "answered"
        return "given up"

    async def stay(self, request_id: str, node: str) -> None:
        """Be at a node: wait there, run, and end. Never at two of them."""
        assert request_id not in self.at
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.at[request_id] = node, end
        try:
            if node != OWN:
                if self.cluster.snapshot(node) is None or not self.nodes._is_reached(node):
                    raise NodeLostError(node, "is down")
                self.nodes.waiting[node, request_id] = partial(give_back, end)
            await end
        finally:
            del self.at[request_id]
            self.nodes.waiting.pop((node, request_id), None)


def give_back(end: "asyncio.Future[None]") -> None:
    """End a wait at a node that was asked for the request."""
    if not end.done():
        end.set_exception(RequestWithdrawnError())


async def settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(30):
        await asyncio.sleep(0)


def slow(name: str) -> NodeSnapshot:
    """Return a node at which requests wait for the model, behind a response of another one."""
    busy = replace(snapshot(name, "m", "n", ready=("n",)).status.residents[0], in_flight=1)
    waits = (WaitingStatus(model_name="m", waiting=1, longest_wait_s=1.0),)
    status = RuntimeStatus(residents=(busy,), waiting=waits)
    return replace(snapshot(name, "m", "n"), status=status, max_models=1)


def free(name: str) -> NodeSnapshot:
    """Return a node that has the model ready."""
    return snapshot(name, "m", "n", ready=("m",))


def drained(name: str) -> NodeSnapshot:
    """Return a node that takes no new requests."""
    return replace(slow(name), state=NodeState.DRAINING)


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(STEPS), st.integers(min_value=0, max_value=11)), min_size=30, max_size=80
    ),
    has_model=st.booleans(),
)
async def test_each_request_ends_once_and_is_never_at_two_nodes(
    steps: list[tuple[str, int]], *, has_model: bool
) -> None:
    """Whatever happens: answered, refused with one error, or left by its client; and nothing of it is left."""
    world = World(has_model=has_model)
    await world.this.refresh()
    for step, number in steps:
        await world.act(step, number)
        assert world.cluster.sent.total >= len(world.at)
    world.gate.set()
    for name in NODES:
        world.put(free(name))
    for _ in range(ATTEMPTS):
        await settle()
        for request_id in list(world.at):
            world.end(request_id)
    assert all(request.done() for request in world.requests)
    ends = await asyncio.gather(*world.requests, return_exceptions=True)
    assert all(end in {"answered", "refused"} or isinstance(end, asyncio.CancelledError) for end in ends), (
        ends
    )
    assert max(world.withdrawn.values(), default=0) <= MAX_MOVES
    assert world.cluster.sent.total == 0
    assert world.own.holds == world.own.waiting == 0
    assert not world.nodes.waiting
    assert not world.runtime.mover._waiting
    assert not world.runtime.mover._planned


@settings(deadline=None, max_examples=20)
@given(has_model=st.booleans(), node=st.integers(min_value=0, max_value=2))
async def test_a_history_has_a_move(*, has_model: bool, node: int) -> None:
    """Of a request at a node, or of one that waits on this machine: else the property would show nothing."""
    world = World(has_model=has_model)
    await world.this.refresh()
    for number in range(len(NODES) if has_model else 0):
        await world.act("drain", number)
    await world.act("send", 0)
    left = [place for place, _ in world.at.values()]
    others = [number for number, name in enumerate(NODES) if name not in left]
    await world.act("free", others[node % len(others)])
    await world.act("move", 0)
    ((place, _),) = world.at.values()
    assert place == NODES[others[node % len(others)]]
    world.end("0")
    assert await world.requests[0] == "answered"

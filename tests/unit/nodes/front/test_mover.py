"""Requests that wait at a node are withdrawn from it, and admitted at another one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.support.node_values import snapshot
from tests.support.waiting import until

from gglib.core.errors import ModelTooLargeError, NodeLostError, RequestWithdrawnError
from gglib.core.models import ModelSummary, RunningTarget
from gglib.core.nodes import NodeSnapshot, NodeState
from gglib.core.runtime.status import RuntimeStatus, WaitingStatus
from gglib.nodes.front import mover
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.front.own_node import OwnNode
from gglib.nodes.front.runtime import FrontRuntime
from gglib.nodes.moves import MAX_MOVES
from gglib.testing import FakeCatalog, FakeNodes, FakeRuntime

HERE = RunningTarget.local(1, 1, "m", 4096)
OWN = ModelSummary(id=1, name="m", size_bytes=1000, hashes=("hash of m",))


class Front:
    """A front whose clock the test sets. The own runtime waits until its gate is open."""

    def __init__(self, *nodes: NodeSnapshot, has_model: bool = False) -> None:
        self.nodes = FakeNodes(nodes)
        self.gate = asyncio.Event()
        self.own = FakeRuntime({"m": HERE}, gate=self.gate)
        self.now = 0.0
        catalog = FakeCatalog([OWN] if has_model else [])
        self.this = OwnNode("this", self.own, catalog, max_models=1, clock=lambda: self.now)
        self.cluster = Cluster(self.nodes, self.this, clock=lambda: self.now)
        self.runtime = FrontRuntime(self.own, self.cluster)

    @asynccontextmanager
    async def at_node(self, request_id: str = "r", wait_s: float = 60.0) -> AsyncIterator[RunningTarget]:
        """Admit a request."""
        async with self.runtime.admit("m", None, 4096, wait_s=wait_s, request_id=request_id) as target:
            yield target

    async def move(self) -> None:
        """Move what should move, a second later."""
        self.now += 1.0
        await self.runtime.mover.move()

    @property
    def commands(self) -> list[tuple[str, str]]:
        """The withdrawals, as node and request."""
        return [(command.node, command.target) for command in self.nodes.commands]


def slow(name: str, waiting: int = 1) -> NodeSnapshot:
    """Return a node at which requests wait for the model, behind a response of another one."""
    status = snapshot(name, "m", "n", ready=("n",)).status
    busy = replace(status.residents[0], in_flight=1)
    waits = (WaitingStatus(model_name="m", waiting=waiting, longest_wait_s=1.0),)
    return replace(
        snapshot(name, "m", "n"), status=RuntimeStatus(residents=(busy,), waiting=waits), max_models=1
    )


def free(name: str) -> NodeSnapshot:
    """Return a node that has the model ready, with free slots."""
    return snapshot(name, "m", "n", ready=("m",))


async def test_a_request_that_waits_moves_to_a_free_node() -> None:
    """It leaves its node before it goes to the other one, and counts at one of them only."""
    here = Front(slow("a"))
    await move_from_a_to_b(here)
    assert here.commands == [("a", "r")]
    assert here.cluster.sent.total == 0
    async with here.at_node() as target:
        assert target.node == "b"
        assert (here.cluster.sent.total_at("a"), here.cluster.sent.total_at("b")) == (0, 1)
    assert here.cluster.sent.total == 0


async def test_a_request_goes_to_the_node_that_it_was_withdrawn_for() -> None:
    """Its former node is free now, too; the next report might say otherwise, and so on for ever."""
    here = Front(slow("a"))
    await move_from_a_to_b(here)
    async with here.at_node("other"):
        here.nodes.put(free("a"))
        async with here.at_node() as target:
            assert target.node == "b"


async def test_a_request_that_its_node_computes_stays() -> None:
    """The node says so once, and is not asked again."""
    here = Front(slow("a"))
    async with here.at_node():
        here.nodes.put(free("b"))
        for _ in range(3):
            await here.move()
    assert here.commands == [("a", "r")]
    async with here.at_node("other") as target:
        assert target.node == "b"


async def test_a_request_that_was_given_back_without_being_asked_for_has_failed() -> None:
    """Else a node that does so would get it again and again."""
    here = Front(slow("a"), slow("b"))
    with pytest.raises(NodeLostError, match="'a' gave back a request"):
        async with here.at_node():
            raise RequestWithdrawnError
    assert here.nodes.failures == ["a"]
    async with here.at_node() as target:
        assert target.node == "b"


async def test_a_request_moves_twice_at_most() -> None:
    """While its nodes live."""
    here = Front(slow("a"), slow("b"))

    async def is_moved() -> bool:
        async with here.at_node() as target:
            assert target.node is not None
            left, to = target.node, "b" if target.node == "a" else "a"
            here.nodes.put(slow(left))
            here.nodes.put(free(to))
            here.nodes.waiting[left, "r"] = None
            await here.move()
            if (left, "r") not in here.nodes.waiting:
                raise RequestWithdrawnError
        return False

    for _ in range(MAX_MOVES):
        with pytest.raises(RequestWithdrawnError):
            await is_moved()
    assert not await is_moved()


async def test_a_loss_after_a_move_does_not_reset_the_count() -> None:
    """The node of the move dies; the request has moved once all the same."""
    here = Front(slow("a"))
    await move_from_a_to_b(here)
    with pytest.raises(NodeLostError):
        async with here.at_node() as target:
            raise NodeLostError(target.node or "", "died")
    async with here.at_node() as target:
        assert target.node == "a"
        (sent,) = here.runtime.mover._waiting.movable(here.cluster.views, here.now + 10).values()
        assert sent.moves == 1


async def test_the_node_of_a_move_may_be_lost_meanwhile() -> None:
    """The request goes to the best of the others."""
    here = Front(slow("a"))
    await move_from_a_to_b(here)
    here.nodes.set_state("b", NodeState.DOWN)
    async with here.at_node() as target:
        assert target.node == "a"


async def test_a_node_that_withdraws_without_a_result_gives_it_back_all_the_same() -> None:
    """The response to the command was lost: the end of the request itself decides."""
    here = Front(slow("a"))
    await move_from_a_to_b(here, has_result=False)
    assert here.nodes.failures == []
    async with here.at_node() as target:
        assert target.node == "b"


async def test_a_request_of_the_same_id_does_not_go_where_another_moves() -> None:
    """Clients choose ids; the other request has another model."""
    here = Front(slow("a"))
    await move_from_a_to_b(here)
    async with here.runtime.admit("n", None, 4096, wait_s=1.0, request_id="r") as target:
        assert target.served_name == "n"


async def test_what_waits_on_this_machine_moves_to_a_node() -> None:
    """In the same lease: the own runtime is left before the node is chosen."""
    here = await front_with_model()
    asked = asyncio.create_task(node_of(here))
    await until_waiting(here, 1)
    here.this.snapshot = replace(slow("this"), models=here.this.snapshot.models)
    here.nodes.put(free("a"))
    await here.move()
    assert await asked == "a"
    assert (here.own.waiting, here.own.holds, here.cluster.sent.total) == (0, 0, 0)
    assert here.commands == []


async def test_the_rest_of_the_wait_goes_on_after_a_move_that_finds_no_node() -> None:
    """The node is lost meanwhile: the request waits on this machine again, no longer than before."""
    here = await front_with_model()
    asked = asyncio.create_task(node_of(here))
    await until_waiting(here, 1)
    here.this.snapshot = replace(slow("this"), models=here.this.snapshot.models)
    (sent,) = here.runtime.mover._waiting.movable(here.cluster.views, here.now + 10).values()
    assert sent.end_wait is not None
    sent.end_wait()
    await until_waiting(here, 2)
    here.gate.set()
    assert await asked is None
    first, second = here.own.admitted
    assert first.wait_s is not None
    assert second.wait_s is not None
    assert second.wait_s < first.wait_s


async def test_what_runs_on_this_machine_stays() -> None:
    """It has the model."""
    here = await front_with_model()
    here.gate.set()
    async with here.at_node() as target:
        assert target is HERE
        here.this.snapshot = replace(slow("this"), models=here.this.snapshot.models)
        here.nodes.put(free("a"))
        await here.move()
        assert here.own.holds == 1


async def test_what_gets_its_model_here_just_before_it_moves_stays() -> None:
    """Between the decision and the move; nothing of the move is kept."""
    here = await front_with_model()
    asked = asyncio.create_task(node_of(here))
    await until_waiting(here, 1)
    here.this.snapshot = replace(slow("this"), models=here.this.snapshot.models)
    here.nodes.put(free("a"))
    moving = asyncio.create_task(here.move())
    here.gate.set()
    await moving
    assert await asked is None
    assert here.runtime.mover._planned == {}


async def test_a_client_that_leaves_while_it_waits_here_leaves_nothing() -> None:
    """Neither in the own runtime nor in the counts."""
    here = await front_with_model()
    asked = asyncio.create_task(node_of(here))
    await until_waiting(here, 1)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (here.own.waiting, here.cluster.sent.total) == (0, 0)
    assert not here.runtime.mover._waiting


async def test_an_error_of_this_machine_ends_the_wait() -> None:
    """No other node has the model."""
    here = await front_with_model()
    here.gate.set()
    here.own.fails_with = ModelTooLargeError("m", {"ram": 2}, {"ram": 1})
    with pytest.raises(ModelTooLargeError):
        await node_of(here)
    assert not here.runtime.mover._waiting


async def test_moves_are_considered_while_requests_are_at_nodes() -> None:
    """At each change of the nodes; without requests nothing runs."""
    here = Front(slow("a"))
    running = asyncio.create_task(here.runtime.mover.run())
    try:
        for _ in range(3):
            await asyncio.sleep(0)
        assert here.commands == []
        async with here.at_node():
            here.now += 1.0
            here.nodes.put(free("b"))
            await until(lambda: here.commands)
        await until(lambda: not here.runtime.mover._has_requests.is_set())
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_fault_of_the_rule_stops_no_later_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the log."""
    here = Front(slow("a"))
    calls: list[None] = []

    def fail(*_: object) -> None:
        calls.append(None)
        raise RuntimeError("a fault")

    monkeypatch.setattr(mover, "moves", fail)
    running = asyncio.create_task(here.runtime.mover.run())
    async with here.at_node():
        here.now += 10.0
        for number in range(2):
            here.nodes.put(slow("a"))
            await until(lambda: len(calls) > number)  # noqa: B023 - awaited at once
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def front_with_model() -> Front:
    """Return a front that has the model, beside a node that takes no requests."""
    here = Front(snapshot("a", "m", state=NodeState.DRAINING), has_model=True)
    await here.this.refresh()
    return here


async def move_from_a_to_b(here: Front, *, has_result: bool = True) -> None:
    """Send a request to a node, which gives it back once another one is free.

    Without a result the front gets no response to its command.
    """

    async def wait_there() -> None:
        async with here.at_node() as target:
            assert target.node == "a"
            here.nodes.put(free("b"))
            if has_result:
                here.nodes.waiting["a", "r"] = None
            await here.move()
            raise RequestWithdrawnError

    with pytest.raises(RequestWithdrawnError):
        await wait_there()


async def node_of(here: Front) -> str | None:
    """Return the node of a request, once it is admitted."""
    async with here.at_node() as target:
        return target.node


async def until_waiting(here: Front, admissions: int) -> None:
    """Wait until the own runtime has got so many admissions, and one of them waits."""
    await until(lambda: here.own.waiting and len(here.own.admitted) == admissions)

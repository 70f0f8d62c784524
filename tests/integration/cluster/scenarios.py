"""What clients see when a node or the front is lost: each scenario breaks something, then repairs it.

The front and two nodes are on hosts of their own. ``QUICK`` and ``SLOW`` are on both nodes, so one of them can take
over. Times are in seconds from the fault, or from the repair.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from tests.integration.chaos.verdict import Ask, Heard, Kind, judge
from tests.support.network.cluster import FRONT, HostCluster
from tests.support.network.server import scripted_engine
from tests.support.waiting import until

QUICK, SLOW = "quick", "slow"
LOAD_S = 3.0
"""How long ``SLOW`` loads."""
NODES = ("a", "b")
CODES = frozenset({"node_lost", "no_node"})
BOUND_S = 60.0
"""For each request, and each wait: far above what they take on a busy machine."""
_POLL_S = 0.02
_STREAM = Ask(number=1, model=QUICK, chunks=100, chunk_interval_s=0.1)
"""Of ten seconds."""
_BEGUN_PIECES = 3
_NEXT_NUMBERS = range(2, 6)


class Fault(Enum):
    """What happens to a node."""

    KILLED = "its gglib is killed"
    POWER_OFF = "its machine dies"
    CUT = "the network to it is cut"
    HANGS = "its gglib hangs"


class Moment(Enum):
    """What the node does for the front at that time."""

    STREAM = "streams a response"
    LOADING = "loads a model for a request"
    IDLE = "is idle, with the model in memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a scenario."""

    what: str
    kind: Kind
    """How the request ended that the fault hit."""
    seen: str
    """What its client received."""
    end_s: float
    """From the fault to the end of that request."""
    service_s: float | None = None
    """From the fault to the complete answers of four requests that were sent right after it."""
    moved_s: float | None = None
    """From the fault until the last request had arrived at the node that answered it."""
    down_s: float | None = None
    """Until the front sent no requests there."""
    forgotten_s: float | None = None
    """Until no process is left of the killed gglib, or until a living node has forgotten the request."""
    return_s: float
    """From the repair to the first request that the node serves again."""
    served_by: tuple[str, ...] = ()
    """The nodes that answered the requests after the fault."""
    lost: str = ""
    """The node that the fault hit."""


def cluster(directory: Path) -> HostCluster:
    """Return the machines of the scenarios."""
    engine = scripted_engine(directory / "engine", scripts={SLOW: {"load_s": LOAD_S}})
    return HostCluster(directory, NODES, (QUICK, SLOW), engine=engine)


async def lose_node(machines: HostCluster, fault: Fault, moment: Moment) -> Outcome:
    """Lose the node that serves a request, look at what clients get, and bring it back."""
    begun = await _BEGIN[moment](machines)
    node = begun.node
    fault_s = time.monotonic()
    fault_at_s = time.time()
    await asyncio.to_thread(break_node, machines, fault, node)
    watches = [
        asyncio.create_task(asyncio.to_thread(machines.wait_until_lost, node)),
        asyncio.create_task(_gone(machines, node, fault_s) if fault is Fault.KILLED else _nothing()),
    ]
    asks = [_after(moment, number=number) for number in _NEXT_NUMBERS]
    others = await asyncio.gather(*(_ask(machines, ask) for ask in asks))
    for ask, answer in zip(asks, others, strict=True):
        verdict = judge(ask, answer, CODES)
        assert verdict.kind is Kind.ANSWERED, verdict
    heard = others[0] if begun.request is None else await begun.request
    verdict = judge(asks[0] if begun.request is None else begun.ask, heard, CODES)
    assert verdict.kind is not Kind.WRONG, verdict.complaint
    down_s, gone_s = await asyncio.gather(*watches)
    answers = others if verdict.kind is Kind.CUT else [heard, *others]
    moved_s = max([await _arrival_s(machines, answer) for answer in answers]) - fault_at_s
    repaired_s = time.monotonic()
    await asyncio.to_thread(repair_node, machines, fault, node)
    await asyncio.to_thread(machines.wait_until_served, node)
    return_s = time.monotonic() - repaired_s
    if fault in {Fault.CUT, Fault.HANGS}:
        gone_s = await _forgotten(machines, repaired_s)
    return Outcome(
        what=f"{fault.value} while it {moment.value}",
        kind=verdict.kind,
        seen=_seen(heard, verdict.code),
        end_s=heard.ended_at_s - fault_s,
        service_s=max(answer.ended_at_s for answer in others) - fault_s,
        down_s=down_s,
        moved_s=moved_s,
        forgotten_s=gone_s,
        return_s=return_s,
        served_by=tuple(sorted({answer.headers["x-gglib-node"] for answer in others})),
        lost=node,
    )


async def kill_front(machines: HostCluster) -> Outcome:
    """Kill the front while one node streams for it and a request waits for a load; start it again."""
    stream = await _begin_stream(machines)
    waiting = await _begin_loading(machines)
    assert stream.request is not None
    assert waiting.request is not None
    fault_s = time.monotonic()
    await asyncio.to_thread(machines.front.kill)
    heard, _ = await stream.request, await waiting.request
    forgotten_s = await _forgotten(machines, fault_s)
    repaired_s = time.monotonic()
    await asyncio.to_thread(machines.front.start)
    await asyncio.to_thread(machines.front.wait_until_ready)
    answered = await _ask(machines, _after(Moment.STREAM, number=3))
    assert judge(_after(Moment.STREAM, number=3), answered, CODES).kind is Kind.ANSWERED
    return Outcome(
        what="the front is killed while it relays a stream, and a request waits for a load",
        kind=Kind.CUT,
        seen=_seen(heard, "the end of the connection"),
        end_s=heard.ended_at_s - fault_s,
        service_s=answered.ended_at_s - repaired_s,
        forgotten_s=forgotten_s,
        return_s=time.monotonic() - repaired_s,
    )


async def blink(machines: HostCluster, *, cut_s: float = 0.5) -> Outcome:
    """Cut the network for less time than two probes need: a stream goes on."""
    begun = await _begin_stream(machines, replace(_STREAM, chunks=30))
    assert begun.request is not None
    fault_s = time.monotonic()
    machines.network.cut(FRONT, begun.node)
    await asyncio.sleep(cut_s)
    repaired_s = time.monotonic()
    machines.network.mend(FRONT, begun.node)
    heard = await begun.request
    verdict = judge(begun.ask, heard, CODES)
    return Outcome(
        what=f"the network to it is cut for {cut_s:g} s while it streams a response",
        kind=verdict.kind,
        seen=_seen(heard, verdict.code),
        end_s=heard.ended_at_s - fault_s,
        return_s=heard.ended_at_s - repaired_s,
    )


@dataclass(frozen=True, slots=True)
class _Begun:
    """A request that a node serves; None: none does."""

    node: str
    ask: Ask
    request: "asyncio.Task[Heard] | None"


async def _begin_stream(machines: HostCluster, ask: Ask = _STREAM) -> _Begun:
    node: list[str] = []

    def look(heard: Heard) -> None:
        if not node and heard.body.count(b'"content":"1:') >= _BEGUN_PIECES:
            node.append(heard.headers["x-gglib-node"])

    request = _ask(machines, ask, look)
    await until(lambda: node or request.done())
    assert node, f"it ended before: {request.result()}"
    return _Begun(node[0], ask, request)


async def _begin_loading(machines: HostCluster) -> _Begun:
    for server in machines.nodes.values():
        await asyncio.to_thread(server.post, f"/gglib/models/{SLOW}/unload", {})
    ask = Ask(number=1, model=SLOW)
    request = _ask(machines, ask)
    loading: list[str] = []
    async with asyncio.timeout(BOUND_S):
        while not loading:
            for name, server in machines.nodes.items():
                if await asyncio.to_thread(_is_loading, server.status(), SLOW):
                    loading.append(name)
            await asyncio.sleep(_POLL_S)
    return _Begun(loading[0], ask, request)


async def _begin_idle(machines: HostCluster) -> _Begun:
    ask = _after(Moment.IDLE, number=1)
    heard = await _ask(machines, ask)
    assert judge(ask, heard, CODES).kind is Kind.ANSWERED
    return _Begun(heard.headers["x-gglib-node"], ask, None)


_BEGIN = {Moment.STREAM: _begin_stream, Moment.LOADING: _begin_loading, Moment.IDLE: _begin_idle}


def _after(moment: Moment, *, number: int) -> Ask:
    """Return the request that is sent right after the fault."""
    return Ask(number=number, model=SLOW if moment is Moment.LOADING else QUICK, is_stream=False)


def _is_loading(status: dict[str, list[dict[str, object]]], model: str) -> bool:
    is_waited_for = any(waiting["model_name"] == model for waiting in status["waiting"])
    states = [resident["state"] for resident in status["residents"] if resident["model_name"] == model]
    return is_waited_for and states == ["loading"]


def _ask(
    machines: HostCluster, ask: Ask, on_part: Callable[[Heard], None] = lambda _: None
) -> "asyncio.Task[Heard]":
    async def send() -> Heard:
        async with machines.caller() as caller:
            return await caller.ask(ask, within_s=BOUND_S, on_part=on_part)

    return asyncio.create_task(send())


def break_node(machines: HostCluster, fault: Fault, node: str) -> None:
    """Let something happen to a node."""
    if fault is Fault.KILLED:
        machines.nodes[node].kill()
    elif fault is Fault.POWER_OFF:
        machines.power_off(node)
    elif fault is Fault.HANGS:
        machines.nodes[node].pause()
    else:
        machines.network.cut(FRONT, node)


def repair_node(machines: HostCluster, fault: Fault, node: str) -> None:
    """Undo it; a killed gglib starts."""
    if fault is Fault.KILLED:
        machines.nodes[node].start()
    elif fault is Fault.POWER_OFF:
        machines.power_on(node)
    elif fault is Fault.HANGS:
        machines.nodes[node].resume()
    else:
        machines.network.mend(FRONT, node)


async def _nothing() -> None:
    """Measure nothing."""


async def _arrival_s(machines: HostCluster, answer: Heard) -> float:
    """Return the Unix time at which an answered request arrived at its node, which has stored it."""
    node = machines.nodes[answer.headers["x-gglib-node"]]
    path = f"/gglib/requests?state=finished&status=200&request_id={answer.headers['x-request-id']}"
    _, page = await asyncio.to_thread(node.get, path)
    (row,) = page["requests"]
    return float(row["ended_at_s"] - row["duration_s"])


async def _gone(machines: HostCluster, node: str, since_s: float) -> float:
    """Return after how many seconds a node has no process."""
    server = machines.nodes[node]
    await asyncio.to_thread(server.wait_until, lambda: not server.host.processes())
    return time.monotonic() - since_s


async def _forgotten(machines: HostCluster, since_s: float) -> float:
    """Return after how many seconds no node has a request any more."""
    async with asyncio.timeout(BOUND_S):
        while any([await asyncio.to_thread(node.requests_in_progress) for node in machines.nodes.values()]):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
    return time.monotonic() - since_s


def _seen(heard: Heard, code: str) -> str:
    """Return what a client received, in words."""
    pieces = heard.body.count(b'"content":"1:')
    if heard.status != 200:
        return f"{heard.status} {code}"
    return f"200, {pieces} pieces, then {code}" if code else "200, the whole answer"

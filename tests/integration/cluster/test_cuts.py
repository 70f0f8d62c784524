"""The network to all nodes, or to one while a long request is sent to it; and nodes with the real engine."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.tiny_ask import TinyAsk
from tests.integration.chaos.verdict import Ask, Heard, Kind, Question, judge
from tests.integration.cluster.scenarios import BOUND_S, CODES, NODES, QUICK
from tests.support.network.cluster import FRONT, HostCluster
from tests.support.waiting import until

REFUSED_AFTER_S = 10.0
"""How long a request waits for a node that may return."""
LONG_PROMPT = "once upon a time " * 500_000
"""Far above what the buffers of a connection take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LongAsk(Ask):
    """A request with a prompt of some megabytes."""

    def body(self) -> bytes:
        """Return the body of the request."""
        content = json.loads(Ask.body(self))
        return json.dumps({**content, "messages": [{"role": "user", "content": LONG_PROMPT}]}).encode()


def ask(machines: HostCluster, question: Question) -> "asyncio.Task[Heard]":
    """Send a request."""

    async def send() -> Heard:
        async with machines.caller() as caller:
            return await caller.ask(question, within_s=BOUND_S)

    return asyncio.create_task(send())


async def test_requests_wait_for_a_node_that_returns(machines: HostCluster) -> None:
    """And are refused after a while if none does."""
    question = Ask(number=1, model=QUICK, is_stream=False)
    assert judge(question, await ask(machines, question), CODES).kind is Kind.ANSWERED
    machines.network.cut(FRONT, *NODES)
    for name in NODES:
        await asyncio.to_thread(machines.wait_until_lost, name)
    waiting = ask(machines, question)
    refused = await ask(machines, question)
    verdict = judge(question, refused, CODES)
    assert (verdict.kind, verdict.code) == (Kind.REFUSED, "no_node")
    assert refused.duration_s >= REFUSED_AFTER_S
    assert judge(question, await waiting, CODES).code == "no_node"
    waiting = ask(machines, question)
    machines.network.mend(FRONT, *NODES)
    assert judge(question, await waiting, CODES).kind is Kind.ANSWERED
    for name in NODES:
        await asyncio.to_thread(machines.wait_until_served, name)


async def test_a_long_request_does_not_wait_for_a_node_that_is_gone(machines: HostCluster) -> None:
    """It fills the buffers of the connection, and cannot be written to its end."""
    question = LongAsk(number=1, model=QUICK, is_stream=False)
    first = await ask(machines, question)
    lost = first.headers["x-gglib-node"]
    machines.network.cut(FRONT, lost)
    answers = await asyncio.gather(*(ask(machines, question) for _ in range(4)))
    assert {judge(question, answer, CODES).kind for answer in answers} == {Kind.ANSWERED}
    assert lost not in {answer.headers["x-gglib-node"] for answer in answers}
    machines.network.mend(FRONT, lost)
    await asyncio.to_thread(machines.wait_until_served, lost)


@pytest.fixture
def real_machines() -> Iterator[HostCluster]:
    """Yield a front and two nodes with the embedded engine."""
    with tempfile.TemporaryDirectory(prefix="gn-") as directory:
        options = ("--engine-args", "--threads 1")
        with HostCluster(Path(directory), NODES, ("tiny",), add_options=options) as running:
            yield running


@pytest.mark.e2e
async def test_a_node_with_the_real_engine_is_killed(real_machines: HostCluster) -> None:
    """Its engine does not outlive it, and the other node answers."""
    machines = real_machines
    received: list[str] = []

    def look(heard: Heard) -> None:
        if not received and heard.body.count(b'"content"') > 2:
            received.append(heard.headers["x-gglib-node"])

    async def stream() -> Heard:
        async with machines.caller() as caller:
            return await caller.ask(TinyAsk(model="tiny", tokens=4000), within_s=BOUND_S, on_part=look)

    streaming = asyncio.create_task(stream())
    await until(lambda: received or streaming.done())
    (node,) = received
    engines = [
        command for command in machines.nodes[node].host.processes().values() if "serve" not in command
    ]
    assert len(engines) == 1
    await asyncio.to_thread(machines.kill, node)
    verdict = judge(TinyAsk(model="tiny", tokens=4000), await streaming, CODES)
    assert (verdict.kind, verdict.code) == (Kind.CUT, "node_lost"), verdict
    question = TinyAsk(model="tiny", tokens=20, is_stream=False)
    answer = await ask(machines, question)
    assert judge(question, answer, CODES).kind is Kind.ANSWERED
    assert answer.headers["x-gglib-node"] != node
    await until(lambda: not machines.strays())

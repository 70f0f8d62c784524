"""Requests for six models on three nodes, one of which is killed every few seconds and started again."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.chaos.report import Report
from tests.integration.chaos.stack import dice
from tests.integration.chaos.verdict import Ask, Heard, Kind, Verdict, judge
from tests.integration.cluster.kills.observer import Observer, stored_requests
from tests.integration.cluster.kills.promises import Answer, Row, history_complaints, run_complaints
from tests.integration.cluster.scenarios import Fault, break_node, repair_node
from tests.support.network.cluster import HostCluster
from tests.support.network.server import scripted_engine
from tests.support.waiting import until

from gglib.core.defaults import HEARTBEAT_S

NODES = ("a", "b", "c")
MODELS = tuple(f"model-{number}" for number in range(6))
MAX_MODELS = 2
"""Of each node: all six fit into memory, as long as no node is dead."""
LOAD_S = 0.2
BOUND_S = 120.0
"""For each request: far above what it takes on a busy machine."""
LOST_CODES = frozenset({"node_lost"})
NO_CODES = frozenset[str]()
LEAVING_SHARE = 0.05
STREAM_SHARE = 0.7
SPARE_DESCRIPTORS = 4
"""What a front may have open more than before, for example a connection for a probe to each node."""
SURELY = 0.9
"""A response that begins before this share of the time until the first heartbeat had none."""
NOTICED_WITHIN_S = 15.0
"""A stream ends so soon after its node was killed, however busy the machine is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KillsPlan:
    """The size of a storm. Times in seconds."""

    seed: int
    requests: int
    requests_per_s: float
    kill_every_s: float
    dead_s: tuple[float, float] = (1.0, 5.0)
    """How long a lost node stays away, at least and at most."""
    faults: tuple[Fault, ...] = (Fault.KILLED,)
    swap_wait_s: float = 3.0


@dataclass(slots=True)
class KillsReport:
    """The report of a storm, with the figures of the nodes."""

    ends: Report = field(default_factory=Report)
    served: Counter[str] = field(default_factory=Counter)
    """Number of answers by node."""
    kills: dict[str, list[float]] = field(default_factory=dict)
    """Unix times at which each node was killed."""
    swaps: int = 0
    longest_swap_wait_s: float = 0.0

    def __str__(self) -> str:
        served = ", ".join(f"{node} {count}" for node, count in sorted(self.served.items()))
        return (
            f"{self.ends}\n  answers by node: {served}\n"
            f"  {self.swaps} swaps, of which the one that waited longest waited {self.longest_swap_wait_s:.1f} s"
        )


def storm_cluster(directory: Path, plan: KillsPlan) -> HostCluster:
    """Return the machines of a storm."""
    return HostCluster(
        directory,
        NODES,
        MODELS,
        engine=scripted_engine(directory / "engine", load_s=LOAD_S),
        settings={"GGLIB_MAX_MODELS": str(MAX_MODELS), "GGLIB_SWAP_WAIT_S": f"{plan.swap_wait_s:g}"},
    )


def random_asks(plan: KillsPlan) -> Iterator[tuple[float, Ask]]:
    """Yield the requests with the seconds before each, the same ones for the same seed."""
    chance = dice(plan.seed)
    for number in range(plan.requests):
        ask = Ask(
            number=number,
            model=chance.choice(MODELS),
            is_stream=chance.random() < STREAM_SHARE,
            chunks=chance.randint(1, 30),
            chunk_interval_s=chance.choice((0.0, 0.01, 0.1)),
            leave_after_s=chance.uniform(0, 2) if chance.random() < LEAVING_SHARE else None,
            script={"first_byte_delay_s": chance.choice((0.0, 0.0, 0.3))},
        )
        yield chance.expovariate(plan.requests_per_s), ask


async def kill_nodes(plan: KillsPlan, machines: HostCluster) -> KillsReport:
    """Send the requests while nodes die; check the responses, the promises and what is left."""
    report, started_s = KillsReport(kills={name: [] for name in machines.nodes}), time.monotonic()
    await _calm(plan, machines, report)
    descriptors = _descriptors(machines)
    observer = Observer(machines.nodes, max_models=MAX_MODELS, swap_wait_s=plan.swap_wait_s)
    observer.start()
    try:
        heard = await _storm(plan, machines, report)
    finally:
        await asyncio.to_thread(observer.stop)
    stored = await asyncio.to_thread(stored_requests, machines.front)
    answers = _judge(heard, stored, report)
    await _calm(plan, machines, report)
    for complaint in observer.complaints:
        report.ends.complain(complaint)
    for (node, _), run in observer.runs.items():
        for complaint in run_complaints(run):
            report.ends.complain(f"{node}: {complaint}")
        report.swaps += len(run.swaps)
        waits = [swap["waited_s"] for swap in run.swaps.values()]
        report.longest_swap_wait_s = max([report.longest_swap_wait_s, *waits])
    await _check_what_is_left(machines, report, answers, descriptors)
    report.ends.duration_s = time.monotonic() - started_s
    return report


Exchanges = list[tuple[Ask, Heard]]


async def _storm(plan: KillsPlan, machines: HostCluster, report: KillsReport) -> Exchanges:
    is_over = asyncio.Event()
    killer = asyncio.create_task(_kill_now_and_then(plan, machines, report, is_over))
    heard: Exchanges = []

    async def send(ask: Ask) -> None:
        async with machines.caller() as caller:
            heard.append((ask, await caller.ask(ask, within_s=BOUND_S)))

    try:
        async with asyncio.TaskGroup() as group:
            for pause_s, ask in random_asks(plan):
                await asyncio.sleep(pause_s)
                group.create_task(send(ask))
    finally:
        is_over.set()
        await killer
    for name in machines.nodes:
        await asyncio.to_thread(machines.wait_until_served, name)
    return heard


async def _kill_now_and_then(
    plan: KillsPlan, machines: HostCluster, report: KillsReport, is_over: asyncio.Event
) -> None:
    """Lose a node every ``kill_every_s``, and bring it back after a while; never two at once."""
    chance = dice(plan.seed + 1)
    next_s = time.monotonic() + plan.kill_every_s
    while not await _is_set_within(is_over, next_s - time.monotonic()):
        next_s = time.monotonic() + plan.kill_every_s
        name = chance.choice(NODES)
        node = machines.nodes[name]
        report.kills[name].append(time.time())
        report.ends.kills += 1
        fault = chance.choice(plan.faults)
        await asyncio.to_thread(break_node, machines, fault, name)
        await _is_set_within(is_over, chance.uniform(*plan.dead_s))
        if fault is Fault.KILLED:
            await until(lambda node=node: not node.host.processes())  # type: ignore[misc]
        await asyncio.to_thread(repair_node, machines, fault, name)
        await asyncio.to_thread(machines.wait_until_served, name)


async def _is_set_within(event: asyncio.Event, limit_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await event.wait()
    return event.is_set()


def _judge(heard: Exchanges, rows: Sequence[Row], report: KillsReport) -> list[Answer]:
    """Judge each response, and return the answers; ``rows`` are the requests that the front has stored.

    Only a stream of a node that was killed meanwhile may end with an error.
    """
    offset_s = time.time() - time.monotonic()
    by_id: dict[str, list[Row]] = {}
    for row in rows:
        by_id.setdefault(row["request_id"], []).append(row)
    answers = []
    for ask, response in heard:
        verdict = judge(ask, response, LOST_CODES if ask.is_stream else NO_CODES)
        report.ends.add(verdict, response.duration_s, what="stream" if ask.is_stream else "whole")
        if verdict.kind in {Kind.LEFT, Kind.WRONG}:
            continue
        if verdict.kind is Kind.REFUSED:
            report.ends.complain(f"{ask} was refused: {bytes(response.body)!r}")
            continue
        request_id, ended_s = response.headers["x-request-id"], response.ended_at_s + offset_s
        stored = by_id.get(request_id, [])
        report.ends.complain(front_complaint(verdict, response, stored))
        node = str(stored[0]["node"]) if stored else ""
        if verdict.kind is Kind.ANSWERED:
            report.served[node] += 1
            answers.append(Answer(request_id=request_id, node=node, ended_at_s=ended_s))
        elif not any(0 <= ended_s - kill_s < NOTICED_WITHIN_S for kill_s in report.kills.get(node, ())):
            report.ends.complain(f"{ask} ended with an error, and {node} was not killed")
    return answers


def front_complaint(verdict: Verdict, response: Heard, stored: Sequence[Row]) -> str:
    """Return what is wrong with the rows of a response in the front's history; empty: nothing.

    After a heartbeat the header may name a node that was lost, the row may not.
    """
    if len(stored) != 1:
        return f"{response.headers} is stored {len(stored)} times by the front"
    (row,) = stored
    if (row["status"], row["error"]) != (response.status, verdict.code or None):
        return f"the front has stored {row} for {verdict}"
    first_byte_s = (response.began_at_s or response.ended_at_s) - response.asked_at_s
    if first_byte_s < HEARTBEAT_S * SURELY and row["node"] != response.headers.get("x-gglib-node"):
        return f"the front has stored {row} for {response.headers}"
    return ""


async def _calm(plan: KillsPlan, machines: HostCluster, report: KillsReport) -> None:
    """Send one request for each model; without deaths every one succeeds."""
    for number, model in enumerate(MODELS, plan.requests):
        ask = Ask(number=number, model=model)
        async with machines.caller() as caller:
            response = await caller.ask(ask, within_s=BOUND_S)
        report.ends.add(judge(ask, response, NO_CODES), response.duration_s, what="calm")


async def _check_what_is_left(
    machines: HostCluster, report: KillsReport, answers: Sequence[Answer], descriptors: int
) -> None:
    await until(lambda: not any(node.requests_in_progress() for node in machines.nodes.values()))
    await until(lambda: not machines.strays())
    await until(lambda: _descriptors(machines) <= descriptors + SPARE_DESCRIPTORS)
    stored = {name: await asyncio.to_thread(stored_requests, node) for name, node in machines.nodes.items()}
    for complaint in history_complaints(answers, stored, report.kills):
        report.ends.complain(complaint)


def _descriptors(machines: HostCluster) -> int:
    """Return the number of open sockets and files of the front."""
    front = machines.front
    return len(front.host.run("ls", f"/proc/{front.pid}/fd").split())

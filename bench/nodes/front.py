"""A front: sends each request to the node that its policy chooses, and sees the nodes by snapshots that are late."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Protocol

from bench.nodes.machine import GIB, Clock, Job, Machine, Model

from gglib.core.nodes import NodeSnapshot, NodeState
from gglib.core.runtime.load_progress import estimated_load_s
from gglib.core.runtime.status import LoadCount, ResidentStatus, RuntimeStatus, WaitingStatus
from gglib.nodes.load_times import LoadTimes
from gglib.nodes.moves import Waiter, moves
from gglib.nodes.node_view import NodeView
from gglib.nodes.placement import PlacementRequest
from gglib.nodes.response_times import ResponseTimes
from gglib.nodes.sent_requests import SentRequests

SNAPSHOT_S = 1.0
DELAY_S = 0.1
"""A node reports once a second; the report is under way for a moment."""
NOTICED_S = 2.0
"""The front knows a dead node after two failed probes."""
MOVES_S = 0.5
CONTEXT = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A client's request. Durations in seconds, at a node of speed 1."""

    model: Model
    tokens: int
    token_s: float = 0.02
    prompt_s: float = 0.2
    new_prompt_s: float = 0.2
    conversation: str = ""


@dataclass(eq=False, slots=True)
class Record:
    """The history of one request. Times in seconds since the start."""

    ask: Ask
    asked_at: float
    began_at: float | None = None
    """When a slot began to compute it."""
    first_at: float | None = None
    ended_at: float | None = None
    is_answered: bool = False
    lost_prompt_s: float = 0.0
    node: str = ""
    moves: int = 0
    sends: int = 0


class Policy(Protocol):
    """Chooses nodes."""

    moves_waiters: bool
    """Whether it also moves requests that wait."""

    def choose(self, request: PlacementRequest, front: "Front") -> str | None:
        """Return the name of the node of a request; None if there is none now."""


@dataclass(eq=False, slots=True)
class _Sent:
    record: Record
    request: PlacementRequest
    on_end: Callable[[], None]
    job: Job | None = None
    sent_at: float = 0.0


class Front:
    """One front and what it knows of the nodes."""

    def __init__(self, clock: Clock, machines: list[Machine], policy: Policy, *, number: int = 0) -> None:
        self.clock, self.policy = clock, policy
        self.sent, self.times, self.loads = SentRequests(), ResponseTimes(), LoadTimes()
        self.records: list[Record] = []
        self._machines = {machine.name: machine for machine in machines}
        self._copies = {
            model.name: {
                m.name: m.listed_by_name[model.name] for m in machines if model.name in m.listed_by_name
            }
            for model in {model for machine in machines for model in machine.models}
        }
        self._conversations: dict[str, str] = {}
        self._open: dict[int, _Sent] = {}
        self._keys = count()
        self.views: dict[str, NodeView] = {}
        for order, machine in enumerate(machines):
            order = (order + number * 7) % len(machines)  # noqa: PLW2901 - each front has an order of its own
            self._receive(machine.name, snapshot_of(machine, 0.0), order)
            phase = SNAPSHOT_S * ((order * 0.618) % 1)
            clock.after(phase, lambda machine=machine, order=order: self._report(machine, order))  # type: ignore[misc]
        if policy.moves_waiters:
            clock.after(MOVES_S, self._move_waiters)

    # --- requests ---

    def ask(self, ask: Ask, on_end: Callable[[], None]) -> None:
        """Send a client's request; ``on_end`` is called when it is over."""
        request = PlacementRequest(
            model=ask.model.name,
            copies=self._copies[ask.model.name],
            context=CONTEXT,
            conversation_node=self._conversations.get(ask.conversation),
            prompt_s=ask.prompt_s - ask.new_prompt_s,
        )
        record = Record(ask, self.clock.now)
        self.records.append(record)
        self._send(_Sent(record, request, on_end))

    def _send(self, sent: _Sent, node: str | None = None) -> None:
        if node is None:
            node = self.policy.choose(sent.request, self)
        if node is None:  # a client's retry
            self.clock.after(1.0, lambda: self._send(sent))
            return
        ask, record = sent.record.ask, sent.record
        key = next(self._keys)
        job = Job(
            ask.model,
            ask.tokens,
            ask.token_s,
            ask.prompt_s,
            ask.new_prompt_s,
            ask.conversation or f"{id(self)}/{key}",
            on_first=lambda lost_s: self._first(sent, lost_s),
            on_end=lambda is_answered: self._end(key, is_answered=is_answered),
        )
        sent.job, sent.sent_at, record.node = job, self.clock.now, node
        record.sends += 1
        self._open[key] = sent
        self.sent.started(node, ask.model.name)
        self._machines[node].submit(job)

    def _first(self, sent: _Sent, lost_s: float) -> None:
        assert sent.job is not None
        sent.record.began_at, sent.record.first_at = sent.job.began_at, self.clock.now
        if sent.request.conversation_node is not None:
            sent.record.lost_prompt_s += lost_s

    def _end(self, key: int, *, is_answered: bool) -> None:
        sent = self._open.pop(key)
        record = sent.record
        self.sent.ended(record.node, record.ask.model.name)
        record.ended_at, record.is_answered = self.clock.now, is_answered
        if is_answered:
            assert record.first_at is not None
            seconds = record.ended_at - record.first_at
            self.times.note(record.node, record.ask.model.name, seconds=seconds, tokens=record.ask.tokens)
            if record.ask.conversation:
                self._conversations[record.ask.conversation] = record.node
        sent.on_end()

    def _resend(self, key: int, node: str | None = None) -> None:
        """Withdraw a request that has not begun, and send it again."""
        sent = self._open.pop(key)
        assert sent.job is not None
        self.sent.ended(sent.record.node, sent.record.ask.model.name)
        self._machines[sent.record.node].withdraw(sent.job)
        self._send(sent, node)

    # --- what is known of the nodes ---

    def _report(self, machine: Machine, order: int) -> None:
        if not machine.is_alive:
            self.clock.after(NOTICED_S, lambda: self._notice_death(machine, order))
            return
        snapshot = snapshot_of(machine, self.clock.now + DELAY_S)
        self.clock.after(DELAY_S, lambda: self._receive(machine.name, snapshot, order))
        self.clock.after(SNAPSHOT_S, lambda: self._report(machine, order))

    def _receive(self, name: str, snapshot: NodeSnapshot, order: int) -> None:
        self.sent.snapshot_arrived(name)
        self.loads.note(snapshot)
        self.views[name] = NodeView(snapshot, self.sent, self.loads, order=order)

    def _notice_death(self, machine: Machine, order: int) -> None:
        self._receive(machine.name, snapshot_of(machine, self.clock.now), order)
        for key, sent in list(self._open.items()):
            if sent.record.node == machine.name:
                self._resend(key)

    # --- moves ---

    def _move_waiters(self) -> None:
        self.clock.after(MOVES_S, self._move_waiters)
        waiters = [
            Waiter(
                key=str(key),
                request=sent.request,
                node=sent.record.node,
                model_name=sent.record.ask.model.name,
                sent_at_s=sent.sent_at,
                moves=sent.record.moves,
            )
            for key, sent in self._open.items()
            if sent.job is not None and not sent.job.is_running
        ]
        if not waiters:
            return
        for move in moves(waiters, list(self.views.values()), self.sent, self.times, self.clock.now):
            key = int(move.waiter.key)
            self._open[key].record.moves += 1
            self._resend(key, move.choice.node)


def snapshot_of(machine: Machine, seen_at: float) -> NodeSnapshot:
    """Return what a node reports now."""
    if not machine.is_alive:
        return NodeSnapshot(name=machine.name, url="http://node", state=NodeState.DOWN)
    now = seen_at - DELAY_S if seen_at else 0.0
    waiting: dict[str, int] = {}
    for job in machine.waiting:
        waiting[job.model.name] = waiting.get(job.model.name, 0) + 1
    return NodeSnapshot(
        name=machine.name,
        url="http://node",
        state=NodeState.READY,
        models=machine.listed,
        seen_at_s=seen_at,
        status=RuntimeStatus(
            residents=tuple(
                ResidentStatus(
                    model_id=1,
                    model_name=name,
                    state=engine.state,
                    effective_ctx=CONTEXT,
                    in_flight=engine.running + len(engine.queue),
                    slots=4,
                    size={"gpu0": engine.model.gib * GIB},
                    idle_s=now - engine.used_at if engine.is_idle else None,
                    loading_for_s=now - engine.began_at if engine.state == "loading" else None,
                    expected_load_s=_expected_load_s(machine, engine.model)
                    if engine.state == "loading"
                    else None,
                    load_time_s=None if engine.state == "loading" else engine.model.load_s,
                )
                for name, engine in machine.engines.items()
            ),
            waiting=tuple(
                WaitingStatus(model_name=name, waiting=number, longest_wait_s=0.0)
                for name, number in waiting.items()
            ),
            loads=tuple(
                LoadCount(model_name=name, outcome="ready", count=number, total_s=total_s)
                for name, (number, total_s) in machine.loads.items()
            ),
            limits={"gpu0": machine.gib * GIB},
        ),
    )


def _expected_load_s(machine: Machine, model: Model) -> float:
    """Return what a node expects of a load: the last one, else gglib's estimate from the size."""
    return model.load_s if model.name in machine.loads else estimated_load_s(model.gib * GIB)

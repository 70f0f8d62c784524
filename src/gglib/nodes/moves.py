"""Which waiting requests move to another node. Pure.

A request may move until its node has begun to compute it; from then on it stays. With each move it loses its place in a
queue, so it moves only if its node is gone, or if a node has a free slot and the wait ends much sooner there, and only
a few times.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gglib.core.nodes import NodeState
from gglib.nodes.estimates import Step, estimate
from gglib.nodes.node_view import NodeView
from gglib.nodes.placement import Choice, PlacementRequest, choose
from gglib.nodes.response_times import ResponseTimes
from gglib.nodes.sent_requests import SentRequests

MAX_MOVES = 2
"""Of one request, while its node lives. A request whose node is gone always moves."""
MIN_GAIN_S = 2.0
"""A move gains at least this, and half of the wait: expectations are uncertain, and the place in the queue is lost."""
GONE = (NodeState.DOWN, NodeState.REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """A request that was sent to a node and waits there: for a load, or for a slot."""

    key: str
    """Identifies the request."""
    request: PlacementRequest
    node: str
    model_name: str
    """The model's name at the node."""
    sent_at_s: float
    """When it was sent to this node."""
    moves: int = 0
    """How often it was moved before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A waiting request, and its new node."""

    waiter: Waiter
    choice: Choice


def moves(
    waiters: Sequence[Waiter],
    views: Sequence[NodeView],
    sent: SentRequests,
    times: ResponseTimes,
    now: float,
) -> tuple[Move, ...]:
    """Return the requests that should move now, the oldest first. Those whose node is gone come before the others.

    ``sent`` counts the requests of all waiters and is not changed: each move is counted in a copy before the next one
    is decided, so that they do not all move to the same slot.
    """
    trial = sent.copy()
    by_name = {view.name: view.with_sent(trial) for view in views}
    oldest_first = sorted(waiters, key=lambda waiter: waiter.sent_at_s)
    planned: list[Move] = []
    staying: list[Waiter] = []
    for waiter in oldest_first:
        view = by_name.get(waiter.node)
        if view is not None and view.snapshot.state not in GONE:
            staying.append(waiter)
            continue
        request = replace(waiter.request, excluded=waiter.request.excluded | {waiter.node})
        choice = choose(request, list(by_name.values()), times, now)
        if isinstance(choice, Choice):
            planned.append(_carry_out(waiter, choice, trial))
    for waiter, wait_s in _waits(staying, by_name, times, now):
        better = _better(waiter, wait_s, by_name, times, now)
        if better is not None:
            planned.append(_carry_out(waiter, better, trial))
    return tuple(planned)


def _carry_out(waiter: Waiter, choice: Choice, trial: SentRequests) -> Move:
    trial.ended(waiter.node, waiter.model_name)
    trial.started(choice.node, choice.model_name)
    return Move(waiter=waiter, choice=choice)


def _waits(
    waiters: Sequence[Waiter], views: Mapping[str, NodeView], times: ResponseTimes, now: float
) -> list[tuple[Waiter, float]]:
    """Return the expected rest of each wait, where the requests of other clients at the node come first."""
    queues: dict[tuple[str, str], list[Waiter]] = defaultdict(list)
    for waiter in waiters:
        queues[waiter.node, waiter.model_name].append(waiter)
    waits: dict[str, float] = {}
    for (node, model_name), queue in queues.items():
        view, request = views[node], queue[0].request
        response_s = times.expected_s(node, request.model)
        found = estimate(view, request.copies[node], context=request.context, response_s=response_s, now=now)
        slots, others = view.slots(model_name), view.requests(model_name) - len(queue)
        begins_s = found.wait_s - max(0, found.requests - slots + 1) * response_s / slots
        for position, waiter in enumerate(queue):
            waits[waiter.key] = begins_s + max(0, others + position - slots + 1) * response_s / slots
    return [(waiter, waits[waiter.key]) for waiter in waiters]


def _better(
    waiter: Waiter, wait_s: float, views: Mapping[str, NodeView], times: ResponseTimes, now: float
) -> Choice | None:
    """Return a node with a free slot where the request would be answered much sooner; None if there is none."""
    if waiter.moves >= MAX_MOVES or wait_s <= MIN_GAIN_S:
        return None
    request = waiter.request
    others = [
        views[node]
        for node, model in request.copies.items()
        if node != waiter.node and node in views and views[node].has_free_slot(model.name, request.context)
    ]
    choice = choose(request, others, times, now)
    if not isinstance(choice, Choice) or choice.estimate.step is not Step.READY:
        return None
    prompt_s = request.prompt_s if request.conversation_node == waiter.node else 0.0
    here_s = wait_s + times.expected_s(waiter.node, request.model)
    there_s = prompt_s + times.expected_s(choice.node, request.model)
    return choice if there_s + max(MIN_GAIN_S, wait_s / 2) <= here_s else None

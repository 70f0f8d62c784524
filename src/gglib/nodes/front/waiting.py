"""The front's requests at nodes, among them those that may still wait there. Pure.

The front cannot see whether a request waits at its node or is computed there: until the response begins, both look the
same. So each request is here until it ends, and may be asked back once: the node gives back only what waits.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from gglib.core.nodes import NodeSnapshot
from gglib.nodes.model_index import ClusterModel
from gglib.nodes.moves import GONE, Waiter
from gglib.nodes.node_view import NodeView
from gglib.nodes.placement import Choice, PlacementRequest

MIN_AGE_S = 1.0
"""A younger request may not have reached its node yet, which would not know it; and no report of the node has it."""

EndWait = Callable[[], None]


@dataclass(eq=False, slots=True, kw_only=True)
class SentRequest:
    """A request at a node, or one that waits for this machine's own runtime."""

    request_id: str
    request: PlacementRequest
    choice: Choice
    sent_at_s: float
    moves: int
    """How often it was moved before."""
    end_wait: EndWait | None = None
    """Ends its wait on this machine; None for a request at another node."""
    is_asked: bool = False
    """Whether it was asked back: it has moved then, or an engine has it."""

    @property
    def key(self) -> str:
        """Identifies the request here: several may have the same id, which clients choose."""
        return str(id(self))


class WaitingRequests:
    """The requests by node and model, in the order in which they were sent."""

    def __init__(self) -> None:
        self._queues: dict[tuple[str, str], dict[str, SentRequest]] = {}

    def __bool__(self) -> bool:
        return bool(self._queues)

    def __contains__(self, sent: SentRequest) -> bool:
        return sent.key in self._queues.get((sent.choice.node, sent.choice.model_name), ())

    def add(self, sent: SentRequest) -> None:
        """Add a request that is sent now."""
        choice = sent.choice
        self._queues.setdefault((choice.node, choice.model_name), {})[sent.key] = sent

    def remove(self, sent: SentRequest) -> None:
        """Remove a request that has ended, or that does not wait any more."""
        place = sent.choice.node, sent.choice.model_name
        queue = self._queues[place]
        del queue[sent.key]
        if not queue:
            del self._queues[place]

    def movable(self, views: Iterable[NodeView], now: float) -> dict[str, SentRequest]:
        """Return the requests, by key, that may move: their node lives, and reports requests that wait for the model.

        Those at a node that is lost move by the end of their connections.
        """
        snapshots = {view.name: view.snapshot for view in views}
        return {
            key: sent
            for (node, model_name), queue in self._queues.items()
            if node in snapshots and _has_waiting(snapshots[node], model_name)
            for key, sent in queue.items()
            if not sent.is_asked and now - sent.sent_at_s >= MIN_AGE_S
        }


def waiter(sent: SentRequest, model: ClusterModel | None) -> Waiter | None:
    """Return a request as the rule of moves needs it, with the nodes that have its model now.

    None if its node does not list the model any more.
    """
    if model is None or sent.choice.node not in model.copies:
        return None
    return Waiter(
        key=sent.key,
        request=replace(sent.request, copies=model.copies),
        node=sent.choice.node,
        model_name=sent.choice.model_name,
        sent_at_s=sent.sent_at_s,
        moves=sent.moves,
    )


def _has_waiting(snapshot: NodeSnapshot, model_name: str) -> bool:
    return snapshot.state not in GONE and any(
        waiting.model_name == model_name and waiting.waiting for waiting in snapshot.status.waiting
    )

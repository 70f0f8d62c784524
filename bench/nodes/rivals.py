"""The rules that gglib is compared with. All but one count the front's own requests since a snapshot, as gglib does."""

from collections.abc import Sequence
from enum import Enum
from itertools import count
from random import Random

from bench.nodes.front import Front

from gglib.nodes.estimates import Estimate, Step, estimate
from gglib.nodes.node_view import NodeView
from gglib.nodes.placement import PlacementRequest


class StepsAlone:
    """The steps in their order, whatever they take: ready with room, loading, memory free, evictable."""

    moves_waiters = False

    def choose(self, request: PlacementRequest, front: Front) -> str | None:
        """Return the conversation's node if the model is ready there, else the node with the lowest step."""
        views = _candidates(request, front)
        found = {view.name: _estimate(request, view, front) for view in views}
        node = request.conversation_node
        if node in found and found[node].step is Step.READY:
            return node
        return min(
            views,
            key=lambda v: (found[v.name].step, found[v.name].requests, -v.free_bytes(), v.order),
        ).name


class Affinity(Enum):
    """Which nodes a rival chooses from."""

    NONE = ""
    """All with the files."""
    BOUNDED = ", affinity"
    """Those that have or load the model and have a free slot; without such a node, all."""
    STRICT = ", strict affinity"
    """Those that have or load the model; without such a node, all."""


class Rival:
    """Chooses by the number of requests at each node, whatever they are for."""

    moves_waiters = False

    def __init__(self, affinity: Affinity = Affinity.NONE) -> None:
        self._affinity = affinity

    def choose(self, request: PlacementRequest, front: Front) -> str | None:
        """Return the node of a request; None if none is ready."""
        views = _candidates(request, front)
        return (
            self.pick([v for v in views if self._is_preferred(v, request.model)] or views).name
            if views
            else None
        )

    def _is_preferred(self, view: NodeView, model: str) -> bool:
        requests = view.requests(model)
        if self._affinity is Affinity.NONE or (view.resident(model) is None and not requests):
            return False
        return self._affinity is Affinity.STRICT or requests < view.slots(model)

    def pick(self, views: Sequence[NodeView]) -> NodeView:
        """Return one of the nodes."""
        raise NotImplementedError


class RoundRobin(Rival):
    """Each node in turn."""

    def __init__(self, affinity: Affinity = Affinity.NONE) -> None:
        super().__init__(affinity)
        self._turns = count()

    def pick(self, views: Sequence[NodeView]) -> NodeView:
        """Return the next node."""
        return views[next(self._turns) % len(views)]


class LeastLoaded(Rival):
    """The node with the fewest requests, those sent since its snapshot among them."""

    def pick(self, views: Sequence[NodeView]) -> NodeView:
        """Return the node with the fewest requests."""
        return min(views, key=lambda view: (view.all_requests(), view.order))


class LeastLoadedBySnapshot(Rival):
    """The node with the fewest requests in its snapshot, which is up to a second old."""

    def pick(self, views: Sequence[NodeView]) -> NodeView:
        """Return the node whose snapshot has the fewest requests."""
        return min(views, key=lambda view: (_seen(view), view.order))


class RandomOfTwo(Rival):
    """Two nodes at random, and of them the one with fewer requests."""

    def __init__(self, affinity: Affinity = Affinity.NONE) -> None:
        super().__init__(affinity)
        self._draw = Random(1)

    def pick(self, views: Sequence[NodeView]) -> NodeView:
        """Return the better one of two."""
        pair = self._draw.sample(list(views), min(2, len(views)))
        return min(pair, key=NodeView.all_requests)


def _candidates(request: PlacementRequest, front: Front) -> list[NodeView]:
    return [v for v in front.views.values() if v.snapshot.takes_requests and v.name in request.copies]


def _seen(view: NodeView) -> int:
    status = view.snapshot.status
    return sum(r.in_flight for r in status.residents) + sum(w.waiting for w in status.waiting)


def _estimate(request: PlacementRequest, view: NodeView, front: Front) -> Estimate:
    response_s = front.times.expected_s(view.name, request.model)
    model = request.copies[view.name]
    return estimate(view, model, context=request.context, response_s=response_s, now=front.clock.now)

"""Moves requests that wait at a node to one that would answer them sooner, as ``nodes.moves`` decides.

A move has two steps. The node gives the request back, if it still waits: its admission ends with
``RequestWithdrawnError``. Then the request is admitted again, at the node of the move. So it is never at two nodes, and
nothing is lost if either of them dies meanwhile: the request is then sent as any other that a node has failed.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass

from gglib.core.errors import NodeLostError, RequestWithdrawnError
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.front.recent import Recent
from gglib.nodes.front.waiting import EndWait, SentRequest, WaitingRequests, waiter
from gglib.nodes.moves import Move, moves
from gglib.nodes.placement import Choice, PlacementRequest

logger = logging.getLogger("gglib.nodes")

INTERVAL_S = 1.0
"""How often moves are considered while requests are at nodes, without news of any node."""
MIN_INTERVAL_S = 0.1
"""At most this often: many nodes have news all the time."""
MAX_MOVED = 1024
"""Of how many requests between two nodes the moves are kept."""


@dataclass(frozen=True, slots=True)
class _Moved:
    """A request between two nodes."""

    moves: int
    model: str
    """The model's name in the cluster: another request may have the same id."""
    to: Choice | None


class Mover:
    """Knows the front's requests at nodes, and moves those that wait, during ``run``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._waiting = WaitingRequests()
        self._has_requests = asyncio.Event()
        self._planned: dict[str, Choice] = {}
        """The node of a move that is being carried out, by the key of the request."""
        self._moved = Recent[_Moved](MAX_MOVED)
        """By request id."""

    # --- requests ---

    def begin(
        self, request_id: str, request: PlacementRequest, choice: Choice, end_wait: EndWait | None = None
    ) -> SentRequest:
        """Add a request that is sent to a node, until ``end``. ``end_wait`` ends the wait of one on this machine."""
        moved = self._moved.pop(request_id)
        is_same = moved is not None and moved.model == request.model
        sent = SentRequest(
            request_id=request_id,
            request=request,
            choice=choice,
            sent_at_s=self._cluster.now(),
            moves=moved.moves if moved is not None and is_same else 0,
            end_wait=end_wait,
        )
        self._waiting.add(sent)
        if not self._has_requests.is_set():
            self._has_requests.set()
        return sent

    def end(self, sent: SentRequest, error: BaseException | None = None) -> None:
        """Remove a request that has ended, with ``error``, or that does not wait on this machine any more."""
        self._waiting.remove(sent)
        to = self._planned.pop(sent.key, None)
        if isinstance(error, RequestWithdrawnError):
            self._moved.set(sent.request_id, _Moved(sent.moves + 1, sent.request.model, to))
        elif sent.moves and isinstance(error, NodeLostError):
            self._moved.set(sent.request_id, _Moved(sent.moves, sent.request.model, None))

    def planned(self, request_id: str, model: str) -> Choice | None:
        """Return where a request goes that was withdrawn for it; None if it was not, or that node is lost meanwhile."""
        moved = self._moved.get(request_id)
        if moved is None or moved.to is None or moved.model != model:
            return None
        snapshot = self._cluster.snapshot(moved.to.node)
        return moved.to if snapshot is not None and snapshot.takes_requests else None

    # --- moves ---

    async def run(self) -> None:
        """Move requests until cancelled. Sleeps while no request is at a node."""
        nodes = self._cluster.nodes
        while True:
            await self._has_requests.wait()
            seen = nodes.changes
            try:
                await self.move()
            except Exception:
                logger.exception("moves of waiting requests could not be decided")
            if not self._waiting:
                self._has_requests.clear()
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL_S):
                    await nodes.wait_for_change(seen)
            await asyncio.sleep(MIN_INTERVAL_S)

    async def move(self) -> None:
        """Carry out the moves that the rule finds now."""
        views, now = self._cluster.views, self._cluster.now()
        movable = self._waiting.movable(views, now)
        if not movable:
            return
        waiters = (waiter(sent, self._cluster.model(sent.request.model)) for sent in movable.values())
        planned = moves(
            tuple(filter(None, waiters)), views, self._cluster.sent, self._cluster.response_times, now
        )
        await asyncio.gather(*(self._carry_out(movable[move.waiter.key], move) for move in planned))

    async def _carry_out(self, sent: SentRequest, move: Move) -> None:
        if sent not in self._waiting:  # it has ended, or runs, since the decision
            return
        sent.is_asked = True
        self._planned[sent.key] = move.choice
        if sent.end_wait is not None:
            sent.end_wait()
            is_withdrawn = True
        else:
            is_withdrawn = await self._cluster.nodes.withdraw(sent.choice.node, sent.request_id)
        if is_withdrawn:
            logger.info("%s: moves from %s to %s", sent.request_id, sent.choice.node, move.choice.node)
        else:
            self._planned.pop(sent.key, None)

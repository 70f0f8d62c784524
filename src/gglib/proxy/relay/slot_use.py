"""Sends a request to the slot of its engine that has its conversation: places it, copies a slot first, and frees it.

No context manager, and no coroutine for short requests: each of them would cost each request half a microsecond.
"""

from functools import partial
from time import monotonic

from gglib.core.models import RunningTarget
from gglib.core.runtime.slots import SlotCopy
from gglib.http.client.pool import UpstreamRequest
from gglib.proxy.bodies import offloaded
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.slots.slot_table import Placement, SlotTable
from gglib.proxy.slots.turns import CHAT_TARGETS, read_turn, session_of, with_slot

_SHORT_BODY_BYTES = 32 * 1024
"""The turns of longer bodies are read in a thread, one at a time: 0.1 ms for this one."""


class SlotUse:
    """One request to an engine whose slots are chosen. ``begin`` or ``begin_slowly``, and ``end``, are called once."""

    __slots__ = ("_placement", "_request", "_sent", "_table", "is_answered", "is_refused")

    def __init__(self, request: ProxyRequest, sent: UpstreamRequest, table: SlotTable) -> None:
        """``sent`` is the request as the engine gets it, without a slot; ``table`` is that of its launch."""
        self._request = request
        self._sent = sent
        self._table = table
        self._placement: Placement | None = None
        self.is_answered = False
        """Set for a request whose response is complete."""
        self.is_refused = False
        """Set for a request whose response is an error."""

    def begin(self) -> UpstreamRequest | None:
        """Return the request to send; None if that takes time: ``begin_slowly`` does it then."""
        sent, table, now_s = self._sent, self._table, monotonic()
        if sent.path not in CHAT_TARGETS or not table.can_choose(now_s):
            self._placement = table.acquire(None, now_s)
            return sent
        if len(sent.body) > _SHORT_BODY_BYTES:
            return None
        turn = read_turn(sent.body, session_of(self._request.head.fields))
        self._placement = placement = table.acquire(turn, now_s)
        return self._placed() if placement.copy is None else None

    async def begin_slowly(self, target: RunningTarget, services: Services) -> UpstreamRequest:
        """Read a long body, or copy a slot, and return the request to send."""
        placement, body = self._placement, self._sent.body
        if placement is None:
            read = partial(read_turn, body, session_of(self._request.head.fields))
            turn = await offloaded(services, len(body), read, short_bytes=_SHORT_BODY_BYTES)
            placement = self._placement = self._table.acquire(turn, monotonic())
        if placement.copy is not None:
            await self._copy(placement, placement.copy, target, services)
        return self._placed()

    def end(self, response: Response) -> None:
        """Free the slot. A request that was neither answered nor refused may run in the engine a moment longer."""
        if self._placement is not None:
            self._table.release(
                self._placement,
                monotonic(),
                is_complete=self.is_answered or self.is_refused,
                is_computed=not self.is_refused or response.is_started,
            )

    async def _copy(
        self, placement: Placement, copy: SlotCopy, target: RunningTarget, services: Services
    ) -> None:
        try:
            is_done = await services.runtime.copy_slot(target, copy)
        except BaseException:
            self.is_refused = True  # the client has left, and nothing was sent to the engine
            raise
        self._table.end_copy(placement, monotonic(), is_done=is_done)

    def _placed(self) -> UpstreamRequest:
        """Return the request with its slot."""
        sent, placement = self._sent, self._placement
        if placement is None or placement.slot is None:
            return sent
        self._request.continues_restored = placement.continues_restored
        return UpstreamRequest(
            sent.path,
            sent.header_lines,
            sent.request_id,
            with_slot(sent.body, placement.slot),
            sent.first_byte_s,
            sent.chunk_gap_s,
        )

"""Sees every request when it is over, and tells the log and the metrics.

What is over waits a moment and is looked at together with others: that takes half as long, because the processor
finds what it needs for the second one in its caches. Between two requests it has to fetch all of it anew.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from gglib.proxy.telemetry.access_log import AccessLog
from gglib.proxy.telemetry.metrics import Tally
from gglib.proxy.telemetry.records import Refusal, RequestRecord
from gglib.proxy.token_usage import read_usage

log = logging.getLogger("gglib.proxy")

HELD_S = 0.2
"""Who watches the log does not notice; who is killed loses no more than this."""
HELD_AT_MOST = 100
"""So many are looked at in less than a millisecond, in which nobody is answered."""


class Observer:
    """What is known of the requests that are over. ``route_of`` names the route of a path, see ``Tally``."""

    def __init__(self, route_of: Callable[[str], str]) -> None:
        self._access_log = AccessLog()
        self._tally = Tally(route_of)
        self._held: list[tuple[float, RequestRecord | Refusal, bytes]] = []
        """What was not looked at: when it was over, in seconds since the epoch; what it was; pieces of its answer."""
        self._timer: asyncio.TimerHandle | None = None
        self.count_connections: Callable[[], int] = lambda: 0
        """How many clients are connected; whoever listens sets it."""

    def count(self) -> Tally:
        """Return what was counted, up to this moment."""
        self._look()
        return self._tally

    def note(self, record: RequestRecord, usage_text: bytes) -> None:
        """Take in a request that is over, and the pieces of its answer that report how many tokens it took."""
        self._held.append((time.time(), record, usage_text))
        self._look_soon()

    def note_refusal(self, refusal: Refusal) -> None:
        """Take in what was refused before it was a request."""
        self._held.append((time.time(), refusal, b""))
        self._look_soon()

    def catch_up(self) -> None:
        """Look at all that is held, and hand over what the log is to say."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._look()
        self._access_log.flush()

    def _look(self) -> None:
        held, self._held = self._held, []
        for at_s, over, usage_text in held:
            try:
                self._look_at(over, at_s, usage_text)
            except Exception:  # a fault here must hit neither other records nor whoever is answered now
                log.exception("%s: cannot be counted or logged", over.request_id)

    def _look_at(self, over: RequestRecord | Refusal, at_s: float, usage_text: bytes) -> None:
        if isinstance(over, RequestRecord):
            over.prompt_tokens, over.completion_tokens = read_usage(usage_text)
            self._tally.note(over)
            self._access_log.note(over, at_s)
        else:
            self._tally.note_refusal(over.status)
            self._access_log.note_refusal(over, at_s)

    def _look_soon(self) -> None:
        if len(self._held) >= HELD_AT_MOST:
            self._look()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HELD_S, self.catch_up)

"""The restoration of what keys used, from a history."""

import asyncio
import time
from typing import Any

import pytest

from gglib.core.api_keys import ApiKey, KeyLimits
from gglib.core.errors import HistoryError
from gglib.core.history.usage import KeyUse
from gglib.proxy.limits.limiter import RateLimiter
from gglib.proxy.limits.restoring import UseRestoration


class Recent:
    """A history of which only the last minute is read."""

    def __init__(self, *, fails: bool = False) -> None:
        self.reads = 0
        self.fails = fails

    async def recent_use(self, since_s: float) -> tuple[KeyUse, ...]:
        """Return one request of alice."""
        self.reads += 1
        if self.fails:
            raise HistoryError("The disk is gone.")
        at_s = since_s + 50
        return (KeyUse(key="alice", started_at_s=at_s, ended_at_s=at_s, tokens=8),)


def a_limiter(limits: KeyLimits) -> RateLimiter:
    """Return a limiter with one key."""
    limiter = RateLimiter()
    limiter.set_keys({"alice": ApiKey(key="SECRET-of-alice", limits=limits)})
    return limiter


async def test_the_history_is_read_once_and_only_for_limits() -> None:
    """Several listeners share a limiter."""
    limiter, history = a_limiter(KeyLimits(rpm=3)), Recent()
    port: Any = history
    restoration = UseRestoration()
    await restoration.run(limiter, None)
    for _ in range(2):
        await restoration.run(limiter, port)
    assert history.reads == 1
    meter = limiter.meter("alice")
    assert meter is not None
    assert meter.use(time.monotonic()).requests == 1
    await UseRestoration().run(a_limiter(KeyLimits()), port)
    assert history.reads == 1


async def test_a_second_listener_waits_for_the_first_one() -> None:
    """Else its first requests would not be limited by what was used."""
    limiter, goes_on = a_limiter(KeyLimits(rpm=3)), asyncio.Event()

    class Slow(Recent):
        async def recent_use(self, since_s: float) -> tuple[KeyUse, ...]:
            await goes_on.wait()
            return await super().recent_use(since_s)

    port: Any = Slow()
    restoration = UseRestoration()
    async with asyncio.TaskGroup() as group:
        group.create_task(restoration.run(limiter, port))
        second = group.create_task(restoration.run(limiter, port))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not second.done()
        goes_on.set()
    assert port.reads == 1


async def test_a_start_does_not_depend_on_the_history(caplog: pytest.LogCaptureFixture) -> None:
    """The operator is warned."""
    port: Any = Recent(fails=True)
    await UseRestoration().run(a_limiter(KeyLimits(rpm=3)), port)
    assert "The disk is gone." in caplog.text

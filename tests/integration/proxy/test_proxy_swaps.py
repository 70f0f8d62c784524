"""``GET /gglib/swaps``: the last swaps, newest first."""

import pytest

from gglib.core.models import RunningTarget
from gglib.core.runtime.status import SwapStatus
from gglib.testing import FakeRuntime

from .support import MODEL, ask, proxy_running

PATH = "/gglib/swaps"


def runtime() -> FakeRuntime:
    """Return a runtime with 60 swaps, the newest of which is ``m59``."""
    fake = FakeRuntime({MODEL.name: RunningTarget.local(9, 1, MODEL.name, 4096)})
    fake.ended_swaps = [
        SwapStatus(from_model=None, to_model=f"m{number}", why="there was room", ended_at=1000.0 + number)
        for number in reversed(range(60))
    ]
    return fake


@pytest.mark.parametrize(("query", "count"), [("", 50), ("?limit=2", 2), ("?limit=200", 60)])
async def test_the_newest_swaps_are_listed(query: str, count: int) -> None:
    """50 by default; each with the fields of ``last_swap``."""
    async with proxy_running(runtime()) as proxy:
        swaps = (await ask(proxy.port, "GET", PATH + query)).json()["swaps"]
    assert [swap["to_model"] for swap in swaps] == [f"m{59 - number}" for number in range(count)]
    assert (swaps[0]["ended_at"], set(swaps[0])) == (1059.0, set(SwapStatus.__dataclass_fields__))


@pytest.mark.parametrize("query", ["?limit=0", "?limit=201", "?limit=x", "?lines=3"])
async def test_another_limit_is_refused(query: str) -> None:
    """The server keeps no more than 200."""
    async with proxy_running(runtime()) as proxy:
        assert (await ask(proxy.port, "GET", PATH + query)).status == 400

"""A burst of requests for one model that is not loaded."""

import asyncio
import sys

import pytest
from tests.e2e.conftest import Gglib, watched
from tests.e2e.tiny_ask import TinyAsk
from tests.integration.chaos.caller import Caller
from tests.integration.chaos.verdict import Verdict, judge

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="counts processes by /proc"),
]

REQUESTS = 50
BOUND_S = 60.0
NO_ERROR = frozenset[str]()


async def test_50_requests_to_a_cold_model_are_answered_by_one_launch(home: Gglib) -> None:
    """Streamed and plain requests at once: every response is complete, and only one engine is ever launched."""
    home.serve()

    async def one(number: int) -> Verdict:
        ask = TinyAsk(model="tiny-a", tokens=10 + number, is_stream=bool(number % 2))
        async with Caller(home.port) as caller:
            return judge(ask, await caller.ask(ask, within_s=BOUND_S), NO_ERROR)

    async with watched(home) as engines:
        verdicts = await asyncio.gather(*(one(number) for number in range(REQUESTS)))
    assert [verdict.complaint for verdict in verdicts if verdict.complaint] == []
    assert home.launches("tiny-a") == 1
    assert len(engines) == 1
    assert len(engines[0]) == 1

"""Many requests for one model that is not loaded."""

import asyncio
import sys
from pathlib import Path

import pytest

from gglib.testing import Script, read_record

from .caller import Caller
from .stack import QUICK, Census, stack_running
from .verdict import Ask, Verdict, judge

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts what is left by /proc")
REQUESTS = 300
LOAD_S = 0.5
BOUND_S = 30.0
PATH = "/v1/chat/completions"
NO_ERROR = frozenset[str]()


async def test_300_requests_to_a_cold_model_are_answered_by_one_launch(tmp_path: Path) -> None:
    """Through the whole proxy, streamed and plain: each request gets its own complete response; nothing is leaked."""
    before, record = Census.take(), tmp_path / "record.jsonl"
    script = Script(record=str(record), load_s=LOAD_S, lifetime_s=120)
    async with stack_running(tmp_path, script=script) as stack:

        async def one(number: int) -> Verdict:
            ask = Ask(number=number, model=QUICK, is_stream=bool(number % 2))
            async with Caller(stack.port) as caller:
                return judge(ask, await caller.ask(ask, within_s=BOUND_S), NO_ERROR)

        verdicts = await asyncio.gather(*(one(number) for number in range(REQUESTS)))
        assert [verdict.complaint for verdict in verdicts if verdict.complaint] == []
        assert await stack.unfinished() == ""
    assert len(read_record(record, "start")) == 1
    assert [event["path"] for event in read_record(record, "request")].count(PATH) == REQUESTS
    assert await before.left(tmp_path) == ""

"""The engine is killed in the middle of streams; ``scripts/kill_engines.py`` is the longer run."""

import sys

import pytest
from tests.e2e.conftest import Gglib
from tests.e2e.engine_deaths import EngineDeathsPlan, engine_deaths

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc before it kills"),
]
SEED = 20_262
KILLS = 20


async def test_every_stream_of_a_killed_engine_ends_with_an_error_and_the_next_request_works(
    home: Gglib,
) -> None:
    """The response ends within 2 s of the kill: 502 before the first byte, otherwise an error and no [DONE]."""
    report = await engine_deaths(EngineDeathsPlan(seed=SEED, kills=KILLS), home)
    assert report.complaints == []
    assert report.kills == KILLS
    assert report.ends["early refused upstream_error"] >= 1
    assert report.ends["cut upstream_error"] >= KILLS / 2

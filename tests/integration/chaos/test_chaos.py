"""The whole stack while engines are killed and it is stopped at random moments; ``scripts/chaos.py`` runs longer."""

import sys
from pathlib import Path

import pytest

from .deaths import STREAMS, DeathsPlan, deaths
from .report import Report
from .shutdowns import CLIENTS, ShutdownsPlan, shutdowns
from .storm import StormPlan, storm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts what is left by /proc")
SEED = 20_261
STORMS = 3
"""The kills depend on the machine's timing: if a kind of failure did not occur, another storm is run."""


def count(report: Report, *words: str) -> int:
    """Return how many requests had an outcome whose name starts with one of these words."""
    return sum(number for end, number in report.ends.items() if end.startswith(words))


def saw_everything(report: Report) -> bool:
    """Whether each kind of failure occurred."""
    kinds = (("cut", "refused"), ("broken cut", "broken refused"), ("dropped cut",))
    return report.kills >= 2 and all(count(report, *words) >= 1 for words in kinds)


async def test_every_request_of_a_storm_gets_a_response_or_one_error(tmp_path: Path) -> None:
    """Engines are killed under eight clients of four models: each response is complete or one clear error; no leaks."""
    for number in range(STORMS):
        home = tmp_path / str(number)
        home.mkdir()
        report = await storm(StormPlan(seed=SEED + number, requests=90, kill_every_s=(0.6, 1.8)), home)
        assert report.complaints == []
        assert sum(report.ends.values()) == 90
        if saw_everything(report):
            break
    assert count(report, "answered") >= 15
    assert count(report, "cut", "refused") >= 1
    assert count(report, "broken cut", "broken refused") >= 1
    assert count(report, "dropped cut") >= 1
    assert count(report, "calm answered") >= 10
    assert report.kills >= 2


async def test_every_stream_of_an_engine_that_dies_ends_with_an_error(tmp_path: Path) -> None:
    """Whenever the engine dies: one error within 2 s, no [DONE], and the next request succeeds."""
    report = await deaths(DeathsPlan(seed=SEED, kills=10), tmp_path)
    assert report.complaints == []
    assert report.kills == 10
    assert count(report, "cut", "refused") == 10 * STREAMS
    assert count(report, "next answered", "next but one answered") == 10


async def test_a_shutdown_at_any_moment_ends_every_request_and_leaves_nothing(tmp_path: Path) -> None:
    """Open streams and waiting requests all end at once, and processes, sockets and files are gone."""
    report = await shutdowns(ShutdownsPlan(seed=SEED, rounds=3), tmp_path)
    assert report.complaints == []
    assert count(report, "cut", "refused") == 3 * CLIENTS

"""Mutated requests: only what was sent is served, and no resource leaks."""

import asyncio
from pathlib import Path

from tests.integration.proxy.support import proxy_running
from tests.support.waiting import until

from .mutate import mutant
from .mutation_run import judge, run_mutants
from .reference import Stage, read_connection
from .upstream import recording
from .wire import Reply

SEEDS = range(600)
AT_ONCE = 12
_DESCRIPTORS = Path("/dev/fd")


def test_the_same_seed_makes_the_same_mutant() -> None:
    """A failure names a seed, which reproduces the request."""
    assert [mutant(seed) for seed in SEEDS] == [mutant(seed) for seed in SEEDS]
    assert len({mutant(seed).raw for seed in SEEDS}) > 500


def test_mutants_have_every_outcome() -> None:
    """Some mutants are served; others are refused at the head or the body, or are incomplete."""
    stages = [read_connection(mutant(seed).raw).stage for seed in SEEDS]
    assert all(stages.count(stage) >= 10 for stage in Stage), {stage: stages.count(stage) for stage in Stage}


def test_the_judge_detects_faults() -> None:
    """A foreign response, a 500, a missing response and an extra response are each reported."""
    health = read_connection(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    fine, foreign = Reply(200, (), b"{}"), Reply(200, (), b'{"seen": "x"}')
    assert judge(health, [fine]) == ""
    assert "another request" in judge(health, [foreign])
    assert "none of ours" in judge(health, [Reply(500, (), b"{}")])
    assert "answers []" in judge(health, [])
    assert "[200, 400]" in judge(health, [fine, Reply(400, (), b"{}")])
    assert "served" in judge(read_connection(b"garbage\r\n\r\n"), [foreign])


async def test_mutants() -> None:
    """600 mutants: no crash, no 5xx by the proxy, the upstream receives what was sent, all sockets are closed."""
    async with recording() as upstream, proxy_running(upstream.runtime) as proxy:
        await run_mutants(proxy.port, range(-AT_ONCE, 0), upstream, at_once=AT_ONCE)
        await until(lambda: _others() == upstream.open)
        verdict = await run_mutants(proxy.port, SEEDS, upstream, at_once=AT_ONCE)
        assert not verdict.complaints
        assert verdict.words.total() > 100
        await until(lambda: _others() == upstream.open)


def _others() -> int:
    """Return the number of tasks besides those of the test, the proxy and the upstream's server."""
    return len(asyncio.all_tasks()) - 2

"""Many clients, several models, and engines that are killed again and again."""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .caller import Caller
from .report import Report
from .stack import BROKEN, GOOD_MODELS, Census, Stack, dice, stack_running
from .verdict import Ask, Kind, judge

BOUND_S = 30.0
"""Longer than the worst queue: no request may take so long."""
GOOD_CODES = frozenset({"upstream_error", "model_load_failed"})
"""Killed while it answered, or while it loaded."""
BROKEN_CODES = frozenset({"model_load_failed"})
LEAVING_SHARE = 0.1
BROKEN_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class StormPlan:
    """How bad it is."""

    seed: int
    requests: int
    clients: int = 8
    kill_every_s: tuple[float, float] = (1.0, 3.0)


async def storm(plan: StormPlan, home: Path) -> Report:
    """Let the clients ask while engines die, and see what they heard and what is left."""
    report, before, started_s = Report(), Census.take(), time.monotonic()
    async with stack_running(home) as stack:
        killer = asyncio.create_task(_kill_now_and_then(stack, plan, report))
        asks = random_asks(plan)
        async with asyncio.TaskGroup() as clients:
            for _ in range(plan.clients):
                clients.create_task(_be_a_client(stack, asks, report))
        killer.cancel()
        await asyncio.wait([killer])
        report.complain(await stack.unfinished())
    report.complain(await before.left(home))
    report.duration_s = time.monotonic() - started_s
    return report


def random_asks(plan: StormPlan) -> Iterator[Ask]:
    """Yield the requests of a storm, the same ones for the same seed."""
    chance = dice(plan.seed)
    for number in range(plan.requests):
        is_broken = chance.random() < BROKEN_SHARE
        yield Ask(
            number=number,
            model=BROKEN if is_broken else chance.choice(GOOD_MODELS),
            is_stream=chance.random() < 0.7,
            chunks=chance.randint(1, 30),
            chunk_interval_s=chance.choice((0.0, 0.002, 0.01)),
            leave_after_s=_leave_after_s(chance),
            script={"first_byte_delay_s": chance.choice((0.0, 0.0, 0.05))},
        )


def _leave_after_s(chance: random.Random) -> float | None:
    """Return for a few a moment while they wait, or while they are answered; None for all others."""
    if chance.random() >= LEAVING_SHARE:
        return None
    return chance.uniform(0, chance.choice((0.01, 0.3, 1.0)))


async def _be_a_client(stack: Stack, asks: Iterator[Ask], report: Report) -> None:
    async with Caller(stack.port) as caller:
        for ask in asks:
            heard = await caller.ask(ask, within_s=BOUND_S)
            is_broken = ask.model == BROKEN
            verdict = judge(ask, heard, BROKEN_CODES if is_broken else GOOD_CODES)
            if is_broken and verdict.kind is Kind.ANSWERED:
                report.complain(f"{ask}: answered by a model that cannot be loaded")
            report.add(verdict, heard.duration_s, what="broken" if is_broken else "")


async def _kill_now_and_then(stack: Stack, plan: StormPlan, report: Report) -> None:
    chance = dice(plan.seed + 1)
    while True:
        await asyncio.sleep(chance.uniform(*plan.kill_every_s))
        report.kills += await stack.kill_engine()

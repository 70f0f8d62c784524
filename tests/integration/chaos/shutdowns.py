"""Shutdown at a random moment, with open streams and waiting requests: all of them end, and nothing is leaked."""

import asyncio
import random
import time
from dataclasses import dataclass
from pathlib import Path

from gglib.runtime.engines.base import STOP_ESCALATION
from gglib.testing import Script

from .caller import Caller
from .report import Report
from .stack import QUICK, SLOW, SLOWER, Census, Stack, dice, stack_running
from .verdict import Ask, Kind, judge

LONGEST_LIFE_S = 0.8
"""From before the first model is ready until long after the first heartbeat of waiting requests."""
TOLD_WITHIN_S = 2.0
GONE_WITHIN_S = 2.0 + sum(timeout_s for _, timeout_s in STOP_ESCALATION)
BOUND_S = 20.0
CLIENTS = 9
"""Some are in flight, some wait for the busy model, some for a model that is never ready."""
STUBBORN_SHARE = 0.2
MANAGER_FIRST_SHARE = 0.3
PROXY_CODES = frozenset({"shutting_down"})
MANAGER_CODES = PROXY_CODES | {"upstream_error"}
"""An engine that is stopped during streams closes their connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownsPlan:
    """The number of starts and shutdowns."""

    seed: int
    rounds: int


async def shutdowns(plan: ShutdownsPlan, home: Path) -> Report:
    """Start and shut down repeatedly; check the responses and for leaks."""
    report, started_s, chance = Report(), time.monotonic(), dice(plan.seed)
    for number in range(plan.rounds):
        before, place = Census.take(), home / str(number)
        await _start_and_end(place, chance, report)
        report.complain(await before.left(place))
    report.duration_s = time.monotonic() - started_s
    return report


async def _start_and_end(home: Path, chance: random.Random, report: Report) -> None:
    is_stubborn, is_manager_first = chance.random() < STUBBORN_SHARE, chance.random() < MANAGER_FIRST_SHARE
    script = Script(
        scripts={SLOW: {"load_s": 0.3}, SLOWER: {"load_s": 60}}, lifetime_s=120, ignore_term=is_stubborn
    )
    asks = [
        Ask(
            number=n,
            model=(QUICK, chance.choice((QUICK, SLOW)), SLOWER)[n % 3],
            is_stream=chance.random() < 0.7,
            chunks=100_000,
            chunk_interval_s=0.01,
        )
        for n in range(CLIENTS)
    ]
    callers = []
    async with stack_running(home, script=script, swap_wait_s=LONGEST_LIFE_S / 4) as stack:
        callers = [Caller(stack.port) for _ in asks]
        ends = [
            asyncio.create_task(caller.ask(ask, within_s=BOUND_S))
            for caller, ask in zip(callers, asks, strict=True)
        ]
        await _until_all_are_in(stack, callers)
        await asyncio.sleep(chance.uniform(0, LONGEST_LIFE_S))
        ended_s = time.monotonic()
        if is_manager_first:
            await stack.manager.close()
        stack.cancel.set()
    gone_after_s = time.monotonic() - ended_s
    for ask, end in zip(asks, ends, strict=True):
        heard = await end
        verdict = judge(ask, heard, MANAGER_CODES if is_manager_first else PROXY_CODES)
        report.add(verdict, heard.ended_at_s - ended_s)
        if verdict.kind is Kind.ANSWERED:
            report.complain(f"{ask}: answered, which takes longer than it had")
        if heard.ended_at_s - ended_s > (GONE_WITHIN_S if is_manager_first else TOLD_WITHIN_S):
            report.complain(f"{ask}: ended after {heard.ended_at_s - ended_s:.1f} s")
    for caller in callers:
        await caller.leave()
    if gone_after_s > GONE_WITHIN_S:
        report.complain(f"gone after {gone_after_s:.1f} s")


async def _until_all_are_in(stack: Stack, callers: list[Caller]) -> None:
    """Return when the proxy has read all requests: it cannot respond to an unread one at shutdown."""
    async with asyncio.TaskGroup() as waits:
        for caller in callers:
            waits.create_task(caller.has_sent.wait())
    async with asyncio.timeout(BOUND_S):
        while await stack.admitted() < len(callers):  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.001)

"""Many clients, several models, and repeatedly killed engines; then a calm, in which every request must succeed."""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .caller import Caller
from .report import Report
from .stack import BROKEN, GOOD_MODELS, Census, Stack, dice, settled, stack_running
from .verdict import Ask, Heard, Kind, judge

BOUND_S = 30.0
"""Longer than the worst queue: the limit for each request."""
RECOVERED_WITHIN_S = 40.0
"""Longer than the longest backoff."""
GOOD_CODES = frozenset({"upstream_error", "model_load_failed"})
"""Codes of a model that was killed while it served or loaded, or so often that it is backed off."""
BROKEN_CODES = frozenset({"model_load_failed"})
DROPPED_CODES = frozenset({"upstream_error"})
NO_CODES = frozenset[str]()
LEAVING_SHARE = 0.1
KEEPS_DYING = b"its engine died"
"""Part of the error for a model that died three times within a minute."""
BROKEN_SHARE = 0.05
DROPPED_SHARE = 0.05
"""Share of responses that the engine aborts in the middle without dying."""
CALM_SHARE = 0.25
MIN_ANSWER_BYTES = 150
"""A lower bound of the response size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StormPlan:
    """The size of a storm."""

    seed: int
    requests: int
    """Requests in the storm and in the calm after it."""
    clients: int = 8
    kill_every_s: tuple[float, float] = (1.0, 3.0)


async def storm(plan: StormPlan, home: Path) -> Report:
    """Send requests while engines die; check the responses and for leaks."""
    report, before, started_s = Report(), Census.take(), time.monotonic()
    async with stack_running(home) as stack:
        killer = asyncio.create_task(_kill_now_and_then(stack, plan, report))
        asks = random_asks(plan)
        calm_requests = round(plan.requests * CALM_SHARE)
        await _be_clients(stack, itertools.islice(asks, plan.requests - calm_requests), plan, report)
        killer.cancel()
        await asyncio.wait([killer])
        # Leaks of a killed engine end with it: only surviving engines can show them.
        report.complain(await stack.settle_after_kills())
        report.complain(await settled(partial(_not_recovered, stack), within_s=RECOVERED_WITHIN_S))
        await _be_clients(stack, asks, plan, report, is_calm=True)
        report.complain(await stack.unfinished())
    report.complain(await before.left(home))
    report.duration_s = time.monotonic() - started_s
    return report


def random_asks(plan: StormPlan) -> Iterator[Ask]:
    """Yield the requests of a storm, the same ones for the same seed."""
    chance = dice(plan.seed)
    for number in range(plan.requests):
        is_broken = chance.random() < BROKEN_SHARE
        script: dict[str, object] = {"first_byte_delay_s": chance.choice((0.0, 0.0, 0.05))}
        is_stream = chance.random() < 0.7
        if is_stream and chance.random() < DROPPED_SHARE:  # any other response only ends with the connection
            script["close_after_bytes"] = chance.randrange(MIN_ANSWER_BYTES)
        yield Ask(
            number=number,
            model=BROKEN if is_broken else chance.choice(GOOD_MODELS),
            is_stream=is_stream,
            chunks=chance.randint(1, 30),
            chunk_interval_s=chance.choice((0.0, 0.002, 0.01)),
            leave_after_s=_leave_after_s(chance),
            script=script,
        )


def _leave_after_s(chance: random.Random) -> float | None:
    """Return for some clients a time to disconnect, before or during the response; None for all others."""
    if chance.random() >= LEAVING_SHARE:
        return None
    return chance.uniform(0, chance.choice((0.01, 0.3, 1.0)))


async def _be_clients(
    stack: Stack, asks: Iterator[Ask], plan: StormPlan, report: Report, *, is_calm: bool = False
) -> None:
    async def be_one() -> None:
        async with Caller(stack.port) as caller:
            for ask in asks:
                heard = await caller.ask(ask, within_s=BOUND_S)
                verdict = judge(ask, heard, _codes(ask, is_calm=is_calm))
                if verdict.kind is Kind.ANSWERED and (ask.model == BROKEN or is_dropped(ask)):
                    report.complain(f"{ask}: answered, which cannot be")
                report.add(verdict, heard.duration_s, what=f"{'calm ' * is_calm}{_what(ask, heard)}".strip())

    async with asyncio.TaskGroup() as clients:
        for _ in range(plan.clients):
            clients.create_task(be_one())


async def _not_recovered(stack: Stack) -> str:
    """Return the good models that do not respond; one whose loads were killed is in backoff at first."""
    for model in GOOD_MODELS:
        ask = Ask(number=0, model=model)
        async with Caller(stack.port) as caller:
            verdict = judge(ask, await caller.ask(ask, within_s=BOUND_S), GOOD_CODES)
        if verdict.kind is not Kind.ANSWERED:
            return f"{model} does not recover: {verdict}"
    return ""


def _what(ask: Ask, heard: Heard) -> str:
    """Return what is special about a request or its outcome."""
    if ask.model == BROKEN:
        return "broken"
    if heard.status == 500 and KEEPS_DYING in heard.body:
        return "backed off"
    return "dropped" if is_dropped(ask) else ""


def is_dropped(ask: Ask) -> bool:
    """Whether the engine aborts its response."""
    return "close_after_bytes" in ask.script


def _codes(ask: Ask, *, is_calm: bool) -> frozenset[str]:
    """Return the error codes that have a possible cause."""
    if ask.model == BROKEN:
        return BROKEN_CODES
    if is_calm:
        return DROPPED_CODES if is_dropped(ask) else NO_CODES
    return GOOD_CODES


async def _kill_now_and_then(stack: Stack, plan: StormPlan, report: Report) -> None:
    chance = dice(plan.seed + 1)
    while True:
        await asyncio.sleep(chance.uniform(*plan.kill_every_s))
        report.kills += await stack.kill_engine()

"""Engines die at random points of their streams; each client gets an error, and the next request is served."""

import asyncio
import random
import time
from dataclasses import dataclass
from pathlib import Path

from gglib.testing import Script, read_record

from .caller import Caller
from .report import Report
from .stack import DEATHS_EACH, Census, Stack, dice, stack_running
from .verdict import Ask, Heard, Kind, judge

ENDS_WITHIN_S = 2.0
CHUNKS, CHUNK_INTERVAL_S = 150, 0.002
STREAM_S = CHUNKS * CHUNK_INTERVAL_S
CHUNK_BYTES = 200
"""Less than a chunk, so that the chosen byte is always in the stream."""
BOUND_S = 20.0
STREAMS = 3
CODES = frozenset({"upstream_error"})
UNHARMED = frozenset[str]()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeathsPlan:
    """The number of engines to kill, alternately at a random byte and at a random time."""

    seed: int
    kills: int


async def deaths(plan: DeathsPlan, home: Path) -> Report:
    """Kill engines one after the other and check the responses."""
    report, before, started_s, chance = Report(), Census.take(), time.monotonic(), dice(plan.seed)
    script = Script(record=str(home / "record.jsonl"), lifetime_s=600)
    models = [f"model-{n}" for n in range(-(-plan.kills // DEATHS_EACH))]
    async with stack_running(home, script=script, models=models) as stack:
        for number in range(plan.kills):
            model = models[number // DEATHS_EACH]
            if number % DEATHS_EACH == 0:
                await _ask_first(stack, model, report)
            await (_die_at_a_time if number % 2 else _die_at_a_byte)(stack, model, chance, report)
            await _ask_one_more(stack, model, number, report)
        report.complain(await stack.unfinished())
    report.complain(await before.left(home))
    report.duration_s = time.monotonic() - started_s
    return report


async def _ask_first(stack: Stack, model: str, report: Report) -> None:
    ask = Ask(number=0, model=model)
    async with Caller(stack.port) as caller:
        heard = await caller.ask(ask, within_s=BOUND_S)
    report.add(judge(ask, heard, UNHARMED), heard.duration_s, what="first")


async def _ask_one_more(stack: Stack, model: str, number: int, report: Report) -> None:
    """Send a request right after a death: the model is loaded again and the request succeeds.

    A dying process's listening socket may outlive its connections by a moment. A request accepted there may have been
    read, so the proxy must not resend it: it gets a 502, and the next attempt is served.
    """
    ask = Ask(number=number, model=model, is_stream=bool(number % 3))
    async with Caller(stack.port) as caller:
        heard = await caller.ask(ask, within_s=BOUND_S)
        verdict = judge(ask, heard, CODES)
        report.add(verdict, heard.duration_s, what="next")
        if verdict.kind is not Kind.ANSWERED:
            heard = await caller.ask(ask, within_s=BOUND_S)
            report.add(judge(ask, heard, UNHARMED), heard.duration_s, what="next but one")


async def _die_at_a_byte(stack: Stack, model: str, chance: random.Random, report: Report) -> None:
    at_byte = chance.randrange(CHUNKS * CHUNK_BYTES)
    heard = await asyncio.gather(
        *(_stream(stack, model, n, at_byte if n == 0 else None) for n in range(STREAMS))
    )
    died_at_s = [event["at_s"] for event in read_record(stack.record, "exit")][-1]
    _take_in(report, heard, died_at_s)


async def _die_at_a_time(stack: Stack, model: str, chance: random.Random, report: Report) -> None:
    """Kill the engine during the stream, or shortly before its first byte."""
    streams = asyncio.gather(*(_stream(stack, model, n, None) for n in range(STREAMS)))
    await asyncio.sleep(chance.uniform(0, STREAM_S))
    died_at_s = time.monotonic()
    assert await stack.kill_engine()
    _take_in(report, await streams, died_at_s)


async def _stream(stack: Stack, model: str, number: int, at_byte: int | None) -> tuple[Ask, Heard]:
    """Stream; the other streams are twice as long, so that the death hits all of them."""
    script = {} if at_byte is None else {"die_after_bytes": at_byte}
    chunks = 2 * CHUNKS if at_byte is None else CHUNKS
    ask = Ask(number=number, model=model, chunks=chunks, chunk_interval_s=CHUNK_INTERVAL_S, script=script)
    async with Caller(stack.port) as caller:
        return ask, await caller.ask(ask, within_s=BOUND_S)


def _take_in(report: Report, ends: list[tuple[Ask, Heard]], died_at_s: float) -> None:
    report.kills += 1
    for ask, heard in ends:
        verdict = judge(ask, heard, CODES)
        error_after_s = heard.ended_at_s - died_at_s
        report.add(verdict, error_after_s)
        if verdict.kind not in {Kind.CUT, Kind.REFUSED, Kind.WRONG}:
            report.complain(f"{ask}: {verdict}, though its engine died")
        if error_after_s > ENDS_WITHIN_S:
            report.complain(f"{ask}: error event after {error_after_s:.2f} s")

